"""Writes card proofs, right and wrong, and what to say to each: `python -m tests.vectors.generate FOLDER`.

Keys, serial numbers, times and randomness are fixed, so two runs write the same bytes. `index.json` holds what all
cases share (terminal, challenge secret, pinned authorities) and the cases; certificates and lists are DER files.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from eligibility.identity.challenge import ChallengeKey, ChallengeKeys
from eligibility.wire.verifications import SIGNATURE_CONTEXT
from loadtest.pki import Authority, Jpki
from tests.vectors.forging import (
    SHA1_WITH_RSA,
    flip,
    replace_part,
    resign,
    rsa_public_key_info,
    sign_without_null,
)

NOW: Final = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
TERMINAL: Final = UUID("01936f2e-0000-7000-8000-000000000001")
OTHER_TERMINAL: Final = UUID("01936f2e-0000-7000-8000-000000000002")
AUTHENTICATED: Final = "authenticated"
SERIAL: Final = 0x0133C349
REVOKED_SERIAL: Final = 0x0BAD
HOLDER: Final = "0" * 16
SECRET: Final = bytes(range(32))
_KEYS: Final = Path(__file__).parent / "keys"
_BOTH_USES: Final = frozenset({"digital_signature", "content_commitment"})


@dataclass(frozen=True, slots=True)
class Case:
    """One proof and the code that a verifier must answer it with."""

    case: str
    certificate: bytes
    challenge: bytes
    signature: bytes
    expected: str = AUTHENTICATED
    validity: str | None = "current"
    now: datetime = NOW
    lists: tuple[str, ...] = ("fresh_1.crl", "fresh_2.crl")


def load_key(name: str) -> rsa.RSAPrivateKey:
    """Return one of the fixed keys."""
    key = serialization.load_pem_private_key((_KEYS / f"{name}.pem").read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


class Forge:
    """The fixed hierarchy, and everything that is signed by it or pretends to be."""

    def __init__(self) -> None:
        names = ("auth_authority_1", "auth_authority_2", "sign_authority_1", "sign_authority_2")
        self.jpki = Jpki.create(NOW, keys=[load_key(name) for name in names])
        self.card, self.stranger = load_key("card"), load_key("stranger")
        self.challenges = ChallengeKeys(ChallengeKey(SECRET))
        self.challenge = self.challenges.issue(TERMINAL, NOW, 1, bytes)[0]
        self.signature = self.sign(self.challenge)
        self.good = self.auth()

    def auth(self, *, key: rsa.RSAPrivateKey | None = None, serial: int = SERIAL, **wrong: object) -> bytes:
        return self.jpki.issue_auth(HOLDER, NOW, key=key or self.card, serial=serial, **wrong).der  # type: ignore[arg-type]

    def sign(self, challenge: bytes, key: rsa.RSAPrivateKey | None = None) -> bytes:
        return (key or self.card).sign(SIGNATURE_CONTEXT + challenge, padding.PKCS1v15(), hashes.SHA256())

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Yield the revocation lists by their file names."""
        hour, revoked = timedelta(hours=1), {REVOKED_SERIAL: NOW - timedelta(seconds=1)}
        for number, authority in enumerate(self.jpki.auth, start=1):
            yield f"fresh_{number}.crl", authority.crl(revoked, NOW, NOW + hour)
        newest = self.jpki.auth[-1]
        yield "stale_2.crl", newest.crl({}, NOW - hour - timedelta(seconds=1), NOW + hour)
        yield "ended_2.crl", newest.crl({}, NOW - timedelta(minutes=30), NOW - timedelta(seconds=1))
        yield "future_2.crl", newest.crl({}, NOW + timedelta(minutes=1), NOW + hour)
        yield "strangers_2.crl", replace(newest, key=self.stranger).crl({}, NOW, NOW + hour)

    def cases(self) -> Iterator[Case]:
        """Yield every case."""
        yield from self._good_cases()
        yield from self._certificate_cases()
        yield from self._issuer_cases()
        yield from self._time_cases()
        yield from self._challenge_cases()
        yield from self._signature_cases()

    def _case(self, case: str, certificate: bytes | None = None, expected: str = AUTHENTICATED) -> Case:
        validity = "current" if expected == AUTHENTICATED else None
        return Case(case, certificate or self.good, self.challenge, self.signature, expected, validity)

    def _good_cases(self) -> Iterator[Case]:
        yield self._case("good")
        yield self._case("issued by the older generation", self.auth(generation=0))
        yield self._case("not an authority, and says so", self.auth(ca=False))
        soon = self.auth(not_after=NOW + timedelta(days=60))
        yield replace(self._case("expires in 60 days", soon), validity="expiring_soon")
        expired = self.auth(not_before=NOW - timedelta(days=900), not_after=NOW - timedelta(seconds=1))
        yield replace(self._case("expired a second ago", expired), validity="grace")

    def _certificate_cases(self) -> Iterator[Case]:
        malformed, profile = "certificate_malformed", "certificate_profile"
        yield self._case("one byte too many", self.good + b"\x00", malformed)
        yield self._case("one byte too few", self.good[:-1], malformed)
        yield self._case("not DER at all", b"certificate", malformed)
        yield self._case("no authority key identifier", self.auth(authority_key_id=None), malformed)
        newest = self.jpki.auth[-1].key
        assert isinstance(newest, rsa.RSAPrivateKey)
        version_1 = resign(self.good, newest, lambda parts: parts[1:-1])
        yield self._case("version 1", version_1, malformed)
        yield self._case("also for signatures that bind", self.auth(key_usage=_BOTH_USES), profile)
        yield self._case("no key usage", self.auth(key_usage=None), profile)
        yield self._case("for signing certificates", self.auth(key_usage=frozenset({"key_cert_sign"})), profile)
        sign_policy = ("1.2.392.200149.8.5.1.1.20",)
        yield self._case("policy of signature certificates", self.auth(policies=sign_policy), profile)
        yield self._case("no policy", self.auth(policies=()), profile)
        as_signature = self.auth(key_usage=_BOTH_USES, policies=sign_policy)
        yield self._case("a signature certificate by the authority of this one", as_signature, profile)
        yield self._case("an authority's", self.auth(ca=True), profile)
        yield self._case("unknown critical extension", self.auth(unknown_critical_extension=True), profile)
        yield self._case("signed by RSA-PSS", self.auth(pss=True), profile)
        sha1 = hashes.SHA1()  # noqa: S303
        with_sha1 = resign(
            self.good, newest, replace_part(2, SHA1_WITH_RSA), algorithm=SHA1_WITH_RSA, hash_algorithm=sha1
        )
        yield self._case("signed with SHA-1", with_sha1, profile)
        for exponent in (1, 3):
            spki = rsa_public_key_info(self.card.public_key().public_numbers().n, exponent)
            expected = malformed if exponent == 1 else profile
            yield self._case(f"exponent {exponent}", resign(self.good, newest, replace_part(6, spki)), expected)

    def _issuer_cases(self) -> Iterator[Case]:
        unknown = "issuer_unknown"
        newest = self.jpki.auth[-1]
        signature = self.jpki.issue_signature(HOLDER, NOW, key=self.card, serial=SERIAL).der
        yield self._case("a signature certificate", signature, unknown)
        namesake = Authority.create(newest.certificate.subject, NOW - timedelta(days=365), key=self.stranger)
        impostor = Jpki([namesake], [])
        copy = impostor.issue_auth(HOLDER, NOW, key=self.card, serial=SERIAL)
        yield self._case("an authority of the same name", copy.der, unknown)
        claimed = impostor.issue_auth(HOLDER, NOW, key=self.card, serial=SERIAL, authority_key_id=newest.key_id)
        yield self._case("the same, claiming the pinned one's key identifier", claimed.der, unknown)
        own = resign(self.good, self.card)
        yield self._case("a copy signed by the card's own key", own, unknown)
        yield self._case(
            "another holder in the TBS, by one bit",
            flip(self.good, 8 * self.good.index(HOLDER.encode("ascii")) + 7),
            unknown,
        )
        middle = self.jpki.issue_auth(
            "0000000000000001", NOW, key=self.stranger, ca=True, key_usage=frozenset({"key_cert_sign", "crl_sign"})
        )
        key_id = b"\x01" * 20
        below = Jpki([Authority(middle.certificate, middle.key)], [])
        chain = below.issue_auth(HOLDER, NOW, key=self.card, serial=SERIAL, authority_key_id=key_id)
        yield self._case("below an intermediate authority", chain.der, unknown)

    def _time_cases(self) -> Iterator[Case]:
        began, day = NOW - timedelta(days=900), timedelta(days=1)
        later = self.auth(not_before=NOW + timedelta(seconds=1))
        yield self._case("begins in a second", later, "certificate_not_yet_valid")
        # Expired on 31 July in Japan: the grace ended with October there.
        over = self.auth(not_before=began, not_after=datetime(2026, 7, 31, 14, 59, 59, tzinfo=UTC))
        yield self._case("grace is over", over, "certificate_expired")
        last = self.auth(not_before=began, not_after=datetime(2026, 7, 31, 15, 0, 0, tzinfo=UTC))
        yield replace(self._case("expired on 1 August in Japan", last), validity="grace")
        revoked = self.auth(serial=REVOKED_SERIAL)
        yield self._case("revoked a second ago", revoked, "certificate_revoked")
        for name in ("stale_2.crl", "ended_2.crl", "future_2.crl", "strangers_2.crl", "fresh_1.crl"):
            yield replace(self._case(f"with {name} only", None, "revocation_unknown"), lists=(name,))
        generation_over = NOW + 6 * 365 * day
        challenge = self.challenges.issue(TERMINAL, generation_over, 1, bytes)[0]
        old = self.auth(generation=0, not_after=generation_over + day)
        yield Case(
            "the older generation has expired", old, challenge, self.sign(challenge), "issuer_unknown", None,
            generation_over, (),
        )  # fmt: skip

    def _challenge_cases(self) -> Iterator[Case]:
        def case(name: str, challenge: bytes, expected: str, now: datetime = NOW) -> Case:
            return Case(name, self.good, challenge, self.sign(challenge), expected, None, now)

        others = self.challenges.issue(OTHER_TERMINAL, NOW, 1, bytes)[0]
        unknown_key = ChallengeKeys(ChallengeKey(SECRET[::-1])).issue(TERMINAL, NOW, 1, bytes)[0]
        yield case("a challenge of another terminal", others, "challenge_forged")
        yield case("a challenge made with another key", unknown_key, "challenge_forged")
        yield case("one bit of the nonce changed", flip(self.challenge, 8 * 13), "challenge_forged")
        yield case("half a challenge", self.challenge[:30], "challenge_malformed")
        late = NOW + timedelta(seconds=120, microseconds=1)
        yield case("a challenge after its time", self.challenge, "challenge_expired", late)

    def _signature_cases(self) -> Iterator[Case]:
        good, message = self._case("", None, "signature_refused"), SIGNATURE_CONTEXT + self.challenge
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 0)
        other = self.challenges.issue(TERMINAL, NOW, 1, lambda size: b"\x01" * size)[0]
        # A verifier that forgets the context takes this one.
        bare = self.card.sign(self.challenge, padding.PKCS1v15(), hashes.SHA256())
        for name, signature in (
            ("one bit of the signature changed", flip(self.signature, 2040)),
            ("a signature without the context", bare),
            ("a signature over another challenge", self.sign(other)),
            ("another card's signature", self.sign(self.challenge, self.stranger)),
            ("a PSS signature", self.card.sign(message, pss, hashes.SHA256())),
            ("a SHA-1 signature", self.card.sign(message, padding.PKCS1v15(), hashes.SHA1())),  # noqa: S303
            ("a DigestInfo without NULL", sign_without_null(self.card, message)),
            ("a signature with a zero in front", b"\x00" + self.signature),
            ("a signature of zeros", bytes(256)),
            ("a signature of one byte", b"\x01"),
        ):
            yield replace(good, case=name, signature=signature)


def generate(folder: Path) -> None:
    """Write the vectors."""
    forge = Forge()
    folder.mkdir(parents=True, exist_ok=True)
    authorities = []
    for number, authority in enumerate(forge.jpki.auth, start=1):
        authorities.append(f"auth_{number}.pem")
        (folder / authorities[-1]).write_bytes(authority.pem)
    for name, der in forge.lists():
        (folder / name).write_bytes(der)
    cases = []
    for number, case in enumerate(forge.cases(), start=1):
        certificate = f"{number:03}.der"
        (folder / certificate).write_bytes(case.certificate)
        written = {"certificate": certificate, "challenge": case.challenge.hex(), "signature": case.signature.hex()}
        cases.append(asdict(case) | written | {"now": case.now.isoformat()})
    index = {
        "terminal_id": str(TERMINAL),
        "challenge_secret": SECRET.hex(),
        "authorities": authorities,
        "cases": cases,
    }
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    generate(Path(sys.argv[1]))

"""A card's proof as a whole: the order of the steps, and what each refusal leaves to be recorded."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.identity import refusals
from eligibility.identity.card_authentication import AuthenticatedCard, CardRefused, authenticate_card
from eligibility.identity.certificate import Validity
from eligibility.identity.challenge import CHALLENGE_LIFETIME
from eligibility.identity.revocation import RevocationLists
from eligibility.identity.revocation_list import read_revocation_list
from eligibility.identity.trust import TrustStore
from eligibility.identity.verified import VerifiedCertificates
from eligibility.wire.verifications import CardProof
from tests.vectors.forging import flip
from tests.vectors.generate import NOW, OTHER_TERMINAL, REVOKED_SERIAL, SERIAL, TERMINAL, Forge

FORGE = Forge()
TRUST = TrustStore.from_pem(*(authority.pem for authority in FORGE.jpki.auth))
NEWEST = FORGE.jpki.auth[-1]
CARD_KEY = NEWEST.key_id + bytes.fromhex("0133c349")
NONCE = bytes(16)
HOUR = timedelta(hours=1)


def _lists(*revoked: int, this_update: datetime = NOW) -> RevocationLists:
    crl = NEWEST.crl(dict.fromkeys(revoked, NOW), this_update, this_update + HOUR)
    return RevocationLists({NEWEST.key_id: read_revocation_list(crl, TRUST, this_update)})


LISTS = _lists(REVOKED_SERIAL)


def _authenticate(
    certificate: bytes = FORGE.good,
    challenge: bytes = FORGE.challenge,
    signature: bytes = FORGE.signature,
    *,
    terminal_id: UUID = TERMINAL,
    trust: TrustStore = TRUST,
    revocation: RevocationLists = LISTS,
    verified: VerifiedCertificates | None = None,
    now: datetime = NOW,
) -> AuthenticatedCard:
    return authenticate_card(
        CardProof(challenge=challenge, certificate=certificate, signature=signature),
        terminal_id=terminal_id,
        trust=trust,
        revocation=revocation,
        challenges=FORGE.challenges,
        verified=VerifiedCertificates() if verified is None else verified,
        now=now,
    )


def test_a_card_that_proves_itself_is_known_by_its_key() -> None:
    card = _authenticate()

    assert card.card_key == CARD_KEY
    assert card.validity is Validity.CURRENT
    assert (card.nonce, card.challenge_expires_at) == (NONCE, NOW + CHALLENGE_LIFETIME)


def test_a_card_in_its_grace_is_authenticated_as_such() -> None:
    certificate = FORGE.auth(not_before=NOW - timedelta(days=900), not_after=NOW - timedelta(seconds=1))
    assert _authenticate(certificate).validity is Validity.GRACE


# After each of these the challenge has to be used up, although nobody was authenticated.
LATER = [
    ("certificate_malformed", refusals.CertificateMalformed, b"certificate", None),
    ("issuer_unknown", refusals.IssuerUnknown, FORGE.jpki.issue_signature("X", NOW, key=FORGE.card).der, None),
    ("certificate_profile", refusals.PolicyRefused, FORGE.auth(policies=()), None),
    (
        "certificate_expired",
        refusals.CertificateExpired,
        FORGE.auth(not_before=NOW - timedelta(days=900), not_after=NOW - timedelta(days=150)),
        CARD_KEY,
    ),
    (
        "certificate_not_yet_valid",
        refusals.CertificateNotYetValid,
        FORGE.auth(not_before=NOW + timedelta(seconds=1)),
        CARD_KEY,
    ),
    (
        "certificate_revoked",
        refusals.CertificateRevoked,
        FORGE.auth(serial=REVOKED_SERIAL),
        NEWEST.key_id + b"\x0b\xad",
    ),
    (
        "revocation_unknown",
        refusals.RevocationUnknown,
        FORGE.auth(generation=0),
        FORGE.jpki.auth[0].key_id + bytes.fromhex("0133c349"),
    ),
]


@pytest.mark.parametrize(("code", "reason", "certificate", "card_key"), LATER, ids=[row[0] for row in LATER])
def test_a_refused_certificate_leaves_the_nonce_to_be_used_up(
    code: str, reason: type[refusals.CertificateRefused], certificate: bytes, card_key: bytes | None
) -> None:
    with pytest.raises(CardRefused) as refused:
        _authenticate(certificate)

    assert refused.value.code == code
    assert refused.value.reason is reason
    assert isinstance(refused.value.__cause__, reason)
    assert (refused.value.nonce, refused.value.challenge_expires_at) == (NONCE, NOW + CHALLENGE_LIFETIME)
    # A key that only the sender vouches for is never recorded as a card's.
    assert refused.value.card_key == card_key


def test_a_bad_signature_leaves_nonce_and_card_to_be_recorded() -> None:
    with pytest.raises(CardRefused) as refused:
        _authenticate(signature=flip(FORGE.signature, 7))

    assert refused.value.code == "signature_refused"
    assert (refused.value.nonce, refused.value.card_key) == (NONCE, CARD_KEY)


@pytest.mark.parametrize(
    ("code", "challenge", "terminal", "now"),
    [
        ("challenge_forged", FORGE.challenge, OTHER_TERMINAL, NOW),
        ("challenge_forged", flip(FORGE.challenge, 8 * 13), TERMINAL, NOW),
        ("challenge_expired", FORGE.challenge, TERMINAL, NOW + CHALLENGE_LIFETIME + timedelta(microseconds=1)),
        ("challenge_malformed", FORGE.challenge + b"\x00", TERMINAL, NOW),
        ("challenge_malformed", b"\x00", TERMINAL, NOW),
    ],
)
def test_a_refused_challenge_leaves_nothing_to_be_used_up(
    code: str, challenge: bytes, terminal: UUID, now: datetime
) -> None:
    with pytest.raises(CardRefused) as refused:
        _authenticate(challenge=challenge, signature=FORGE.sign(challenge), terminal_id=terminal, now=now)

    assert refused.value.code == code
    assert (refused.value.nonce, refused.value.challenge_expires_at, refused.value.card_key) == (None, None, None)


def test_the_challenge_is_judged_before_anything_else() -> None:
    with pytest.raises(CardRefused) as refused:
        _authenticate(b"certificate", FORGE.challenge, b"signature", terminal_id=OTHER_TERMINAL)
    assert refused.value.code == "challenge_forged"


def test_a_refusal_says_why_and_names_nobody() -> None:
    with pytest.raises(CardRefused, match="revocation list") as refused:
        _authenticate(FORGE.auth(serial=REVOKED_SERIAL))
    assert str(REVOKED_SERIAL) not in str(refused.value)


@given(
    st.binary(min_size=1, max_size=96) | st.just(FORGE.challenge),
    st.binary(min_size=1, max_size=1000) | st.just(FORGE.good),
    st.binary(min_size=1, max_size=300),
)
def test_no_bytes_do_anything_but_refuse(challenge: bytes, certificate: bytes, signature: bytes) -> None:
    with pytest.raises(CardRefused):
        _authenticate(certificate, challenge, signature)


class TestRemembered:
    """A remembered certificate saves work and forgives nothing."""

    @pytest.fixture
    def verified(self) -> VerifiedCertificates:
        verified = VerifiedCertificates()
        _authenticate(verified=verified)
        assert len(verified) == 1
        return verified

    def test_the_same_certificate_is_remembered_once(self, verified: VerifiedCertificates) -> None:
        assert _authenticate(verified=verified) == _authenticate()
        assert len(verified) == 1

    def test_a_refused_certificate_is_not_remembered(self, verified: VerifiedCertificates) -> None:
        with pytest.raises(CardRefused):
            _authenticate(FORGE.auth(policies=()), verified=verified)
        assert len(verified) == 1

    def test_it_is_revoked_as_soon_as_a_list_says_so(self, verified: VerifiedCertificates) -> None:
        with pytest.raises(CardRefused) as refused:
            _authenticate(verified=verified, revocation=_lists(SERIAL))
        assert refused.value.code == "certificate_revoked"

    def test_it_is_refused_once_the_list_is_stale(self, verified: VerifiedCertificates) -> None:
        with pytest.raises(CardRefused) as refused:
            _authenticate(verified=verified, revocation=_lists(this_update=NOW - HOUR - timedelta(seconds=1)))
        assert refused.value.code == "revocation_unknown"

    def test_it_is_refused_once_its_generation_is_no_longer_pinned(self, verified: VerifiedCertificates) -> None:
        with pytest.raises(CardRefused) as refused:
            _authenticate(verified=verified, trust=TrustStore.from_pem(FORGE.jpki.auth[0].pem))
        assert refused.value.code == "issuer_unknown"

    def test_it_is_refused_once_its_generation_has_expired(self, verified: VerifiedCertificates) -> None:
        later = TRUST.anchors[NEWEST.key_id].not_after + timedelta(seconds=1)
        with pytest.raises(refusals.IssuerExpired):
            verified.verify(FORGE.good, trust=TRUST, now=later)

    def test_the_least_recently_used_is_forgotten_first(self) -> None:
        verified = VerifiedCertificates(limit=2)
        first, second, third = FORGE.good, FORGE.auth(serial=5), FORGE.auth(serial=6)
        kept, *_ = (verified.verify(der, trust=TRUST, now=NOW) for der in (first, second, first, third))

        assert len(verified) == 2
        assert verified.verify(first, trust=TRUST, now=NOW) is kept

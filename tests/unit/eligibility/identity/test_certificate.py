"""Certificates: each way not to be a card's user-authentication certificate is refused by its own name."""

import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from eligibility.identity import refusals
from eligibility.identity.certificate import Validity, grace_ends_at, verify_certificate
from eligibility.identity.refusals import CertificateExpired, CertificateNotYetValid, CertificateRefused
from eligibility.identity.trust import TrustStore
from loadtest.pki import Authority, Jpki
from tests.vectors.forging import elements, flip, replace_part, resign, rsa_public_key_info, tlv
from tests.vectors.generate import HOLDER, NOW, SERIAL, Forge

FORGE = Forge()
TRUST = TrustStore.from_pem(*(authority.pem for authority in FORGE.jpki.auth))
_DER = serialization.Encoding.DER
DIGITAL_SIGNATURE = "digital_signature"


def _extended(*usages: x509.ObjectIdentifier) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return ((x509.ExtendedKeyUsage(usages), False),)


def _newest_key() -> rsa.RSAPrivateKey:
    key = FORGE.jpki.auth[-1].key
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def test_a_verified_certificate_says_what_the_card_is() -> None:
    verified = verify_certificate(FORGE.good, trust=TRUST, now=NOW)

    authority = FORGE.jpki.auth[-1]
    assert verified.card_key == authority.key_id + bytes.fromhex("0133c349")
    assert verified.serial == SERIAL
    assert verified.issuer.key_id == authority.key_id
    assert verified.public_key == FORGE.card.public_key()
    assert verified.validity_at(NOW) is Validity.CURRENT


def test_a_certificate_does_not_show_its_serial_number() -> None:
    verified = verify_certificate(FORGE.good, trust=TRUST, now=NOW)

    shown = repr(verified) + str(verified)
    assert str(SERIAL) not in shown
    assert "0133c349" not in shown.lower()


def test_cards_of_two_generations_with_one_serial_number_are_two_cards() -> None:
    keys = {verify_certificate(FORGE.auth(generation=g), trust=TRUST, now=NOW).card_key for g in (0, 1)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    "profile",
    [
        {"ca": False},
        {"key_usage_critical": False},
        {"extensions": _extended(ExtendedKeyUsageOID.CLIENT_AUTH)},
        {"policies": ("1.2.392.200149.8.5.1.3.30", "2.5.29.32.0")},
    ],
    ids=["says it is no authority", "usage not critical", "for client authentication", "a second policy"],
)
def test_what_the_profile_leaves_open_is_accepted(profile: dict[str, object]) -> None:
    assert verify_certificate(FORGE.auth(**profile), trust=TRUST, now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "refusal"),
    [
        # a signature certificate's profile, by the authority of these certificates
        (
            {
                "key_usage": frozenset({DIGITAL_SIGNATURE, "content_commitment"}),
                "policies": ("1.2.392.200149.8.5.1.1.20",),
            },
            refusals.KeyUsageRefused,
        ),
        ({"key_usage": frozenset({DIGITAL_SIGNATURE, "content_commitment"})}, refusals.KeyUsageRefused),
        ({"key_usage": frozenset({"content_commitment"})}, refusals.KeyUsageRefused),
        ({"key_usage": frozenset({DIGITAL_SIGNATURE, "key_cert_sign"})}, refusals.KeyUsageRefused),
        ({"key_usage": frozenset({DIGITAL_SIGNATURE, "key_encipherment"})}, refusals.KeyUsageRefused),
        ({"key_usage": frozenset({"key_agreement"})}, refusals.KeyUsageRefused),
        ({"key_usage": None}, refusals.KeyUsageRefused),
        ({"extensions": _extended(ExtendedKeyUsageOID.EMAIL_PROTECTION)}, refusals.KeyUsageRefused),
        ({"policies": ("1.2.392.200149.8.5.1.1.20",)}, refusals.PolicyRefused),
        ({"policies": ("1.2.392.200149.8.5.1.3.3",)}, refusals.PolicyRefused),
        ({"policies": ("2.5.29.32.0",)}, refusals.PolicyRefused),
        ({"policies": ()}, refusals.PolicyRefused),
        ({"ca": True}, refusals.AuthorityCertificateRefused),
        ({"unknown_critical_extension": True}, refusals.CriticalExtensionRefused),
        (
            {"extensions": ((x509.SubjectAlternativeName([x509.DNSName("clinic.example")]), True),)},
            refusals.CriticalExtensionRefused,
        ),
        ({"pss": True}, refusals.AlgorithmRefused),
        ({"authority_key_id": None}, refusals.CertificateMalformed),
        ({"authority_key_id": b"\x00"}, refusals.IssuerUnknown),
        ({"authority_key_id": FORGE.jpki.auth[0].key_id}, refusals.IssuerSignatureRefused),
        ({"issuer": FORGE.jpki.sign[0].certificate.subject}, refusals.IssuerSignatureRefused),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_certificate_of_another_profile_is_refused(
    profile: dict[str, object], refusal: type[CertificateRefused]
) -> None:
    with pytest.raises(refusal) as refused:
        verify_certificate(FORGE.auth(**profile), trust=TRUST, now=NOW)  # type: ignore[arg-type]
    assert type(refused.value) is refusal


@pytest.mark.parametrize(
    ("make_key", "refusal"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), refusals.KeyRefused),  # noqa: S505
        (lambda: rsa.generate_private_key(65537, 3072), refusals.KeyRefused),
        (lambda: rsa.generate_private_key(3, 2048), refusals.KeyRefused),
        (lambda: ec.generate_private_key(ec.SECP256R1()), refusals.KeyRefused),
    ],
    ids=["1024 bits", "3072 bits", "exponent 3", "elliptic"],
)
def test_another_kind_of_key_is_refused(
    make_key: Callable[[], rsa.RSAPrivateKey], refusal: type[CertificateRefused]
) -> None:
    with pytest.raises(refusal):
        verify_certificate(FORGE.auth(key=make_key()), trust=TRUST, now=NOW)


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536])
def test_a_key_that_is_none_is_refused(exponent: int) -> None:
    spki = rsa_public_key_info(FORGE.card.public_key().public_numbers().n, exponent)
    with pytest.raises(refusals.CertificateMalformed):
        verify_certificate(resign(FORGE.good, _newest_key(), replace_part(6, spki)), trust=TRUST, now=NOW)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        b"\x00" * 100,
        b"-----BEGIN CERTIFICATE-----",
        FORGE.good + b"\x00",
        FORGE.good * 2,
        FORGE.good[:-1],
        b"\x30\x80" + FORGE.good[4:] + b"\x00\x00",
        FORGE.good[:-257] + b"\x01" + FORGE.good[-256:],
        b"\x30\x84\xff\xff\xff\xff" + FORGE.good,
        FORGE.good + bytes(64 * 1024),
        bytes(64 * 1024),
        resign(FORGE.good, _newest_key(), lambda parts: parts[1:-1]),
        resign(FORGE.good, _newest_key(), lambda parts: parts[:-1]),
    ],
    ids=[
        "empty", "a tag alone", "zeros", "PEM", "a byte after it", "two", "a byte short", "indefinite length",
        "unused bits", "claims 4 GB", "64 KB behind it", "64 KB", "version 1", "no extensions",
    ],
)  # fmt: skip
def test_what_is_not_one_certificate_is_malformed(der: bytes) -> None:
    with pytest.raises(refusals.CertificateMalformed):
        verify_certificate(der, trust=TRUST, now=NOW)


@pytest.mark.parametrize("warnings_are", ["error", "ignore"])
@pytest.mark.parametrize("serial", [b"\x00", b"\xff", b"\x00\x80" + bytes(19)], ids=["0", "negative", "160 bits"])
def test_a_serial_number_that_is_none_is_malformed(serial: bytes, warnings_are: Literal["error", "ignore"]) -> None:
    der = resign(FORGE.good, _newest_key(), replace_part(1, tlv(2, serial)))
    with warnings.catch_warnings(action=warnings_are), pytest.raises(refusals.CertificateMalformed):
        verify_certificate(der, trust=TRUST, now=NOW)


def test_a_large_certificate_is_refused_before_it_is_parsed() -> None:
    large = FORGE.auth(
        extensions=((x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.99"), bytes(65536)), False),)
    )
    with pytest.raises(refusals.CertificateMalformed):
        verify_certificate(large, trust=TRUST, now=NOW)


def test_an_extension_stated_twice_is_malformed() -> None:
    def twice(parts: list[bytes]) -> list[bytes]:
        inside = elements(elements(parts[-1])[0])
        return [*parts[:-1], tlv(0xA3, tlv(0x30, b"".join([*inside, inside[0]])))]

    with pytest.raises(refusals.CertificateMalformed):
        verify_certificate(resign(FORGE.good, _newest_key(), twice), trust=TRUST, now=NOW)


def test_a_real_authority_is_not_a_card(shared_data: Path) -> None:
    pem = (shared_data / "jpki_ca" / "auth_ca_2023.pem").read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(_DER)
    with pytest.raises(CertificateRefused):
        verify_certificate(der, trust=TrustStore.from_pem(pem), now=NOW)


def test_the_authoritys_own_certificate_is_not_a_cards() -> None:
    newest = FORGE.jpki.auth[-1]
    own_key_id = ((x509.AuthorityKeyIdentifier(newest.key_id, None, None), False),)
    again = Authority.create(newest.certificate.subject, NOW, key=newest.key, extensions=own_key_id)
    with pytest.raises(refusals.CertificateProfileRefused):
        verify_certificate(again.certificate.public_bytes(_DER), trust=TRUST, now=NOW)


class TestOtherAuthorities:
    """Whoever signs it, only a pinned key makes a card."""

    def test_a_signature_certificate_is_refused_by_its_authority_already(self) -> None:
        der = FORGE.jpki.issue_signature(HOLDER, NOW, key=FORGE.card, serial=SERIAL).der
        with pytest.raises(refusals.IssuerUnknown):
            verify_certificate(der, trust=TRUST, now=NOW)

    def test_a_signature_certificate_is_refused_by_its_profile_where_its_authority_is_pinned(self) -> None:
        signature_store = TrustStore.from_pem(FORGE.jpki.sign[-1].pem)
        der = FORGE.jpki.issue_signature(HOLDER, NOW, key=FORGE.card, serial=SERIAL).der
        with pytest.raises(refusals.KeyUsageRefused):
            verify_certificate(der, trust=signature_store, now=NOW)

    @pytest.mark.parametrize("claims", [False, True])
    def test_an_authority_of_the_same_name_is_not_that_authority(self, claims: bool) -> None:
        newest = FORGE.jpki.auth[-1]
        impostor = Jpki([Authority.create(newest.certificate.subject, NOW, key=FORGE.stranger)], [])
        key_id = newest.key_id if claims else b""
        der = impostor.issue_auth(HOLDER, NOW, key=FORGE.card, serial=SERIAL, authority_key_id=key_id).der
        with pytest.raises(refusals.IssuerSignatureRefused if claims else refusals.IssuerUnknown):
            verify_certificate(der, trust=TRUST, now=NOW)

    def test_a_self_signed_copy_with_the_victims_serial_number_is_refused(self) -> None:
        with pytest.raises(refusals.IssuerSignatureRefused):
            verify_certificate(resign(FORGE.good, FORGE.stranger), trust=TRUST, now=NOW)

    def test_a_retired_generation_is_unknown(self) -> None:
        newest_only = TrustStore.from_pem(FORGE.jpki.auth[-1].pem)
        with pytest.raises(refusals.IssuerUnknown):
            verify_certificate(FORGE.auth(generation=0), trust=newest_only, now=NOW)

    def test_an_expired_generation_is_refused_for_new_paths(self) -> None:
        later = TRUST.anchors[FORGE.jpki.auth[0].key_id].not_after + timedelta(seconds=1)
        with pytest.raises(refusals.IssuerExpired):
            verify_certificate(FORGE.auth(generation=0), trust=TRUST, now=later)

    def test_a_chain_of_two_is_refused(self) -> None:
        usage = frozenset({"key_cert_sign", "crl_sign"})
        middle = FORGE.jpki.issue_auth("middle", NOW, key=FORGE.stranger, ca=True, key_usage=usage)
        below = Authority(middle.certificate, middle.key)
        key_id = x509.SubjectKeyIdentifier.from_public_key(FORGE.stranger.public_key()).digest
        chain = Jpki([below], []).issue_auth(HOLDER, NOW, key=FORGE.card, authority_key_id=key_id)
        with pytest.raises(refusals.IssuerUnknown):
            verify_certificate(chain.der, trust=TRUST, now=NOW)


ENDS = datetime(2026, 7, 31, 14, 59, 59, tzinfo=UTC)  # 31 July 23:59:59 in Japan
GRACE_ENDS = datetime(2026, 10, 31, 15, 0, 0, tzinfo=UTC)  # 1 November 00:00 in Japan


@pytest.mark.parametrize(
    ("now", "validity"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), Validity.CURRENT),
        (datetime(2026, 4, 30, 14, 59, 58, tzinfo=UTC), Validity.CURRENT),
        (datetime(2026, 4, 30, 14, 59, 59, tzinfo=UTC), Validity.EXPIRING_SOON),
        (ENDS, Validity.EXPIRING_SOON),
        (ENDS + timedelta(microseconds=1), Validity.GRACE),
        (ENDS + timedelta(seconds=1), Validity.GRACE),
        (datetime(2026, 9, 1, tzinfo=UTC), Validity.GRACE),
        (GRACE_ENDS - timedelta(microseconds=1), Validity.GRACE),
        (GRACE_ENDS, CertificateExpired),
        (GRACE_ENDS + timedelta(days=400), CertificateExpired),
        (datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC), CertificateNotYetValid),
    ],
)
def test_dates_are_judged_with_grace_in_japan(now: datetime, validity: Validity | type[CertificateRefused]) -> None:
    der = FORGE.auth(not_before=datetime(2024, 1, 1, tzinfo=UTC), not_after=ENDS)
    verified = verify_certificate(der, trust=TRUST, now=NOW)

    if isinstance(validity, Validity):
        assert verified.validity_at(now) is validity
    else:
        with pytest.raises(validity):
            verified.validity_at(now)


@pytest.mark.parametrize(
    ("not_after", "ends"),
    [
        (datetime(2026, 7, 31, 14, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 15, tzinfo=UTC)),
        (datetime(2026, 7, 31, 15, 0, 0, tzinfo=UTC), datetime(2026, 11, 30, 15, tzinfo=UTC)),
        (datetime(2026, 9, 1, 0, 0, 0, tzinfo=UTC), datetime(2026, 12, 31, 15, tzinfo=UTC)),
        (datetime(2026, 11, 30, 0, 0, 0, tzinfo=UTC), datetime(2027, 2, 28, 15, tzinfo=UTC)),
        (datetime(2027, 11, 30, 0, 0, 0, tzinfo=UTC), datetime(2028, 2, 29, 15, tzinfo=UTC)),
        (datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC), datetime(2027, 3, 31, 15, tzinfo=UTC)),
    ],
)
def test_grace_ends_with_the_third_month_after_the_month_of_expiry(not_after: datetime, ends: datetime) -> None:
    assert grace_ends_at(not_after) == ends


@given(st.binary(max_size=2000))
def test_no_bytes_do_anything_but_refuse(der: bytes) -> None:
    with pytest.raises(CertificateRefused):
        verify_certificate(der, trust=TRUST, now=NOW)


@given(st.integers(0, 8 * len(FORGE.good) - 1))
def test_no_bit_of_a_certificate_can_be_changed(bit: int) -> None:
    with pytest.raises(CertificateRefused):
        verify_certificate(flip(FORGE.good, bit), trust=TRUST, now=NOW)


@given(st.integers(0, 8 * len(FORGE.good) - 1))
def test_a_certificate_changed_before_it_was_signed_is_taken_or_refused_and_nothing_else(bit: int) -> None:
    changed = flip(FORGE.good, bit)
    try:
        signed = resign(changed, _newest_key())
    except (IndexError, ValueError, OverflowError):  # the change broke the structure that is to be signed
        return
    try:
        verify_certificate(signed, trust=TRUST, now=NOW)
    except CertificateRefused:
        return

"""What may be pinned as an authority, and how a generation is chosen."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from eligibility.identity.refusals import IssuerExpired, IssuerUnknown
from eligibility.identity.trust import AnchorRefused, TrustStore
from loadtest.pki import Authority
from tests.vectors.generate import NOW, Forge

_PEM = serialization.Encoding.PEM
REAL_2015 = bytes.fromhex("9567951b5ca70d84a0fff1d85a87f1aab1340385")
REAL_2023 = bytes.fromhex("1ac100f596a3bc8c4b3df195e32699249e9e308a")


@pytest.fixture
def real_authorities(shared_data: Path) -> Path:
    return shared_data / "jpki_ca"


def test_the_real_user_authentication_authorities_are_told_apart_by_key(real_authorities: Path) -> None:
    store = TrustStore.from_pem(*(path.read_bytes() for path in sorted(real_authorities.glob("auth_*.pem"))))

    assert store.anchors.keys() == {REAL_2015, REAL_2023}
    assert len({anchor.certificate.subject for anchor in store.anchors.values()}) == 1
    assert store.issuer(REAL_2023, NOW).not_after == datetime(2033, 7, 15, 14, 59, 59, tzinfo=UTC)
    assert [anchor.key_id for anchor in store.usable_at(NOW)] == [REAL_2023]


def test_the_real_expired_generation_is_refused_for_new_paths(real_authorities: Path) -> None:
    store = TrustStore.from_pem((real_authorities / "auth_ca_2015.pem").read_bytes())

    ended = datetime(2025, 10, 19, 14, 59, 59, tzinfo=UTC)
    assert store.issuer(REAL_2015, ended).key_id == REAL_2015
    for now in (ended + timedelta(seconds=1), NOW, datetime(2015, 10, 20, 3, 8, 12, tzinfo=UTC)):
        with pytest.raises(IssuerExpired):
            store.issuer(REAL_2015, now)


def test_the_real_signature_authorities_load_only_in_a_store_of_their_own(real_authorities: Path) -> None:
    sign = [path.read_bytes() for path in sorted(real_authorities.glob("sign_*.pem"))]

    assert len(TrustStore.from_pem(*sign).anchors) == 2
    with pytest.raises(AnchorRefused, match="more than one hierarchy"):
        TrustStore.from_folder(real_authorities)


def test_a_key_that_is_not_pinned_is_unknown(forge: Forge) -> None:
    newest_only = TrustStore.from_pem(forge.jpki.auth[-1].pem)

    for key_id in (forge.jpki.auth[0].key_id, forge.jpki.sign[0].key_id, b"", bytes(20)):
        with pytest.raises(IssuerUnknown):
            newest_only.issuer(key_id, NOW)


def test_pinning_one_authority_twice_is_pinning_it_once(forge: Forge) -> None:
    assert len(TrustStore.from_pem(forge.jpki.auth[0].pem, forge.jpki.auth[0].pem * 2).anchors) == 1


def test_a_folder_is_read_by_its_pem_and_crt_files(forge: Forge, tmp_path: Path) -> None:
    (tmp_path / "old.crt").write_bytes(forge.jpki.auth[0].pem)
    (tmp_path / "new.pem").write_bytes(forge.jpki.auth[1].pem)
    (tmp_path / "README.txt").write_text("not a certificate")

    assert len(TrustStore.from_folder(tmp_path).anchors) == 2


@pytest.mark.parametrize(
    "pem",
    [b"", b"-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n", b"\xff\xfe\x00"],
    ids=["empty", "not base64", "not text"],
)
def test_what_is_not_a_certificate_is_not_pinned(pem: bytes) -> None:
    with pytest.raises(AnchorRefused):
        TrustStore.from_pem(pem)


def test_nothing_is_not_a_trust_store(tmp_path: Path) -> None:
    with pytest.raises(AnchorRefused, match="no authority is pinned"):
        TrustStore.from_folder(tmp_path)


def _leaf(forge: Forge) -> bytes:
    return forge.jpki.issue_auth("X", NOW, key=forge.card).certificate.public_bytes(_PEM)


def _elliptic(forge: Forge) -> bytes:
    return Authority.create(forge.jpki.auth[0].certificate.subject, NOW).pem


def _short_key(forge: Forge) -> bytes:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505
    return Authority.create(forge.jpki.auth[0].certificate.subject, NOW, key=key).pem


def _cross_signed(forge: Forge) -> bytes:
    middle = forge.jpki.issue_auth(
        "X", NOW, key=forge.card, ca=True, key_usage=frozenset({"key_cert_sign", "crl_sign"})
    )
    return middle.certificate.public_bytes(_PEM)


def _self_signed(forge: Forge, *, ca: bool, certify: bool, key_id: bytes | None) -> bytes:
    name = forge.jpki.auth[0].certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(forge.stranger.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(x509.KeyUsage(not certify, False, False, False, False, certify, certify, False, False), True)
    )
    if key_id is not None:
        builder = builder.add_extension(x509.SubjectKeyIdentifier(key_id), False)
    return builder.sign(forge.stranger, hashes.SHA256()).public_bytes(_PEM)


@pytest.mark.parametrize("make", [_leaf, _elliptic, _short_key, _cross_signed])
def test_a_certificate_that_is_no_self_signed_rsa_authority_is_not_pinned(forge: Forge, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AnchorRefused):
        TrustStore.from_pem(make(forge))


@pytest.mark.parametrize(
    ("ca", "certify", "key_id"),
    [(False, True, bytes(20)), (True, False, bytes(20)), (True, True, None), (True, True, b"short")],
    ids=["not an authority", "may not sign certificates", "no key identifier", "a short key identifier"],
)
def test_an_authority_that_lacks_what_an_authority_has_is_not_pinned(
    forge: Forge, ca: bool, certify: bool, key_id: bytes | None
) -> None:
    with pytest.raises(AnchorRefused):
        TrustStore.from_pem(_self_signed(forge, ca=ca, certify=certify, key_id=key_id))


def test_two_authorities_with_one_key_identifier_are_not_pinned(forge: Forge) -> None:
    impostor = _self_signed(forge, ca=True, certify=True, key_id=forge.jpki.auth[0].key_id)
    with pytest.raises(AnchorRefused, match="one key identifier"):
        TrustStore.from_pem(forge.jpki.auth[0].pem, impostor)

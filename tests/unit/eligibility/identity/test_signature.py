"""Signatures: the 259 cases of Wycheproof, and what a card's signature is over."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from eligibility.identity.certificate import AuthCertificate, verify_certificate
from eligibility.identity.refusals import SignatureRefused
from eligibility.identity.signature import verify_rsa_sha256, verify_signature
from eligibility.identity.trust import TrustStore
from eligibility.wire.verifications import SIGNATURE_CONTEXT
from tests.vectors.forging import flip, sign_without_null
from tests.vectors.generate import NOW, Forge, load_key

CARD = load_key("card")


@pytest.fixture(scope="module")
def certificate(forge: Forge, trust: TrustStore) -> AuthCertificate:
    return verify_certificate(forge.good, trust=trust, now=NOW)


def test_wycheproof(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "wycheproof" / "rsa_signature_2048_sha256_test.json").read_text())
    told, expected = {}, {}
    for group in vectors["testGroups"]:
        key = serialization.load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(key, rsa.RSAPublicKey)
        for case in group["tests"]:
            # The only "acceptable" case is a DigestInfo without its NULL, which is refused here.
            expected[case["tcId"]] = case["result"] == "valid"
            told[case["tcId"]] = _holds(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))

    assert told == expected
    assert len(told) == vectors["numberOfTests"] == 259


def _holds(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        verify_rsa_sha256(key, signature, message)
    except SignatureRefused:
        return False
    return True


def test_a_card_signs_the_context_and_the_challenge(forge: Forge, certificate: AuthCertificate) -> None:
    verify_signature(certificate, forge.challenge, forge.signature)


@pytest.mark.parametrize("bit", range(0, 2048, 97))
def test_no_bit_of_a_signature_can_be_changed(forge: Forge, certificate: AuthCertificate, bit: int) -> None:
    with pytest.raises(SignatureRefused):
        verify_signature(certificate, forge.challenge, flip(forge.signature, bit))


@pytest.mark.parametrize("bit", range(0, 61 * 8, 41))
def test_no_bit_of_the_challenge_can_be_changed(forge: Forge, certificate: AuthCertificate, bit: int) -> None:
    with pytest.raises(SignatureRefused):
        verify_signature(certificate, flip(forge.challenge, bit), forge.signature)


def _pkcs1(message: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    return CARD.sign(message, padding.PKCS1v15(), algorithm)


@pytest.mark.parametrize(
    "sign",
    [
        lambda challenge: _pkcs1(challenge, hashes.SHA256()),
        lambda challenge: _pkcs1(SIGNATURE_CONTEXT + challenge, hashes.SHA512()),
        lambda challenge: _pkcs1(SIGNATURE_CONTEXT + challenge, hashes.SHA1()),  # noqa: S303
        lambda challenge: CARD.sign(
            SIGNATURE_CONTEXT + challenge, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
        ),
        lambda challenge: sign_without_null(CARD, SIGNATURE_CONTEXT + challenge),
        lambda challenge: b"\x00" + _pkcs1(SIGNATURE_CONTEXT + challenge, hashes.SHA256()),
        lambda challenge: b"",
        lambda challenge: bytes(256),
        lambda challenge: b"\xff" * 256,
    ],
    ids=["no context", "SHA-512", "SHA-1", "PSS", "no NULL", "zero in front", "empty", "zeros", "above the modulus"],
)
def test_signatures_made_otherwise_are_refused(forge: Forge, certificate: AuthCertificate, sign) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SignatureRefused):
        verify_signature(certificate, forge.challenge, sign(forge.challenge))


@given(st.binary(max_size=300) | st.binary(min_size=256, max_size=256))
def test_no_bytes_do_anything_but_refuse(signature: bytes) -> None:
    with pytest.raises(SignatureRefused):
        verify_rsa_sha256(CARD.public_key(), signature, b"message")

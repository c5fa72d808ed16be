"""OpenSC, which knows real My Number cards, meets the virtual one in a PC/SC reader and finds nothing amiss."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from eligibility.identity.certificate import verify_certificate
from eligibility.identity.challenge import ChallengeKey, ChallengeKeys
from eligibility.identity.refusals import SignatureRefused
from eligibility.identity.signature import verify_signature
from eligibility.identity.trust import TrustStore
from eligibility.wire.verifications import SIGNATURE_CONTEXT
from loadtest.pki import Jpki
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent

pytestmark = [pytest.mark.pcsc, pytest.mark.usefixtures("opensc", "inserted")]
TIMEOUT_S = 60


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)


def _sign(pin: str, message: Path, signature: Path) -> subprocess.CompletedProcess[bytes]:
    return _run(
        "pkcs11-tool", "--login", "--pin", pin, "--sign", "--mechanism", "SHA256-RSA-PKCS", "--id", "01",
        "--input-file", str(message), "--output-file", str(signature),
    )  # fmt: skip


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "message"
    path.write_bytes(b"eligibility-verification/v1" + bytes(range(64)))
    return path


def test_it_lists_the_cards_certificates() -> None:
    listed = _run("pkcs15-tool", "--list-certificates")
    assert listed.returncode == 0, listed.stderr
    names = re.findall(rb"X\.509 Certificate \[(.*?)\]", listed.stdout)
    assert b"User Authentication Certificate" in names
    assert b"Digital Signature Certificate" in names
    assert len(names) == 4


@pytest.mark.parametrize(("number", "which"), [("1", "auth"), ("3", "auth authority"), ("4", "sign authority")])
def test_it_reads_a_certificate_that_is_free_to_read(number: str, which: str, content: CardContent) -> None:
    read = _run("pkcs15-tool", "--read-certificate", number)
    assert read.returncode == 0, read.stderr
    der = {
        "auth": content.auth.certificate,
        "auth authority": content.auth.authority,
        "sign authority": content.sign.authority,
    }
    assert x509.load_pem_x509_certificate(read.stdout) == x509.load_der_x509_certificate(der[which])


def test_it_signs_with_the_right_pin(message: Path, tmp_path: Path, content: CardContent) -> None:
    signed = _sign("2741", message, tmp_path / "signature")
    assert signed.returncode == 0, signed.stderr
    key = x509.load_der_x509_certificate(content.auth.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify((tmp_path / "signature").read_bytes(), message.read_bytes(), padding.PKCS1v15(), SHA256())


def test_the_centres_verifier_accepts_what_opensc_read_and_signed(tmp_path: Path, jpki: Jpki) -> None:
    now, terminal_id = datetime.now(UTC), uuid4()
    keys = ChallengeKeys(ChallengeKey(os.urandom(32)))
    challenge = keys.issue(terminal_id, now, 1, os.urandom)[0]
    (tmp_path / "challenge").write_bytes(SIGNATURE_CONTEXT + challenge)
    pem = _run("pkcs15-tool", "--read-certificate", "1").stdout
    assert _sign("2741", tmp_path / "challenge", tmp_path / "signature").returncode == 0
    signature = (tmp_path / "signature").read_bytes()

    trust = TrustStore.from_pem(*(authority.certificate.public_bytes(Encoding.PEM) for authority in jpki.auth))
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    certificate = verify_certificate(der, trust=trust, now=now)
    keys.open(challenge, terminal_id, now)
    verify_signature(certificate, challenge, signature)
    with pytest.raises(SignatureRefused):
        verify_signature(certificate, challenge + b"\x00", signature)


def test_a_wrong_pin_is_refused_counted_and_at_last_blocks(message: Path, tmp_path: Path, card: VirtualCard) -> None:
    tries = f"{'D392F000260100000001'.lower()}/0018"
    for left in (2, 1, 0):
        refused = _sign("0000", message, tmp_path / "signature")
        assert refused.returncode != 0
        assert b"CKR_PIN_INCORRECT" in refused.stderr or b"CKR_PIN_LOCKED" in refused.stderr
        assert card.tries_left()[tries] == left
    blocked = _sign("2741", message, tmp_path / "signature")
    assert blocked.returncode != 0
    assert b"C_Login failed" in blocked.stderr
    assert card.tries_left()[tries] == 0
    assert not (tmp_path / "signature").exists()

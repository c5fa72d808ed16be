"""A terminal's key and certificate in one file that only its owner may read, replaced at once or not at all."""

import os
import tomllib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eligibility.wire.enrolments import TerminalCertificate

SETTINGS_NAME, CREDENTIALS_NAME = "terminal.toml", "terminal.pem"
RENEW_WITHIN: Final = timedelta(days=60)


class EnrolmentTrouble(Exception):
    """The enrolment cannot go on; `code` names the advice, `names` the file."""

    def __init__(self, code: str, names: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.names = names


def obtain(
    path: Path, ask: Callable[[str], TerminalCertificate], then: Callable[[], None] = lambda: None
) -> TerminalCertificate:
    """Make a key, have it certified, put both in place, and do what belongs to it.

    The key waits beside the file until all is done, so that an enrolment that was cut anywhere asks again with the
    same key: the centre then answers again, though the code is used.

    Raises:
        EnrolmentTrouble: a file cannot be used, or the certificate is not this key's.
    """
    waiting = _waiting(path)
    key = _key(waiting)
    answered = ask(_request(key))
    try:
        certificate = x509.load_pem_x509_certificate(answered.certificate.encode("ascii"))
    except ValueError as error:
        raise EnrolmentTrouble("enrolment_answer_wrong") from error
    if certificate.public_key() != key.public_key():
        raise EnrolmentTrouble("enrolment_answer_wrong")
    ready = path.with_name(f"{path.name}.ready")
    ready.unlink(missing_ok=True)
    write_for_owner(ready, certificate.public_bytes(serialization.Encoding.PEM) + _pem(key))
    ready.replace(path)
    then()
    waiting.unlink()
    return answered


def was_cut(path: Path) -> bool:
    """Tell whether a key waits there for the rest of its enrolment."""
    return _waiting(path).exists()


def write_settings(path: Path, centre_url: str, authority: Path, credentials: Path) -> None:
    """Write the terminal's settings file; there must be none yet.

    Raises:
        EnrolmentTrouble: it cannot be written.
    """
    values = {
        "centre_url": centre_url,
        "centre_authority": str(authority.absolute()),
        "certificate": str(credentials.absolute()),
        "key": str(credentials.absolute()),
        "outbox_file": str(path.with_name("outbox.db").absolute()),
    }
    text = "".join(f"{name} = {_quoted(value)}\n" for name, value in values.items())
    assert tomllib.loads(text) == values  # noqa: S101 (what is written is what will be read)
    write_for_owner(path, text.encode("utf-8"))


def is_due(path: Path, now: datetime) -> bool:
    """Tell whether a certificate is near enough to its end to be renewed.

    Raises:
        EnrolmentTrouble: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - now < RENEW_WITHIN
    except (OSError, ValueError) as error:
        raise EnrolmentTrouble("enrolment_file_unusable", path.name) from error


def write_for_owner(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read, through to the disk.

    Raises:
        EnrolmentTrouble: it is there already, or cannot be written.
    """
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EnrolmentTrouble("enrolment_file_unusable", path.name) from error


def _waiting(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        try:
            found = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise EnrolmentTrouble("enrolment_file_unusable", path.name) from error
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise EnrolmentTrouble("enrolment_file_unusable", path.name)
        return found
    made = ec.generate_private_key(ec.SECP256R1())
    write_for_owner(path, _pem(made))
    return made


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    # The name is the centre's to give.
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

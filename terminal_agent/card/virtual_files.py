"""A virtual card in a folder: `card.json`, certificates and keys as PEM, and the tries its PINs have left.

card.json     name, address, birth_date, sex, expires_on, security_code, pins: {auth, sign, text}
auth.crt  auth.key  auth_ca.crt     user authentication
sign.crt  sign.key  sign_ca.crt     signature
visual.record  visual.certificate  visual.key   the visual application with its photo; absent on a card without one
tries.json    written when the card is taken out, so that a blocked PIN stays blocked
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eligibility.domain.codes import Sex
from terminal_agent.card.errors import VirtualCardUnreadable
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardCredentials, CardHolder, CardPins, VisualContent

_CARD: Final = "card.json"
_TRIES: Final = "tries.json"
_RECORD: Final = "visual.record"
_VISUAL_CERTIFICATE: Final = "visual.certificate"
_VISUAL_KEY: Final = "visual.key"


class _Pins(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    auth: str = Field(pattern=r"^[0-9]{4}$", repr=False)
    sign: str = Field(pattern=r"^[A-Z0-9]{6,16}$", repr=False)
    text: str = Field(pattern=r"^[0-9]{4}$", repr=False)


class _Card(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(min_length=1, repr=False)
    address: str = Field(repr=False)
    birth_date: date = Field(repr=False)
    sex: Sex = Field(repr=False)
    expires_on: date
    security_code: str = Field(pattern=r"^[0-9]{4}$", repr=False)
    pins: _Pins


def save_card(folder: Path, content: CardContent) -> None:
    """Write a card's content into a folder, which is made if missing; key and PIN files are the owner's only."""
    folder.mkdir(parents=True, exist_ok=True)
    holder, pins = content.holder, content.pins
    card = _Card(
        name=holder.name,
        address=holder.address,
        birth_date=holder.birth_date,
        sex=holder.sex,
        expires_on=holder.expires_on,
        security_code=holder.security_code,
        pins=_Pins(auth=pins.auth, sign=pins.sign, text=pins.text),
    )
    _write(folder / _CARD, card.model_dump_json(indent=2).encode())
    (folder / _TRIES).unlink(missing_ok=True)
    for name, credentials in (("auth", content.auth), ("sign", content.sign)):
        _write(folder / f"{name}.crt", _pem(credentials.certificate))
        _write(folder / f"{name}_ca.crt", _pem(credentials.authority))
        _write(folder / f"{name}.key", _key_pem(credentials.key))
    for path in (folder / _RECORD, folder / _VISUAL_CERTIFICATE, folder / _VISUAL_KEY):
        path.unlink(missing_ok=True)
    if content.visual is not None:
        _write(folder / _RECORD, content.visual.record)
        _write(folder / _VISUAL_CERTIFICATE, content.visual.certificate)
        _write(folder / _VISUAL_KEY, _key_pem(content.visual.key))


def load_content(folder: Path) -> CardContent:
    """Read a card's content from its folder.

    Raises:
        VirtualCardUnreadable: a file is missing or has another form.
    """
    try:
        card = _Card.model_validate_json((folder / _CARD).read_bytes())
        return CardContent(
            holder=CardHolder(card.name, card.address, card.birth_date, card.sex, card.expires_on, card.security_code),
            auth=_credentials(folder, "auth"),
            sign=_credentials(folder, "sign"),
            pins=CardPins(card.pins.auth, card.pins.sign, card.pins.text),
            visual=_visual(folder) if (folder / _RECORD).exists() else None,
        )
    except (OSError, ValidationError, ValueError, TypeError) as error:
        raise VirtualCardUnreadable from error


@contextmanager
def card_in_folder(folder: Path) -> Iterator[VirtualCard]:
    """Give the folder's card, and keep what tries its PINs have left when it is taken out.

    Raises:
        VirtualCardUnreadable: a file is missing or has another form.
    """
    card = VirtualCard(load_content(folder))
    tries = folder / _TRIES
    try:
        if tries.exists():
            card.set_tries_left({str(name): int(left) for name, left in json.loads(tries.read_bytes()).items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise VirtualCardUnreadable from error
    try:
        yield card
    finally:
        _write(tries, json.dumps(card.tries_left(), indent=2).encode())


def _credentials(folder: Path, name: str) -> CardCredentials:
    key = _key(folder / f"{name}.key")
    return CardCredentials(_der(folder / f"{name}.crt"), key, _der(folder / f"{name}_ca.crt"))


def _visual(folder: Path) -> VisualContent:
    record, certificate = (folder / _RECORD).read_bytes(), (folder / _VISUAL_CERTIFICATE).read_bytes()
    return VisualContent(record, certificate, _key(folder / _VISUAL_KEY))


def _key(path: Path) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise VirtualCardUnreadable
    return key


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)

"""What is on a virtual My Number card: its holder, certificates and PINs, laid out in applications and files."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from eligibility.domain.codes import Sex
from eligibility.domain.dates import ERAS
from terminal_agent.card import tlv
from terminal_agent.card.sessions import JPKI_AID, TEXT_AID
from terminal_agent.card.visual import VISUAL_AID

RESIDENT_REGISTER_AID: Final = bytes.fromhex("D3921000310001010401")
COMMON_AID: Final = bytes.fromhex("D3921000310001010100")

AUTH_PIN_TRIES: Final = 3
SIGN_PIN_TRIES: Final = 5
NUMBER_TRIES: Final = 10

_TOKEN_INFO_BYTES: Final = 160
_LABEL_BYTES: Final = 32
# Which PIN files of an application open a file: any one of them; none needed; or nobody ever.
FREE: Final[frozenset[int]] = frozenset()
NEVER: Final = None


@dataclass(frozen=True, slots=True, repr=False)
class CardHolder:
    """The person a card is made out to, and what is printed on it."""

    name: str
    address: str
    birth_date: date
    sex: Sex
    expires_on: date
    security_code: str

    @property
    def birth_pin(self) -> str:
        """The birth date as the card's PIN of the visual application: YYMMDD with the era's year."""
        for base, first, last in ERAS.values():
            if first <= self.birth_date <= last:
                return f"{self.birth_date.year - base:02}{self.birth_date:%m%d}"
        raise ValueError("a birth date lies before the first era")

    @property
    def number_b(self) -> str:
        """The verification number B (照合番号B): birth date, year of expiry, security code."""
        return f"{self.birth_pin}{self.expires_on:%Y}{self.security_code}"

    def __repr__(self) -> str:
        return "CardHolder(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class CardPins:
    """The PINs the holder chose: user authentication (4 digits), signature (6–16), text application (4 digits)."""

    auth: str
    sign: str
    text: str

    def __repr__(self) -> str:
        return "CardPins(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class CardCredentials:
    """One certificate of the card: DER, its RSA-2048 key, and its authority's certificate (DER)."""

    certificate: bytes
    key: rsa.RSAPrivateKey
    authority: bytes


@dataclass(frozen=True, slots=True, repr=False)
class VisualContent:
    """The visual application's record (EF 0002) and issuer's certificate (EF 0004), and the card's own key."""

    record: bytes
    certificate: bytes
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class CardContent:
    """Everything that is written onto a card; without `visual` it is a card without a photo."""

    holder: CardHolder
    auth: CardCredentials
    sign: CardCredentials
    pins: CardPins = field(repr=False)
    visual: VisualContent | None = field(default=None, repr=False)


@dataclass(slots=True)
class DataFile:
    """A transparent elementary file, and the PIN files of which one must be verified to read it."""

    content: bytes = field(repr=False)
    opened_by: frozenset[int] | None = FREE


@dataclass(slots=True)
class KeyFile:
    """A private key, and the PIN file that must be verified to use it."""

    key: rsa.RSAPrivateKey = field(repr=False)
    opened_by: int


@dataclass(slots=True)
class PinFile:
    """A reference to compare with, and how often a comparison may still fail. None matches nothing."""

    secret: bytes | None = field(repr=False)
    lengths: range
    tries: int
    tries_left: int


CardFile = DataFile | KeyFile | PinFile
Applications = dict[bytes, dict[int, CardFile]]


def applications(content: CardContent) -> Applications:
    """Lay a card's content out as files (docs/card.md)."""
    return {
        JPKI_AID: _jpki(content),
        TEXT_AID: _text(content),
        VISUAL_AID: _visual(content),
        RESIDENT_REGISTER_AID: {},
        COMMON_AID: {},
    }


def _jpki(content: CardContent) -> dict[int, CardFile]:
    # An object of PKCS #11's CK_TOKEN_INFO, of which only the label is known.
    token_info = b"JPKIAPICCTOKEN2".ljust(_LABEL_BYTES).ljust(_TOKEN_INFO_BYTES, b"\x00")
    return {
        0x0001: DataFile(content.sign.certificate, frozenset({0x001B})),
        0x0002: DataFile(content.sign.authority),
        0x0006: DataFile(token_info),
        0x0008: DataFile(bytes((1, 1))),
        0x000A: DataFile(content.auth.certificate),
        0x000B: DataFile(content.auth.authority),
        # The terminal CA's key, of the path without a PIN; that path is not public, so nobody gets in here.
        0x0016: DataFile(b"", NEVER),
        0x0017: KeyFile(content.auth.key, opened_by=0x0018),
        0x0018: _pin(content.pins.auth, range(4, 5), AUTH_PIN_TRIES),
        0x001A: KeyFile(content.sign.key, opened_by=0x001B),
        0x001B: _pin(content.pins.sign, range(6, 17), SIGN_PIN_TRIES),
    }


def _text(content: CardContent) -> dict[int, CardFile]:
    holder = content.holder
    fields = (
        (0xDF22, holder.name.encode()),
        (0xDF23, holder.address.encode()),
        (0xDF24, f"{holder.birth_date:%Y%m%d}".encode()),
        (0xDF25, holder.sex.value.encode()),
    )
    return {
        # A virtual card has no My Number, so its file opens for nobody and its reference matches nothing.
        0x0001: DataFile(b"", NEVER),
        0x0002: DataFile(with_offsets(fields), frozenset({0x0011, 0x0015})),
        0x0003: DataFile(tlv.encode(0xFF30, tlv.encode(0xDF31, b"")), frozenset({0x0011, 0x0014, 0x0015})),
        0x0004: DataFile(tlv.encode(0x7F21, b"")),
        0x0005: DataFile(tlv.encode(0xFF40, b"")),
        0x0011: _pin(content.pins.text, range(4, 5), AUTH_PIN_TRIES),
        0x0014: _pin(None, range(12, 13), NUMBER_TRIES),
        0x0015: _pin(holder.number_b, range(14, 15), NUMBER_TRIES),
    }


def _visual(content: CardContent) -> dict[int, CardFile]:
    holder = content.holder
    birth = f"{holder.birth_date:%Y%m%d}".encode()
    if content.visual is not None:
        record, certificate = content.visual.record, content.visual.certificate
    else:
        sex, expiry = holder.sex.value.encode(), f"{holder.expires_on:%Y%m%d}".encode()
        record = with_offsets(((0xDF22, birth), (0xDF23, sex), (0xDF29, expiry)))
        certificate = tlv.encode(0x7F21, b"")
    return {
        0x0001: DataFile(tlv.encode(0xFF10, tlv.encode(0xDF11, birth)), frozenset({0x0011})),
        0x0002: DataFile(record, frozenset({0x0012, 0x0013})),
        0x0003: DataFile(tlv.encode(0xFF30, tlv.encode(0xDF31, b""))),
        0x0004: DataFile(certificate),
        0x0005: DataFile(b"", NEVER),
        0x0011: _pin(holder.birth_pin, range(6, 7), NUMBER_TRIES),
        0x0012: _pin(holder.number_b, range(14, 15), NUMBER_TRIES),
        0x0013: _pin(None, range(12, 13), NUMBER_TRIES),
    }


def _pin(secret: str | None, lengths: range, tries: int) -> PinFile:
    encoded = None if secret is None else secret.encode("ascii")
    if encoded is not None and len(encoded) not in lengths:
        raise ValueError("a PIN does not have the length its file asks for")
    return PinFile(encoded, lengths, tries, tries)


def with_offsets(fields: tuple[tuple[int, bytes], ...]) -> bytes:
    """Wrap fields as FF20; DF21 comes first and holds where in the file each of them begins, two bytes each."""
    encoded = [tlv.encode(tag, value) for tag, value in fields]
    placeholder = tlv.encode(0xDF21, bytes(2 * len(encoded)))
    body = placeholder + b"".join(encoded)
    position = len(tlv.encode(0xFF20, body)) - len(body) + len(placeholder)
    offsets = b""
    for one in encoded:
        offsets += position.to_bytes(2, "big")
        position += len(one)
    return tlv.encode(0xFF20, tlv.encode(0xDF21, offsets) + b"".join(encoded))

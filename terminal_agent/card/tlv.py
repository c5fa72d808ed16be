"""BER-TLV as the card's files use it: two-byte tags, lengths of one to three bytes (ISO/IEC 8825-1)."""

from typing import Final

from terminal_agent.card.errors import CardDataMalformed

MAX_LENGTH: Final = 0xFFFF


def encode(tag: int, value: bytes) -> bytes:
    """Return tag, length and value."""
    return tag.to_bytes(2 if tag > 0xFF else 1, "big") + _length(len(value)) + value


def header(raw: bytes) -> tuple[int, int, int]:
    """Return the tag, where the value begins, and how long it is; `raw` may end before the value does.

    Raises:
        CardDataMalformed: the header is cut off, or its length has a form no card uses.
    """
    try:
        position = 2 if raw[0] & 0x1F == 0x1F else 1
        tag = int.from_bytes(raw[:position], "big")
        first = raw[position]
        if first < 0x80:
            return tag, position + 1, first
        count = first & 0x7F
        digits = raw[position + 1 : position + 1 + count]
    except IndexError as error:
        raise CardDataMalformed from error
    if count not in (1, 2) or len(digits) != count:
        raise CardDataMalformed
    return tag, position + 1 + count, int.from_bytes(digits, "big")


def elements(raw: bytes) -> dict[int, tuple[bytes, bytes]]:
    """Return, by tag, the value and the whole TLV as it was written, of a row of TLVs.

    Raises:
        CardDataMalformed: a value is cut off, or a tag comes twice.
    """
    found: dict[int, tuple[bytes, bytes]] = {}
    while raw:
        tag, start, length = header(raw)
        end = start + length
        if len(raw) < end or tag in found:
            raise CardDataMalformed
        found[tag] = raw[start:end], raw[:end]
        raw = raw[end:]
    return found


def decode(raw: bytes) -> dict[int, bytes]:
    """Return the values of a row of TLVs by their tags.

    Raises:
        CardDataMalformed: a value is cut off, or a tag comes twice.
    """
    return {tag: value for tag, (value, _) in elements(raw).items()}


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes((count,))
    digits = count.to_bytes(1 if count <= 0xFF else 2, "big")
    return bytes((0x80 | len(digits),)) + digits

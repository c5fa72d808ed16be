"""Makes signed structures that no library would: another TBS under a good signature, unfit keys and digests."""

from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SEQUENCE: Final = 0x30
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
SHA1_WITH_RSA: Final = bytes.fromhex("300d06092a864886f70d0101050500")
SHA256_WITH_RSA: Final = bytes.fromhex("300d06092a864886f70d01010b0500")
_RSA_ENCRYPTION: Final = bytes.fromhex("300d06092a864886f70d0101010500")
_SHA256_WITHOUT_NULL: Final = bytes.fromhex("302f300b06096086480165030402010420")

Change = Callable[[list[bytes]], Sequence[bytes]]


def tlv(tag: int, content: bytes) -> bytes:
    """Encode one DER element."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def elements(der: bytes) -> list[bytes]:
    """Split what a constructed element holds into its elements, each with its header."""
    content, found = der[_header(der) :], []
    while content:
        size = _header(content) + _length(content)
        found.append(content[:size])
        content = content[size:]
    return found


def resign(
    der: bytes,
    key: rsa.RSAPrivateKey,
    change: Change = lambda parts: parts,
    *,
    algorithm: bytes = SHA256_WITH_RSA,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """Change the parts of a certificate's or a list's TBS and sign it again with the key."""
    tbs = tlv(SEQUENCE, b"".join(change(elements(elements(der)[0]))))
    signature = key.sign(tbs, padding.PKCS1v15(), hash_algorithm or hashes.SHA256())
    return tlv(SEQUENCE, tbs + algorithm + tlv(BIT_STRING, b"\x00" + signature))


def replace_part(position: int, new: bytes | None) -> Change:
    """Return a change that replaces one part of the TBS, or leaves it out."""
    return lambda parts: [*parts[:position], *([] if new is None else [new]), *parts[position + 1 :]]


def rsa_public_key_info(modulus: int, exponent: int) -> bytes:
    """Encode an RSA key, however unfit, as SubjectPublicKeyInfo."""
    key = tlv(SEQUENCE, _integer(modulus) + _integer(exponent))
    return tlv(SEQUENCE, _RSA_ENCRYPTION + tlv(BIT_STRING, b"\x00" + key))


def sign_without_null(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """Sign with a DigestInfo whose algorithm lacks its NULL parameter."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    info = _SHA256_WITHOUT_NULL + digest.finalize()
    size = key.key_size // 8
    encoded = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    numbers = key.private_numbers()
    return pow(int.from_bytes(encoded), numbers.d, numbers.public_numbers.n).to_bytes(size)


def flip(data: bytes, bit: int) -> bytes:
    """Change one bit, counted from the first byte's highest."""
    changed = bytearray(data)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)


def _integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _header(der: bytes) -> int:
    return 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)


def _length(der: bytes) -> int:
    return int.from_bytes(der[2 : _header(der)]) if der[1] & 0x80 else der[1]

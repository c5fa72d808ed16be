"""What the X.509 library says of structures it cannot read, and one thing it does not say."""

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

# It reads many parts only when asked for them, so any of these may come late.
UNREADABLE: Final = (
    CryptographyDeprecationWarning,  # what it will refuse one day, where warnings are errors
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def ends_with_signature(der: bytes, signature: bytes) -> bool:
    """Whether a signed structure ends with this signature as whole octets.

    The BIT STRING that holds it could claim unused bits: the library overlooks that, the signature does not cover it,
    and one certificate would have several encodings.
    """
    return der.endswith(b"\x00" + signature)

"""How bytes and moments travel in JSON."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema


def b64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Decode strict, unpadded base64url.

    Raises:
        ValueError: another alphabet, padding, or bits left over.
    """
    if not text.isascii() or "=" in text:
        raise ValueError("not base64url without padding")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url without padding") from error
    if b64url(data) != text:
        raise ValueError("not base64url without padding")
    return data


def _decode(value: Any) -> Any:
    return b64url_decode(value) if isinstance(value, str) else value


Bytes = Annotated[
    bytes,
    BeforeValidator(_decode),
    PlainSerializer(b64url, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]*$", "description": "base64url without padding"}),
]
Moment = Annotated[datetime, AwareDatetime]


class Wire(BaseModel):
    """A message: frozen, and nothing in it that is not written here."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

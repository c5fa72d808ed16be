"""How bytes and moments travel in JSON."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
)


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


def _to_utc(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return moment.astimezone(UTC)


FIRST_YEAR, LAST_YEAR = 1900, 2999
Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]


class Wire(BaseModel):
    """A message: frozen, nothing in it that is not written here, and no NUL in its texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _holds_no_nul(cls, value: Any) -> Any:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("text without NUL")
        return value

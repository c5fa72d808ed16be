"""How bytes and moments travel in JSON."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)


def b64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


# The alphabet of base64url as that of base64; what base64 has besides is of neither.
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/***")


def b64url_decode(text: str) -> bytes:
    """Decode strict, unpadded base64url.

    Raises:
        ValueError: another alphabet, padding, or bits left over.
    """
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD)
        data = binascii.a2b_base64(standard + b"=" * (-len(standard) % 4), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64url without padding") from error
    # Only a last group that is no full one has room for bits left over.
    if b64url(data[len(data) // 3 * 3 :]) != text[len(text) // 4 * 4 :]:
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
    """A message: frozen. Who reads an answer passes over what a newer server has added to it."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


MAX_STRAY_FIELDS: Final = 20


class Incoming(Wire):
    """A message to a server, or a part of one: nothing in it that is not written here, and no NUL in its texts.

    Answers come from where there can be none.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _holds_few_strays(cls, value: Any) -> Any:
        # Each field that is not written here is a fault of its own, and a million of them would take minutes to tell.
        if isinstance(value, dict) and len(value) > len(cls.__pydantic_fields__) + MAX_STRAY_FIELDS:
            raise ValueError("no fields but those of the message")
        return value

    @field_validator("*")
    @classmethod
    def _holds_no_nul(cls, value: Any) -> Any:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("text without NUL")
        return value

"""What a terminal is told at its start: where the centre is, who the terminal is, which reader it uses."""

import tomllib
from pathlib import Path
from typing import Final, Literal, Self

import httpx
from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from eligibility.domain.codes import ConsentClass

ENV_PREFIX: Final = "TERMINAL_"
FACE_PREFIX: Final = "TERMINAL_FACE_"  # of face.settings, which reads the same file


class TerminalSettings(BaseSettings):
    """Every field is a variable TERMINAL_… of the environment, or stands in one settings file.

    A file that ends in .toml is TOML with the fields' names as keys; any other holds NAME=value lines. What stands in
    the environment goes before what stands in the file.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, hide_input_in_errors=True, extra="ignore")

    centre_url: str = Field(description="https://host:port of the centre.")
    centre_authority: Path = Field(description="PEM: the CA of the centre's certificate.")
    certificate: Path = Field(description="PEM: this terminal's certificate.")
    key: Path = Field(description="PEM: this terminal's key.")
    reader: str | None = Field(default=None, description="Part of the reader's name; any reader without it.")
    card_wait_s: float = Field(default=30.0, ge=0, le=600)
    connect_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="To each address of the centre; its name is looked up before."
    )
    answer_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="From a request's first byte to its answer's last, and a second more for each 64 KiB of either.",
    )
    challenges: int = Field(default=4, ge=1, le=100, description="How many challenges are fetched at once.")

    outbox_file: Path | None = Field(
        default=None,
        description="Where visits are journalled, sealed, while the line is down; without it they are not.",
    )
    outbox_key_file: Path | None = Field(
        default=None, description="The outbox's key, made at its first use; without it the key is in the OS keyring."
    )
    outbox_checks_a_second: float = Field(
        default=5.0, gt=0, le=1000, description="How fast journalled visits are settled when the line is back."
    )

    screens_port: int = Field(default=8480, ge=0, le=65535, description="Where the screens listen on 127.0.0.1.")
    screens_language: Literal["ja", "en"] = Field(default="ja", description="The language each visit begins with.")
    run_folder: Path | None = Field(
        default=None, description="Where the screens' addresses of this start are written, for the browsers to open."
    )
    visual_passcode: Path | None = Field(
        default=None, description="What `passcode` wrote; without it staff cannot confirm a face by eye."
    )
    consents_asked: tuple[ConsentClass, ...] = Field(
        default=(
            ConsentClass.LIMIT_CERTIFICATE,
            ConsentClass.SPECIFIC_DISEASE,
            ConsentClass.MEDICATION,
            ConsentClass.CHECKUP,
        ),
        min_length=1,
        description="The classes the kiosk asks for, in their order.",
    )

    bridge_folder: Path | None = Field(
        default=None, description="The folder shared with the clinic's software (req, res, face, err); none without it."
    )
    bridge_poll_s: float = Field(default=0.3, gt=0, le=10, description="How often the folder is looked at.")
    bridge_encoding: Literal["utf-8", "shift_jis"] = Field(
        default="utf-8", description="Of what is laid into face/; an answer has its request's encoding."
    )
    bridge_port: int | None = Field(
        default=None, ge=0, le=65535, description="Where REST listens on 127.0.0.1; nowhere without it."
    )
    bridge_token: Path | None = Field(default=None, description="REST's token; rest.token of the state without it.")
    bridge_state: Path | None = Field(
        default=None,
        description="What the bridge remembers; eligibility-terminal in $XDG_STATE_HOME or ~/.local/state without it.",
    )

    @field_validator("centre_url")
    @classmethod
    def _can_be_called(cls, address: str) -> str:
        return centre_address(address)

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Read the environment, and below it the settings file.

        Raises:
            pydantic.ValidationError: something is missing or malformed.
            SettingsFileMalformed: the file is no TOML or cannot be read, holds names nobody asks for, or a list in it
                or in the environment is no JSON.
        """
        try:
            return cls._load(file)
        except SettingsError as error:  # its words name a field, and nothing of its value
            names = (f"{ENV_PREFIX}{name.upper()}" for name in cls.model_fields if f'"{name}"' in str(error))
            raise SettingsFileMalformed(", ".join(names)) from error

    @classmethod
    def _load(cls, file: Path | None) -> Self:
        if file is None:
            return cls()
        if file.suffix != ".toml":
            if unknown := [name for name in misspelt(cls, file) if not name.startswith(FACE_PREFIX)]:
                raise SettingsFileMalformed(", ".join(unknown))
            return cls(_env_file=file)
        try:
            stated = tomllib.loads(file.read_text(encoding="utf-8"))
            stated.pop("face", None)  # a table of its own, for face.settings
        except (OSError, ValueError) as error:  # a TOMLDecodeError is a ValueError
            raise SettingsFileMalformed(file.name) from error
        if unknown := sorted(stated.keys() - cls.model_fields.keys()):
            raise SettingsFileMalformed(", ".join(unknown))
        return cls(**(stated | EnvSettingsSource(cls)()))


class SettingsFileMalformed(Exception):
    """The settings cannot be used; the argument names what of them."""


def misspelt(kind: type[BaseSettings], file: Path) -> list[str]:
    """Return the names in a file of NAME=value lines that begin as these settings' do, and are none of them.

    Raises:
        SettingsFileMalformed: it cannot be read, or is no text.
    """
    prefix = str(kind.model_config["env_prefix"])
    try:
        stated = DotEnvSettingsSource(kind, env_file=file).env_vars
    except (OSError, ValueError) as error:
        raise SettingsFileMalformed(file.name) from error
    known = {f"{prefix}{name.upper()}" for name in kind.model_fields}
    return sorted(name for name in map(str.upper, stated) if name.startswith(prefix) and name not in known)


def centre_address(text: str) -> str:
    """Return the address of a centre unchanged.

    Raises:
        ValueError: nobody can be called by it, or not over TLS.
    """
    try:
        url = httpx.URL(text)
        url.raw_host.decode().encode("idna")  # as the name is looked up: no part of it empty, or longer than 63
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("https://host:port") from error
    wrong_port = url.port is not None and not 0 < url.port < 65536
    if url.scheme != "https" or not url.host or wrong_port or any(sign in text for sign in "?#@"):
        raise ValueError("https://host:port")
    return text

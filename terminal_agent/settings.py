"""What a terminal is told at its start: where the centre is, who the terminal is, which reader it uses."""

from pathlib import Path
from typing import Final, Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX: Final = "TERMINAL_"


class TerminalSettings(BaseSettings):
    """Every field is a variable TERMINAL_…, of the environment or of one settings file of NAME=value lines."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, hide_input_in_errors=True, extra="ignore")

    centre_url: str = Field(pattern=r"^https://", description="https://host:port of the centre.")
    centre_authority: Path = Field(description="PEM: the CA of the centre's certificate.")
    certificate: Path = Field(description="PEM: this terminal's certificate.")
    key: Path = Field(description="PEM: this terminal's key.")
    reader: str | None = Field(default=None, description="Part of the reader's name; any reader without it.")
    card_wait_s: float = Field(default=30.0, ge=0, le=600)
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60)
    answer_timeout_s: float = Field(default=10.0, gt=0, le=120)
    challenges: int = Field(default=4, ge=1, le=100, description="How many challenges are fetched at once.")

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Read the environment, and below it the settings file.

        Raises:
            pydantic.ValidationError: something is missing or malformed.
        """
        return cls(_env_file=file)

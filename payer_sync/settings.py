"""What `python -m payer_sync intake` and the operator's commands are told: environment variables INTAKE_…."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_GIB = 1024**3


class IntakeSettings(BaseSettings):
    """Settings of the intake; nothing here has a default that is a secret."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(min_length=1)
    spool_folder: Path = Field(
        description="Where uploads are kept until they are merged; every intake process sees it, and none of others."
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8444, ge=0, le=65535)
    pool_size: int = Field(default=4, ge=1, le=50)
    tls_certificate: Path
    tls_key: Path
    insurer_authorities: Path = Field(description="PEM: the CAs of insurers' certificates.")
    max_content_length: int = Field(default=16 * _GIB, ge=1, description="Of one file, in bytes.")
    practice: bool = Field(
        default=False, description="Whether this is a practice environment: the next editions of layouts are taken."
    )
    upload_stopped_after_s: int = Field(
        default=600, ge=1, le=86400, description="How long an insurer's later files wait for one that has stopped."
    )
    abandoned_after_days: int = Field(
        default=14, ge=1, le=365, description="An upload that has stopped for so long is refused, its bytes deleted."
    )
    loads_at_once: int = Field(
        default=2, ge=1, le=16, description="Files of different insurers merged at the same time."
    )


class OperatorSettings(BaseSettings):
    """Settings of the commands an operator runs beside the intake."""

    model_config = SettingsConfigDict(env_prefix="INTAKE_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(min_length=1)

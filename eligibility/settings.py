"""What a process of the centre is told at its start; nothing here has a working default that is a secret."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Where PostgreSQL is."""

    model_config = SettingsConfigDict(env_prefix="ELIGIBILITY_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(min_length=1)


class LaneSettings(StoreSettings):
    """What the API promises of bulk checks, and the worker keeps."""

    bulk_results_hours: float = Field(default=24, gt=0, le=24 * 31, description="How long results are kept.")


class WorkerSettings(LaneSettings):
    """`python -m eligibility worker`; every field is an environment variable ELIGIBILITY_…."""

    worker_pool_size: int = Field(default=2, ge=2, le=20)
    worker_look_s: float = Field(default=0.5, gt=0, description="How often work is looked for while there is none.")
    bulk_misses_a_day: int = Field(
        default=1000, ge=1, description="Numbers of bulk checks that named nobody, for one institution in 24 hours."
    )
    kept_answer_days: float = Field(default=7, ge=1, description="How long an idempotency key is honoured.")
    clear_every_s: float = Field(default=600, gt=0)


class StaffSettings(StoreSettings):
    """`python -m eligibility enrol-staff`: also the key that seals staff's passcode secrets."""

    staff_key_file: Path


class ApiSettings(LaneSettings):
    """`python -m eligibility api`; every field is an environment variable ELIGIBILITY_….

    Redis holds only rate budgets here; without it everything still answers.
    """

    redis_url: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8443, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256, description="Processes that answer on the one port, a core each.")
    most_at_once: int = Field(
        default=384, ge=1, description="Requests in work in each process; those beyond are turned away with 503."
    )
    pool_size: int = Field(default=8, ge=1, le=200, description="Connections to PostgreSQL of each process.")
    tls_certificate: Path
    tls_key: Path
    terminal_authorities: Path = Field(description="PEM: the CAs of terminals' certificates.")
    card_authorities: Path = Field(description="Folder of PEM: the pinned generations of the user-authentication CA.")
    revocation_folder: Path = Field(description="Folder of *.crl, one for each generation, kept fresh by the operator.")
    challenge_key_file: Path = Field(description="32 random bytes, or up to four such secrets, newest first.")
    receipt_key_file: Path = Field(description="PEM: the EC P-256 key that signs receipts.")
    terminal_authority_certificate: Path | None = Field(
        default=None, description="PEM: the CA that signs enrolling terminals; without it this process enrols none."
    )
    terminal_authority_key: Path | None = Field(
        default=None, validate_default=True, description="PEM: its EC or RSA key."
    )
    terminal_certificate_days: int = Field(default=365, ge=1, le=825)
    enrolments_a_minute: int = Field(default=10, ge=1, description="Tries from one address, in each process.")
    receipt_issuer: str = "urn:eligibility:centre"
    staff_key_file: Path | None = Field(
        default=None,
        description="32 random bytes, or up to four such secrets, newest first; seals staff's passcode"
        " secrets. Without it nobody of staff can sign in.",
    )
    number_checks_a_minute: int = Field(default=600, ge=1, description="By insured number, for one terminal.")
    open_bulks: int = Field(default=4, ge=1, description="Bulk checks of one institution that may be open at once.")
    misses_a_minute: int = Field(
        default=30,
        ge=1,
        description="Insured numbers that named nobody, for one terminal; so many it may also ask at once.",
    )
    terminal_fresh_s: float = Field(default=5.0, ge=0, description="How long a terminal's standing may be remembered.")
    revocation_refresh_s: float = Field(default=60.0, gt=0)

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        # What its client says of another form can hold a piece of the password; a sign in one can make another host.
        if url is not None and not _names_a_redis(url.get_secret_value()):
            raise ValueError("is not redis://:PASSWORD@HOST:PORT/NUMBER, with %XX for signs in them")
        return url

    @field_validator("terminal_authority_key")
    @classmethod
    def _goes_with_the_certificate(cls, key: Path | None, others: ValidationInfo) -> Path | None:
        if (key is None) != (others.data["terminal_authority_certificate"] is None):
            raise ValueError("goes with ELIGIBILITY_TERMINAL_AUTHORITY_CERTIFICATE: both are given, or neither")
        return key


def _names_a_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        place = parts.path if parts.scheme == "unix" else parts.hostname
        return parts.scheme in {"redis", "rediss", "unix"} and bool(place) and not parts.fragment and parts.port != 0
    except ValueError:
        return False

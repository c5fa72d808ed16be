"""A centre's installation in one folder: keys, certificates, revocation lists, and the settings that name them."""

import shutil
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

from eligibility.__main__ import main as centre_command
from loadtest.embedded import Stores
from loadtest.pki import Enrolment, Jpki


def make_keys(folder: Path, now: datetime) -> tuple[Jpki, Enrolment]:
    """Make the authorities of cards and of participants, the server's certificate, and the centre's own keys.

    The folder `keys` comes last, and whole: where it is, nothing is missing.

    Raises:
        OSError: the centre's own keys could not be made, or are there already.
    """
    jpki, enrolment = Jpki.create(now), Enrolment.create(now)
    jpki.save(folder / "jpki")
    enrolment.save(folder / "pki")
    enrolment.server(now).write(folder / "pki", "server")
    (folder / "card_authorities").mkdir(exist_ok=True)
    for number, authority in enumerate(jpki.auth):
        (folder / "card_authorities" / f"{number}.pem").write_bytes(authority.pem)
    fresh = folder / "keys.new"
    shutil.rmtree(fresh, ignore_errors=True)
    with redirect_stdout(StringIO()):  # which files it made
        if centre_command(["make-keys", str(fresh)]):
            raise OSError(f"the centre's own keys could not be made in {fresh}")
    fresh.rename(folder / "keys")
    return jpki, enrolment


def api_settings(folder: Path, database: str, running: Stores) -> Mapping[str, str]:
    """Return the settings of `python -m eligibility api`, on a free port."""
    return {
        "ELIGIBILITY_DATABASE_URL": database,
        "ELIGIBILITY_REDIS_URL": running.redis_url,
        "ELIGIBILITY_PORT": "0",
        "ELIGIBILITY_TLS_CERTIFICATE": str(folder / "pki" / "server.crt"),
        "ELIGIBILITY_TLS_KEY": str(folder / "pki" / "server.key"),
        "ELIGIBILITY_TERMINAL_AUTHORITIES": str(folder / "pki" / "terminal_authority.crt"),
        "ELIGIBILITY_CARD_AUTHORITIES": str(folder / "card_authorities"),
        "ELIGIBILITY_REVOCATION_FOLDER": str(folder / "crl"),
        "ELIGIBILITY_CHALLENGE_KEY_FILE": str(folder / "keys" / "challenge.key"),
        "ELIGIBILITY_RECEIPT_KEY_FILE": str(folder / "keys" / "receipt.key"),
        "ELIGIBILITY_STAFF_KEY_FILE": str(folder / "keys" / "staff.key"),
    }


def intake_settings(folder: Path, database: str) -> Mapping[str, str]:
    """Return the settings of `python -m payer_sync intake`, on a free port."""
    return {
        "INTAKE_DATABASE_URL": database,
        "INTAKE_SPOOL_FOLDER": str(folder / "spool"),
        "INTAKE_PORT": "0",
        "INTAKE_TLS_CERTIFICATE": str(folder / "pki" / "server.crt"),
        "INTAKE_TLS_KEY": str(folder / "pki" / "server.key"),
        "INTAKE_INSURER_AUTHORITIES": str(folder / "pki" / "insurer_authority.crt"),
    }


def publish_revocation(folder: Path, jpki: Jpki) -> None:
    """Write fresh, empty revocation lists, so that cards can be judged today."""
    now = datetime.now(UTC)
    (folder / "crl").mkdir(exist_ok=True)
    for number, authority in enumerate(jpki.auth):
        fresh = folder / "crl" / f"{number}.new"
        fresh.write_bytes(authority.crl({}, now, now + timedelta(days=1)))
        fresh.rename(fresh.with_suffix(".crl"))

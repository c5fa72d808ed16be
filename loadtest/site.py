"""A centre with a nation in it that stays on disk, so that it is filled once and measured often."""

import asyncio
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import asyncpg
import numpy as np
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from numpy.typing import NDArray

from loadtest.embedded import Stores, create_database, database_url, stores
from loadtest.installation import api_settings, intake_settings, make_keys, publish_revocation
from loadtest.nation.draws import Draws, Ints
from loadtest.pki import Enrolment, Jpki

CARD_KEYS: Final = 8  # private keys that all made-up cards share
_DATABASE: Final = "eligibility_load"


class SiteTaken(OSError):
    """Another process has the site."""


def default_folder(persons: int) -> Path:
    """Return where a site of this size is kept: outside the project, where PostgreSQL's own user can reach it."""
    return Path("/var/tmp") / f"eligibility-load-{os.getuid()}" / f"{persons}"  # noqa: S108 (it is to outlive a restart)


@dataclass(frozen=True, slots=True)
class Site:
    """Folder, stores and keys of a centre that is measured."""

    folder: Path
    stores: Stores
    jpki: Jpki
    enrolment: Enrolment
    card_keys: tuple[rsa.RSAPrivateKey, ...]

    @property
    def database(self) -> str:
        """The address of its database, as the schema's owner."""
        return database_url(self.stores.database_url, _DATABASE)

    @classmethod
    def load(cls, folder: Path, running: Stores) -> Self:
        """Read the keys of a site whose stores are running."""
        keys = [load_pem_private_key(p.read_bytes(), None) for p in sorted((folder / "card_keys").glob("*.pem"))]
        return cls(
            folder,
            running,
            Jpki.load(folder / "jpki"),
            Enrolment.load(folder / "pki"),
            tuple(key for key in keys if isinstance(key, rsa.RSAPrivateKey)),
        )

    def terminal_certificate(self, number: int) -> tuple[Path, Path]:
        """Return the files of a terminal's certificate and key."""
        path = self.folder / "terminals" / f"{number:04}.crt"
        return path, path.with_suffix(".key")

    def api_environment(self, workers: int) -> Mapping[str, str]:
        """Return the settings of `python -m eligibility api` here; no budget stands in the way of one loud terminal."""
        return {
            **api_settings(self.folder, self.database, self.stores),
            "ELIGIBILITY_WORKERS": str(workers),
            "ELIGIBILITY_NUMBER_CHECKS_A_MINUTE": "1000000",
            "ELIGIBILITY_MISSES_A_MINUTE": "1000000",
        }

    def intake_environment(self) -> Mapping[str, str]:
        """Return the settings of `python -m payer_sync intake` here."""
        return intake_settings(self.folder, self.database)


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """Start a site's stores, make what it still lacks of keys and database, and publish fresh revocation lists.

    A site is one process's at a time: two would write into one log, and measure each other.

    Raises:
        SiteTaken: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder / "taken"), stores(_data_folder(folder)) as running:
        if not is_written(folder / "keys" / "staff.key"):
            _clear(folder, running)
            _make_card_keys(folder)
            make_keys(folder, datetime.now(UTC))
        site = Site.load(folder, running)
        publish_revocation(folder, site.jpki)
        yield site


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise SiteTaken(f"{path.parent} is in use by process {file.read().strip() or '?'}") from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


async def make_database(site: Site) -> None:
    """Make the site's database unless it is there."""
    administrator = await asyncpg.connect(site.stores.database_url)
    try:
        if not await administrator.fetchval("select 1 from pg_database where datname = $1", _DATABASE):
            await create_database(administrator, _DATABASE)
    finally:
        await administrator.close()


def is_written(file: Path) -> bool:
    """Return whether a file is there, and not empty as a process that was killed may have left it."""
    return file.exists() and file.stat().st_size > 0


def card_serials(seed: int, person_ids: Ints) -> NDArray[np.uint64]:
    """Return the serial numbers of persons' cards: eight bytes each that follow from the seed."""
    return Draws(seed).bits("card serial", person_ids) >> np.uint64(2) | np.uint64(1 << 62)


def terminal_id(seed: int, number: int) -> UUID:
    """Return a terminal's identifier, which follows from the seed."""
    return UUID(bytes=hashlib.sha256(f"terminal {seed} {number}".encode("ascii")).digest()[:16], version=4)


def _data_folder(folder: Path) -> Path:
    # PostgreSQL's own user must be able to reach its data, and the path may have no space in it.
    if " " in str(folder.resolve()):
        raise NotADirectoryError(f"PostgreSQL cannot keep its data below a path with a space: {folder}")
    for parent in (folder, *folder.parents):
        if not parent.stat().st_mode & 0o001 and os.getuid() == 0:
            raise PermissionError(f"PostgreSQL's own user cannot enter {parent}")
        if parent == Path(tempfile.gettempdir()):
            break
    return folder / "stores"


def _clear(folder: Path, running: Stores) -> None:
    # Certificates, and a register that knows cards by their authority, are nothing without the keys they were made by.
    for pattern in ("keys/*.key", "terminals/*.key", "deck-*.json"):
        for file in folder.glob(pattern):
            file.unlink()
    if running.embedded:  # another server may hold the database of another site
        asyncio.run(_drop_database(running))


async def _drop_database(running: Stores) -> None:
    administrator = await asyncpg.connect(running.database_url)
    try:
        await administrator.execute(f"drop database if exists {_DATABASE} with (force)")
    finally:
        await administrator.close()


def _make_card_keys(folder: Path) -> None:
    (folder / "card_keys").mkdir(exist_ok=True)
    for number in range(CARD_KEYS):
        key = rsa.generate_private_key(65537, 2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "card_keys" / f"{number}.pem").write_bytes(pem)

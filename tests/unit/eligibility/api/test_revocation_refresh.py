"""Revocation lists are read again for as long as the process lives, whatever goes wrong at times."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from eligibility.api.app import _keep_revocation_fresh
from eligibility.identity.revocation import RevocationDirectory
from eligibility.identity.trust import TrustStore
from loadtest.pki import Jpki
from tests.vectors.generate import NOW

DEADLINE_S = 120.0


@contextmanager
def _no_more_files() -> Iterator[None]:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


async def test_a_folder_that_could_not_be_listed_for_a_while_is_read_again(tmp_path: Path) -> None:
    jpki = Jpki.create(NOW)
    authority = jpki.auth[-1]
    revocation = RevocationDirectory(tmp_path, TrustStore.from_pem(authority.pem))
    (tmp_path / "list.crl").write_bytes(authority.crl({}, NOW, NOW + timedelta(hours=1)))
    begun, tried_twice = 0, asyncio.Event()

    def now() -> datetime:
        nonlocal begun
        begun += 1
        if begun > 2:
            tried_twice.set()
        return NOW

    with _no_more_files():
        refreshing = asyncio.create_task(_keep_revocation_fresh(revocation, 0.001, now))
        waiting = asyncio.create_task(tried_twice.wait())
        await asyncio.wait({refreshing, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE_S)
        assert revocation.stale_issuers(NOW) == (authority.key_id,)
        assert not refreshing.done()
    async with asyncio.timeout(DEADLINE_S):
        while revocation.stale_issuers(NOW):  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.001)
    refreshing.cancel()
    await asyncio.gather(refreshing, return_exceptions=True)

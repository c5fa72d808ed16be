"""Whatever files come, repeated or corrected, through however many loaders: the register is as if each came alone."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eligibility.domain.identifiers import InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.wire.submissions import SubmissionKind
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import announce, waiting_submissions
from tests.holders import holders_not_found

pytestmark = pytest.mark.database

_insurers = itertools.count(1)
LOST_ON = date(2026, 10, 1)
LOSS = {"レコード種別": "2", "資格喪失日": "20261001", "喪失事由": "03"}
# One statement about one of three numbers: an address, a loss, or a cancellation.
STATEMENT = st.sampled_from(["東京都", "大阪府", "札幌市", "loss", "cancellation"])
FILES = st.lists(st.dictionaries(st.integers(1, 3), STATEMENT, min_size=1), min_size=1, max_size=5)
State = dict[int, tuple[str, date | None]]


def _after(files: list[dict[int, str]]) -> State:
    """The model: one file after the other; the same one again, with another between, is a new statement."""
    state: State = {}
    last: dict[int, str] = {}
    for file in files:
        if file == last:
            continue
        last = file
        for number, said in file.items():
            if said == "cancellation":
                state.pop(number, None)
            elif said != "loss":
                state[number] = (said, None)
            elif number in state:
                state[number] = (state[number][0], LOST_ON)
    return state


@given(files=FILES, loaders=st.integers(1, 3))
@example(files=[{2: "大阪府"}, {2: "東京都"}, {2: "大阪府"}], loaders=1)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_register_is_what_the_files_say_one_after_the_other(
    database: str,
    record: Callable[..., dict[str, str]],
    write: Callable[..., Path],
    files: list[dict[int, str]],
    loaders: int,
) -> None:
    insurer = InsurerNumber(f"06{next(_insurers):06}")

    def line(number: int, said: str) -> dict[str, str]:
        what = {"loss": LOSS, "cancellation": {"レコード種別": "3"}}.get(said, {"住所": said})
        linkage = f"LK-{insurer.digits}-{number}"
        return record(number, 保険者番号=insurer.digits, 紐付番号=linkage, **what)

    paths = [write(*(line(number, file[number]) for number in sorted(file))) for file in files]

    assert asyncio.run(_load_all(database, insurer, paths, loaders)) == _after(files)


async def _load_all(database: str, insurer: InsurerNumber, paths: list[Path], loaders: int) -> State:
    owner = await connect(database)
    try:
        await enrol_insurer(owner, insurer, "x", datetime.now(UTC))
        spool = {}
        for path in paths:
            manifest, now = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1), datetime.now(UTC)
            submission, _ = await announce(owner, uuid7(now), insurer, manifest, now)
            await owner.execute(
                "update submission set state = 'received' where submission_id = $1 and state = 'receiving'",
                submission.submission_id,
            )
            spool[submission.submission_id] = path
        await asyncio.gather(*(_drain(database, insurer, spool) for _ in range(loaders)))
        rows = await owner.fetch(
            "select number::int, address, lost_on from coverage where insurer_number = $1 and known_to = 'infinity'",
            insurer.digits,
        )
        overlapping = await owner.fetchval(
            "select exists (select from coverage a join coverage b using (coverage_id)"
            " where a.known_from < b.known_from and b.known_from < a.known_to)"
        )
        not_found = await holders_not_found(owner)
    finally:
        await owner.close()
    assert (overlapping, not_found) == (False, [])
    return {row["number"]: (row["address"], row["lost_on"]) for row in rows}


async def _drain(database: str, insurer: InsurerNumber, spool: dict[Any, Path]) -> None:
    connection = await connect(database)
    try:
        while own := [
            filed for filed in await waiting_submissions(connection, timedelta()) if filed.insurer == insurer
        ]:
            await load(database, own[0], spool[own[0].submission.submission_id])
    finally:
        await connection.close()

"""Editions at the intake: which are taken, and that what a later edition adds is kept through every change."""

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eligibility.wire.submissions import SubmissionKind, SubmissionState
from payer_sync.layouts.register import EditionState, edition_state, find_layout
from payer_sync.manifest import build_manifest
from payer_sync.push import Credentials, Intake, Pushed, PushFailed, push

pytestmark = [
    pytest.mark.database,
    pytest.mark.skipif(
        edition_state(find_layout("eligibility", 2), date.today()) is not EditionState.BETA,  # noqa: DTZ011
        reason="edition 2 is in force: the next beta takes its place in these tests",
    ),
]
LAYOUT = find_layout("eligibility", 2)
FURTHER = {
    "通称名・その他氏名": 'スミス　"J"',
    "性別(券面)": "１",
    "資格確認書交付区分": "0",
    "マイナンバーカード保有区分": "1",
}
KEPT = {"other_name": 'スミス　"J"', "sex_on_card": "1", "confirmation_document": "0", "card_held": "1"}
LOSS = {"レコード種別": "2", "資格喪失日": "20261001", "喪失事由": "03"}
CURRENT = "select further from coverage where known_to = 'infinity' order by number"


@pytest.fixture
def second(tmp_path: Path, record: Any) -> Callable[..., Path]:
    """Write records of edition 2."""
    numbers = iter(range(100))

    def make(*people: dict[str, str]) -> Path:
        path = tmp_path / f"second-{next(numbers)}.csv"
        filled = (dict.fromkeys(LAYOUT.column_names, "") | person for person in people)
        rows = (['"' + value.replace('"', '""') + '"' for value in one.values()] for one in filled)
        lines = [",".join(LAYOUT.column_names), *(",".join(row) for row in rows)]
        path.write_bytes(("\r\n".join(lines) + "\r\n").encode("cp932"))
        return path

    return make


async def test_what_edition_2_adds_is_kept_corrected_and_dropped(
    take_in: Any, second: Any, record: Any, owner: Any
) -> None:
    async def run(*people: dict[str, str]) -> Any:
        return await take_in(second(*people), stated={"edition": 2})

    assert (await run(record(1, **FURTHER), record(2))).counts == (2, 0, 2, 0)
    first, other = [row["further"] for row in await owner.fetch(CURRENT)]
    assert (first, other) == (KEPT, None)

    assert (await run(record(1, **FURTHER))).counts == (1, 0, 0, 1)
    assert (await run(record(1, **(FURTHER | {"マイナンバーカード保有区分": "2"})))).counts == (1, 0, 1, 0)
    assert (await owner.fetch(CURRENT))[0]["further"] == KEPT | {"card_held": "2"}

    assert (await run(record(1, **LOSS))).counts == (1, 0, 1, 0)
    assert (await owner.fetch(CURRENT))[0]["further"]["card_held"] == "2"

    assert (await run(record(1))).counts == (1, 0, 1, 0)
    assert [row["further"] for row in await owner.fetch(CURRENT)] == [None, None]
    assert await owner.fetchval("select count(*) from coverage where further is not null") == 3


async def test_a_column_that_a_later_edition_adds_has_its_gate(
    take_in: Any, write: Any, second: Any, record: Any
) -> None:
    people = [record(n, **FURTHER) for n in range(1, 11)]
    await take_in(second(*people), stated={"edition": 2})
    emptied = [person | {"マイナンバーカード保有区分": ""} if n < 3 else person for n, person in enumerate(people)]

    held = await take_in(second(*emptied), stated={"edition": 2})

    assert [(f["code"], f["field"]) for f in held.faults] == [("held_column_empty", "マイナンバーカード保有区分")]
    # An edition that does not have the column says that nothing further is known.
    assert (await take_in(write(*(record(n) for n in range(1, 11))))).submission.state == "merged"


async def test_an_edition_that_adds_nothing_to_a_record_changes_nothing(
    take_in: Any, write: Any, second: Any, record: Any
) -> None:
    await take_in(write(record(1), record(2)))

    assert (await take_in(second(record(1), record(2)), stated={"edition": 2})).counts == (2, 0, 0, 2)


async def test_records_that_disagree_in_what_was_added_are_refused(take_in: Any, second: Any, record: Any) -> None:
    loaded = await take_in(second(record(1, **FURTHER), record(1)), stated={"edition": 2})

    assert loaded.codes == [(1, "contradicts"), (2, "contradicts")]


async def _send(url: str, credentials: Credentials, path: Path) -> Pushed:
    def work() -> Pushed:
        with Intake(url, credentials.context()) as connection:
            return push(connection, path, build_manifest(path, SubmissionKind.DELTA, "eligibility", 2), lambda _: None)

    return await asyncio.to_thread(work)


async def test_the_next_edition_is_refused_with_the_day_from_which_it_is_taken(
    intake: Any, credentials: Any, second: Any, record: Any, owner: Any
) -> None:
    with pytest.raises(PushFailed) as failed:
        await _send(intake.url, credentials("06130512"), second(record(1)))

    assert "edition_not_yet" in failed.value.ja
    assert str(LAYOUT.accepted_from) in failed.value.ja
    assert await owner.fetchval("select count(*) from submission") == 0
    assert await owner.fetchval("select count(*) from audit_event where code = 'edition_not_yet'") == 1


@pytest.fixture
def practice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_PRACTICE", "true")


@pytest.mark.usefixtures("practice")
async def test_the_next_edition_is_taken_by_a_practice_environment(
    intake: Any, credentials: Any, second: Any, record: Any
) -> None:
    pushed = await _send(intake.url, credentials("06130512"), second(record(1, **FURTHER)))

    assert (pushed.submission.state, pushed.submission.merged) == (SubmissionState.MERGED, 1)

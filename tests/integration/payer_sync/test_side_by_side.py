"""Files of different insurers loaded at the same time: what the other has just stated is seen before it is too late."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from eligibility.domain.identifiers import InstitutionCode, InsuredNumber, InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_insurer
from eligibility.storage.lookups import NumberAsked, matches_of, rows_of_numbers
from eligibility.wire.submissions import SubmissionKind, SubmissionState
from payer_sync.cases import Decided, release
from payer_sync.gates import DecisionRefused
from payer_sync.loading import load
from payer_sync.manifest import build_manifest
from payer_sync.submission import Filed, announce
from tests.integration.waiting import until_waiting

pytestmark = pytest.mark.database

FIRST, SECOND, THIRD = "06130512", "33120015", "39131156"
SOMEBODY = {"氏名": "佐藤　太郎", "氏名カナ": "ｻﾄｳ ﾀﾛｳ", "生年月日": "3420303", "性別": "1"}
MARRIED = {"氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ"}
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401", "限度額有効終了日": ""}
ENDED = {"資格喪失日": "20250401", "喪失事由": "03"}
LATER = {"資格取得日": "20250401"}
CURRENT = """
select p.linkage_code, c.insurer_number, c.name from coverage c join person p using (person_id)
where c.known_to = 'infinity' order by p.linkage_code, c.insurer_number
"""
CASES = "select insurer_number, kind, state from mislink_case order by case_id"
Work = Callable[[], Awaitable[Any]]


class Beside:
    """Loads files, one of them up to its last statements while something else happens."""

    def __init__(self, database: str, owner: Any) -> None:
        self._database = database
        self._owner = owner

    async def filed(self, path: Path, insurer: str) -> tuple[Filed, Path]:
        """Announce a file."""
        number, now = InsurerNumber(insurer), datetime.now(UTC)
        manifest = build_manifest(path, SubmissionKind.DELTA, "eligibility", 1)
        submission, _ = await announce(self._owner, uuid7(now), number, manifest, now)
        return Filed(number, submission), path

    async def load(self, file: tuple[Filed, Path]) -> SubmissionState:
        """Load a file to its end."""
        return await load(self._database, *file)

    async def codes(self, file: tuple[Filed, Path]) -> list[tuple[int | None, str]]:
        """Return record and code of each of a file's faults."""
        rows = await self._owner.fetch(
            "select record_number, code from feedback where submission_id = $1 order by fault_number",
            file[0].submission.submission_id,
        )
        return [tuple(row) for row in rows]

    async def counts(self, file: tuple[Filed, Path]) -> tuple[int, ...]:
        """Return a file's records, and how many of them were refused and merged."""
        row = await self._owner.fetchrow(
            "select records, refused, merged from submission where submission_id = $1",
            file[0].submission.submission_id,
        )
        return tuple(row)

    async def held(self, file: tuple[Filed, Path], meanwhile: Work) -> None:
        """Load a file; when it has stated all that it states, and not committed it, let something else happen."""
        assert await self.held_at_end(file[0].insurer.digits, self.load(file), meanwhile) is SubmissionState.MERGED

    async def held_at_end(self, insurer: str, merging: Coroutine[Any, Any, Any], meanwhile: Work) -> Any:
        """Do the same with any merge of an insurer; return what it comes to."""
        holder = await connect(self._database)
        try:
            async with holder.transaction():
                # Near a merge's end it notes in its insurer's row what its data are as of.
                await holder.execute("select from insurer where insurer_number = $1 for no key update", insurer)
                held = asyncio.create_task(merging)
                await until_waiting(self._owner, 1)
                await meanwhile()
                assert not held.done()
            return await held
        finally:
            await holder.close()


@pytest.fixture
async def beside(database: str, owner: Any, insurers: tuple[str, ...]) -> Beside:
    """What loads files side by side, for three insurers."""
    await enrol_insurer(owner, InsurerNumber(THIRD), "x", datetime.now(UTC))
    return Beside(database, owner)


async def _rows(owner: Any, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await owner.fetch(query)]


def _decided() -> Decided:
    return Decided("operator", "telephoned", datetime.now(UTC))


@pytest.mark.parametrize(
    ("other", "code", "kind"),
    [
        (SOMEBODY, "mislink_suspected", "mismatch"),
        (MARRIED, "mislink_review", "review"),
        ({"性別": "1"}, "mislink_suspected", "mismatch"),
    ],
)
async def test_a_first_file_does_not_pass_over_what_was_merged_while_it_was_loaded(
    beside: Beside, write: Any, record: Any, owner: Any, other: dict[str, str], code: str, kind: str
) -> None:
    one = await beside.filed(write(record(1, **LIMIT), record(2), record(3, 性別="8")), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **other), record(9, 保険者番号=SECOND)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    assert [row[:2] for row in await _rows(owner, CURRENT)] == [
        ("LK-00000001", SECOND), ("LK-00000002", FIRST), ("LK-00000009", SECOND)
    ]  # fmt: skip
    assert await _rows(owner, CASES) == [(FIRST, kind, "open")]
    assert await beside.codes(one) == [(3, "unknown_code"), (1, code)]
    assert (await beside.counts(one), await beside.counts(two)) == ((3, 2, 1), (2, 0, 2))
    assert await owner.fetchval("select count(*) from limit_certificate where known_to = 'infinity'") == 0
    assert await owner.fetchval("select stated ->> 'limit_class' from quarantined_record") == "01"
    # The other insurer is told with its next file.
    next_file = await beside.filed(write(record(9, 保険者番号=SECOND, 住所="x")), SECOND)
    await beside.load(next_file)
    assert await beside.codes(next_file) == [(None, "mislink_elsewhere")]


@pytest.mark.parametrize("registered", [False, True])
async def test_of_two_that_state_a_person_known_by_name_only_the_later_is_compared(
    beside: Beside, write: Any, record: Any, owner: Any, registered: bool
) -> None:
    if registered:  # then both files are deltas
        for insurer in (FIRST, SECOND):
            await beside.load(await beside.filed(write(record(8, 保険者番号=insurer, **ENDED)), insurer))
    await owner.execute("insert into person (linkage_code) values ('LK-00000001')")  # a load that died left it
    one = await beside.filed(write(record(1), record(2)), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **SOMEBODY)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    assert (1, "mislink_suspected") in await beside.codes(one)
    assert await _rows(owner, CASES) == [(FIRST, "mismatch", "open")]
    current = [row for row in await _rows(owner, CURRENT) if row[0] == "LK-00000001"]
    assert current == [("LK-00000001", SECOND, "佐藤　太郎")]


async def test_of_two_that_add_one_person_the_later_is_compared(
    beside: Beside, write: Any, record: Any, owner: Any, database: str
) -> None:
    for insurer in (FIRST, SECOND):
        await beside.load(await beside.filed(write(record(8, 保険者番号=insurer, **ENDED)), insurer))
    one = await beside.filed(write(record(1)), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **SOMEBODY), record(2, 保険者番号=SECOND)), SECOND)
    later: list[asyncio.Task[SubmissionState]] = []

    async def begin() -> None:
        later.append(asyncio.create_task(beside.load(two)))
        await until_waiting(owner, 2)

    await beside.held(one, begin)
    assert await later[0] is SubmissionState.MERGED

    assert await beside.codes(two) == [(1, "mislink_suspected")]
    assert await _rows(owner, CASES) == [(SECOND, "mismatch", "open")]


async def test_what_was_compared_with_a_statement_that_went_is_compared_with_the_one_that_came(
    beside: Beside, write: Any, record: Any, owner: Any
) -> None:
    third = record(1, 保険者番号=THIRD, 資格取得日="20200401", **ENDED)
    await beside.load(await beside.filed(write(third), THIRD))
    await beside.load(await beside.filed(write(record(8)), FIRST))
    one = await beside.filed(write(record(1, **LATER)), FIRST)
    gone = await beside.filed(write(third | {"レコード種別": "3"}), THIRD)
    came = await beside.filed(write(record(1, 保険者番号=SECOND, **SOMEBODY)), SECOND)

    async def meanwhile() -> None:
        await beside.load(gone)
        await beside.load(came)

    await beside.held(one, meanwhile)

    assert await beside.codes(one) == [(1, "mislink_suspected")]
    assert [row[:2] for row in await _rows(owner, CURRENT)] == [("LK-00000001", SECOND), ("LK-00000008", FIRST)]


async def test_days_that_two_cover_at_the_same_moment_are_told_to_both(
    beside: Beside, write: Any, record: Any, owner: Any
) -> None:
    one = await beside.filed(write(record(1), record(2)), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    assert await beside.codes(one) == [(1, "covered_elsewhere")]
    assert await beside.counts(one) == (2, 0, 2)
    assert len(await _rows(owner, CURRENT)) == 3
    next_file = await beside.filed(write(record(1, 保険者番号=SECOND, 住所="x")), SECOND)
    await beside.load(next_file)
    assert await beside.codes(next_file) == [(1, "covered_elsewhere")]


async def test_a_loss_put_off_beside_a_statement_of_the_same_days_is_told_to_both(
    beside: Beside, write: Any, record: Any
) -> None:
    for person, insurer in ((1, FIRST), (8, SECOND)):
        await beside.load(await beside.filed(write(record(person, 保険者番号=insurer, **ENDED)), insurer))
    put_off = record(1, レコード種別="2", **(ENDED | {"資格喪失日": "20250901"}))
    one = await beside.filed(write(put_off), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **LATER)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    assert (await beside.codes(one), await beside.codes(two)) == ([(1, "covered_elsewhere")], [])
    next_file = await beside.filed(write(record(1, 保険者番号=SECOND, 住所="x", **LATER)), SECOND)
    await beside.load(next_file)
    assert await beside.codes(next_file) == [(1, "covered_elsewhere")]


async def test_who_asks_as_of_a_first_files_merge_is_not_answered_by_what_it_took_back(
    beside: Beside, write: Any, record: Any, owner: Any
) -> None:
    one = await beside.filed(write(record(1, **LIMIT), record(2, **LIMIT), record(3)), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **SOMEBODY), record(2, 保険者番号=SECOND)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    as_of = await owner.fetchval("select data_as_of from insurer where insurer_number = $1", FIRST)
    numbers = [InsuredNumber.parse(FIRST, "12", f"{person:07}", "01") for person in (1, 2, 3)]
    asked = [NumberAsked(number, date(1980, 1, 10), as_of, InstitutionCode("1311234567")) for number in numbers]
    found = [matches_of(rows).asked for rows in await rows_of_numbers(owner, asked)]
    assert [[len(coverage.limit_certificates) for coverage in coverages] for coverages in found] == [[], [1], [0]]
    assert await owner.fetchval("select count(*) from coverage where insurer_number = $1", FIRST) == 4
    # The insurer's next file is known later than all of this.
    await beside.load(await beside.filed(write(record(2), record(3, 住所="x")), FIRST))
    assert await owner.fetchval("select count(*) from limit_certificate where known_to = 'infinity'") == 0


async def test_statements_that_agree_are_merged_once(beside: Beside, write: Any, record: Any, owner: Any) -> None:
    one = await beside.filed(write(record(1, **ENDED), record(2)), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **LATER)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    assert (await beside.codes(one), await beside.codes(two)) == ([], [])
    assert await owner.fetchval("select count(*) from coverage") == 3
    assert await _rows(owner, CASES) == []


@pytest.mark.parametrize("registered", [False, True])
async def test_days_of_a_person_known_before_that_two_cover_at_the_same_moment_are_told_to_both(
    beside: Beside, write: Any, record: Any, owner: Any, registered: bool
) -> None:
    await beside.load(await beside.filed(write(record(1, 保険者番号=THIRD, **ENDED)), THIRD))
    if registered:  # then both files are deltas
        for insurer in (FIRST, SECOND):
            await beside.load(await beside.filed(write(record(8, 保険者番号=insurer, **ENDED)), insurer))
    one = await beside.filed(write(record(1, **LATER), record(2)), FIRST)
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **LATER)), SECOND)

    await beside.held(one, lambda: beside.load(two))

    assert (1, "covered_elsewhere") in await beside.codes(one)
    assert await beside.counts(one) == (2, 0, 2)
    next_file = await beside.filed(write(record(1, 保険者番号=SECOND, 住所="x", **LATER)), SECOND)
    await beside.load(next_file)
    assert (1, "covered_elsewhere") in await beside.codes(next_file)
    assert await _rows(owner, CASES) == []


async def test_what_was_compared_with_a_statement_is_compared_with_its_correction_too(
    beside: Beside, write: Any, record: Any, owner: Any
) -> None:
    ended = record(1, 保険者番号=SECOND, **ENDED)
    await beside.load(await beside.filed(write(ended), SECOND))
    await beside.load(await beside.filed(write(ended | SOMEBODY), SECOND))
    await beside.load(await beside.filed(write(record(8)), FIRST))
    case = await owner.fetchval("select case_id from mislink_case")
    one = await beside.filed(write(record(1, **LATER), record(2)), FIRST)

    await beside.held(one, lambda: release(owner, case, _decided()))

    assert await beside.codes(one) == [(1, "mislink_suspected")]
    assert [row for row in await _rows(owner, CURRENT) if row[0] == "LK-00000001"] == [
        ("LK-00000001", SECOND, "佐藤　太郎")
    ]
    assert await _rows(owner, CASES) == [(SECOND, "mismatch", "released"), (FIRST, "mismatch", "open")]


async def test_a_merge_that_has_been_compared_with_all_that_matters_is_done_once(
    beside: Beside, write: Any, record: Any, owner: Any
) -> None:
    for person, insurer in ((8, FIRST), (1, SECOND)):
        await beside.load(await beside.filed(write(record(person, 保険者番号=insurer)), insurer))
    one = await beside.filed(write(record(1, **LATER)), FIRST)
    before = {"資格取得日": "20200401", "資格喪失日": "20240401", "喪失事由": "03"}
    two = await beside.filed(write(record(1, 保険者番号=SECOND, **before)), SECOND)
    identifier = await owner.fetchval("select nextval('coverage_id_seq')")

    await beside.held(one, lambda: beside.load(two))

    assert (await beside.codes(one), await beside.codes(two)) == ([(1, "covered_elsewhere")], [])
    # Each plan takes an identifier for its new coverage, and what is undone gives none back.
    assert await owner.fetchval("select nextval('coverage_id_seq')") == identifier + 3


async def test_what_an_operator_releases_meanwhile_is_seen_too(
    beside: Beside, write: Any, record: Any, owner: Any, database: str
) -> None:
    moved = record(1, 保険者番号=SECOND, 紐付番号="LK-NEW", **SOMEBODY)
    await beside.load(await beside.filed(write(record(1, 保険者番号=SECOND)), SECOND))
    await beside.load(await beside.filed(write(moved), SECOND))
    case = await owner.fetchval("select case_id from mislink_case")
    one = await beside.filed(write(record(5, 紐付番号="LK-NEW"), record(6)), FIRST)

    await beside.held(one, lambda: release(owner, case, _decided()))

    assert await beside.codes(one) == [(1, "mislink_suspected")]
    assert [row for row in await _rows(owner, CURRENT) if row[0] == "LK-NEW"] == [("LK-NEW", SECOND, "佐藤　太郎")]


async def test_a_correction_of_an_address_is_no_lone_statement(
    beside: Beside, write: Any, record: Any, owner: Any
) -> None:
    await beside.load(await beside.filed(write(record(1)), FIRST))
    await beside.load(await beside.filed(write(record(1, 住所="x")), FIRST))

    assert await _rows(owner, "select person_id from lone_statement") == []


async def test_lone_statements_are_forgotten_after_a_week(beside: Beside, write: Any, record: Any, owner: Any) -> None:
    await owner.execute(
        "insert into lone_statement (person_id, coverage_id, insurer_number, kept_at)"
        " values (1, 1, $1, now() - interval '8 days'), (2, 2, $1, now() - interval '6 days')", SECOND
    )  # fmt: skip

    await beside.load(await beside.filed(write(record(1)), FIRST))

    assert await _rows(owner, "select person_id from lone_statement") == [(2,)]


async def test_a_release_that_another_merge_has_overtaken_is_refused_and_works_when_repeated(
    beside: Beside, write: Any, record: Any, owner: Any, database: str
) -> None:
    await beside.load(await beside.filed(write(record(1, 保険者番号=SECOND)), SECOND))
    moved = record(1, 保険者番号=SECOND, 紐付番号="LK-NEW", **SOMEBODY)
    await beside.load(await beside.filed(write(moved), SECOND))
    await beside.load(await beside.filed(write(record(8)), FIRST))
    case = await owner.fetchval("select case_id from mislink_case")
    one = await beside.filed(write(record(5, 紐付番号="LK-NEW"), record(6)), FIRST)
    other = await connect(database)
    later: list[asyncio.Task[int]] = []

    async def begin() -> None:
        later.append(asyncio.create_task(release(other, case, _decided())))
        await until_waiting(owner, 2)

    await beside.held(one, begin)
    with pytest.raises(DecisionRefused, match="meanwhile"):
        await later[0]
    assert await owner.fetchval("select state from mislink_case where case_id = $1", case) == "open"
    assert await release(other, case, _decided()) == 1
    await other.close()
    assert await owner.fetchval("select count(*) from insurer_notice where code = 'covered_elsewhere'") > 0


async def test_a_release_overtaken_by_a_statement_of_a_person_known_before_is_refused(
    beside: Beside, write: Any, record: Any, owner: Any, database: str
) -> None:
    await beside.load(await beside.filed(write(record(1, 保険者番号=THIRD, **ENDED)), THIRD))
    await beside.load(await beside.filed(write(record(1, 保険者番号=SECOND, **SOMEBODY, **LATER)), SECOND))
    await beside.load(await beside.filed(write(record(8)), FIRST))
    case = await owner.fetchval("select case_id from mislink_case")
    one = await beside.filed(write(record(1, **LATER)), FIRST)
    other = await connect(database)

    with pytest.raises(DecisionRefused, match="meanwhile"):
        await beside.held_at_end(SECOND, release(other, case, _decided()), lambda: beside.load(one))
    assert await owner.fetchval("select state from mislink_case where case_id = $1", case) == "open"
    assert await release(other, case, _decided()) == 1
    await other.close()
    assert await owner.fetchval("select count(*) from insurer_notice where code = 'covered_elsewhere'") == 2

"""Files that are held for approval, and what an operator's decision lets happen."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.database import connect
from eligibility.wire.submissions import SubmissionState
from payer_sync.cases import Decided, release
from payer_sync.gates import Decision, DecisionRefused, decide
from payer_sync.loading import load
from payer_sync.push import ExitCode, exit_code
from payer_sync.report import show_result
from payer_sync.submission import Filed, find_submission

pytestmark = pytest.mark.database

CURRENT = "select count(*) from coverage where known_to = 'infinity'"
IN_FORCE = "select count(*) from coverage where known_to = 'infinity' and lost_on is null"
INSURER = InsurerNumber("06130512")
LIMIT = {"限度額証区分": "01", "限度額適用区分": "A03", "限度額有効開始日": "20260401", "限度額有効終了日": ""}
ELDERLY = {"高齢負担割合": "020", "高齢有効開始日": "20260401"}
DISEASE = {"特定疾病区分": "1", "特定疾病自己負担額": "10000", "特定疾病有効開始日": "20260401"}
OTHER = "33120015"
MARRIED = {"氏名": "佐藤　花子", "氏名カナ": "ｻﾄｳ ﾊﾅｺ"}
CASES = "select state from mislink_case order by case_id"

Decide = Callable[..., Awaitable[Any]]


@pytest.fixture
def decided(database: str, owner: Any) -> Decide:
    """Decide about a held submission and let the intake carry it out."""

    async def run(held: Any, path: Path, decision: Decision = Decision.APPROVED) -> Any:
        submission_id = held.submission.submission_id
        await decide(owner, submission_id, decision, "operator", "telephoned", datetime.now(UTC))
        await load(database, Filed(INSURER, held.submission), path)
        return await find_submission(owner, submission_id, INSURER)

    return run


async def _approved(owner: Any, held: Any) -> None:
    await decide(owner, held.submission.submission_id, Decision.APPROVED, "operator", "telephoned", datetime.now(UTC))


@pytest.mark.parametrize(
    ("known", "stated", "codes"),
    [
        (20, 19, ["held_retirement"]),
        (20, 18, ["held_count_drop", "held_retirement"]),
        (20, 1, ["held_count_drop", "held_retirement"]),
        (20, 20, []),
        (20, 30, []),
    ],
)
async def test_a_full_file_that_states_fewer_is_held(
    take_in: Any, write: Any, record: Any, owner: Any, known: int, stated: int, codes: list[str]
) -> None:
    await take_in(write(*(record(n) for n in range(1, known + 1))))
    before = await owner.fetchval(IN_FORCE)

    loaded = await take_in(write(*(record(n, 住所="東京都") for n in range(1, stated + 1))), kind="full")

    assert [code for _, code in loaded.codes] == codes
    assert loaded.submission.state == ("held" if codes else "merged")
    if codes:
        assert await owner.fetchval(IN_FORCE) == before
        assert not await owner.fetchval("select exists (select from coverage where address = '東京都')")
        assert str(known - stated) in loaded.faults[-1]["expected"]
        event = await owner.fetchrow("select code, detail from audit_event where kind = 'submission_held'")
        assert event["code"] == codes[0]


async def test_a_delta_that_states_fewer_is_not_held(take_in: Any, write: Any, record: Any) -> None:
    await take_in(write(*(record(n) for n in range(1, 21))))

    assert (await take_in(write(record(1)))).submission.state == "merged"


ENDED = {"資格喪失日": "20250401", "喪失事由": "03"}
LATER = {"資格喪失日": "20991231", "喪失事由": "03"}


@pytest.mark.parametrize("kind", ["delta", "full"])
@pytest.mark.parametrize("ending", [{"レコード種別": "3"}, {"レコード種別": "2"} | ENDED, ENDED, LATER])
async def test_a_file_that_ends_the_register_is_held(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide, kind: str, ending: dict[str, str]
) -> None:
    await take_in(write(*(record(n) for n in range(1, 41))))
    path = write(*(record(n, **ending) for n in range(1, 41)))

    held = await take_in(path, kind=kind)

    assert held.submission.state == "held"
    assert "here 40 of 40" in held.faults[-1]["expected"]
    assert {code for _, code in held.codes} >= {"held_count_drop"}
    assert await owner.fetchval(IN_FORCE) == 40

    assert (await decided(held, path)).state == "merged"
    assert await owner.fetchval(IN_FORCE) == 0


@pytest.mark.parametrize(("known", "ended", "state"), [(29, 29, "merged"), (599, 30, "held"), (600, 30, "merged")])
async def test_a_delta_may_end_a_few_or_a_small_part(
    take_in: Any, write: Any, record: Any, known: int, ended: int, state: str
) -> None:
    await take_in(write(*(record(n) for n in range(1, known + 1))))

    loaded = await take_in(write(*(record(n, レコード種別="2", **ENDED) for n in range(1, ended + 1))))

    assert loaded.submission.state == state
    assert all(f"here {ended} of {known}" in fault["expected"] for fault in loaded.faults)


async def test_what_takes_no_day_away_ends_nothing(take_in: Any, write: Any, record: Any) -> None:
    await take_in(write(*(record(n, **(ENDED if n <= 30 else LATER)) for n in range(1, 61))))

    loaded = await take_in(
        write(
            *(record(n, レコード種別="3") for n in range(1, 31)),  # had ended before
            *(record(n, 資格喪失日="21000101", 喪失事由="03") for n in range(31, 61)),  # lasts longer
        )
    )

    assert (loaded.submission.state, loaded.submission.merged) == ("merged", 60)


async def test_a_first_full_file_is_not_held(take_in: Any, write: Any, record: Any) -> None:
    assert (await take_in(write(record(1)), kind="full")).faults == []


async def test_who_lost_the_coverage_before_need_not_be_stated(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    lost = {"資格喪失日": "20250401", "喪失事由": "03"}
    await take_in(write(*(record(n) for n in range(1, 11)), *(record(n, **lost) for n in range(11, 21))))

    loaded = await take_in(write(*(record(n, 住所="東京都") for n in range(1, 11))), kind="full")

    assert loaded.submission.state == "merged"


@pytest.mark.parametrize(
    ("filled", "emptied", "field"),
    [
        ({}, {"負担割合": ""}, "負担割合"),
        ({}, {"住所": ""}, "住所"),
        ({}, {"郵便番号": ""}, "郵便番号"),
        ({}, {"枝番": ""}, "枝番"),
        ({}, {"記号": ""}, "記号"),
        ({"証有効終了日": "20270331"}, {"証有効終了日": ""}, "証有効終了日"),
        ({"資格喪失日": "20260401", "喪失事由": "03"}, {"資格喪失日": "", "喪失事由": ""}, "資格喪失日"),
        ({"未就学区分": "1"}, {"未就学区分": ""}, "未就学区分"),
        ({"閲覧抑止": "1"}, {"閲覧抑止": ""}, "閲覧抑止"),
        (LIMIT, dict.fromkeys(LIMIT, ""), "限度額証区分"),
        (DISEASE, dict.fromkeys(DISEASE, ""), "特定疾病区分"),
        (ELDERLY, dict.fromkeys(ELDERLY, ""), "高齢負担割合"),
    ],
)
async def test_a_column_that_is_newly_empty_holds_the_file(
    take_in: Any, write: Any, record: Any, owner: Any, filled: dict[str, str], emptied: dict[str, str], field: str
) -> None:
    await take_in(write(*(record(n, **filled) for n in range(1, 101))))
    before = await owner.fetch("select c::text from coverage c order by coverage_id")

    different = dict.fromkeys((5, 50, 100), filled | emptied)
    loaded = await take_in(write(*(record(n, **different.get(n, filled)) for n in range(1, 101))))

    assert loaded.submission.state == "held"
    assert [(fault["code"], fault["field"]) for fault in loaded.faults] == [("held_column_empty", field)]
    assert "100" in loaded.faults[0]["expected"]
    assert await owner.fetch("select c::text from coverage c order by coverage_id") == before


@pytest.mark.parametrize("emptied", [1, 2])
async def test_a_few_emptied_fields_are_corrections(take_in: Any, write: Any, record: Any, emptied: int) -> None:
    await take_in(write(*(record(n) for n in range(1, 11))))

    loaded = await take_in(write(*(record(n, 負担割合="" if n <= emptied else "030") for n in range(1, 11))))

    assert (loaded.submission.state, loaded.submission.merged) == ("merged", emptied)


async def test_a_column_that_was_always_empty_is_no_gate(take_in: Any, write: Any, record: Any) -> None:
    await take_in(write(*(record(n, 負担割合="") for n in range(1, 11))))

    loaded = await take_in(write(*(record(n, 負担割合="", 住所="東京都") for n in range(1, 11))))

    assert loaded.submission.state == "merged"


async def test_an_approved_full_file_retires_who_is_missing(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide
) -> None:
    await take_in(write(*(record(n, **ELDERLY) for n in range(1, 11))))
    path = write(*(record(n, **ELDERLY) for n in range(1, 10)))
    held = await take_in(path, kind="full")

    merged = await decided(held, path)

    assert (merged.state, merged.faults) == ("merged", 1)
    retired = await owner.fetchrow(
        "select number, lost_on, loss_reason from coverage where known_to = 'infinity' and lost_on is not null"
    )
    assert tuple(retired) == ("0000010", day_in_japan(datetime.now(UTC)), "99")
    assert await owner.fetchval(CURRENT) == 10
    told = await owner.fetch("select code from feedback where submission_id = $1", merged.submission_id)
    assert [row["code"] for row in told] == ["retired"]
    events = await owner.fetch("select kind, code, actor, detail from audit_event where actor_kind = 'operator'")
    assert [tuple(e)[:3] for e in events if e["kind"] != "enrolment"] == [
        ("submission_decided", "approved", "operator")
    ]


async def _release(owner: Any) -> int:
    case = await owner.fetchval("select min(case_id) from mislink_case")
    return await release(owner, case, Decided("operator", "telephoned", datetime.now(UTC)))


async def test_a_release_does_not_bring_back_who_was_retired(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide
) -> None:
    await take_in(write(record(1), record(2)))
    await take_in(write(record(2, **MARRIED)))
    path = write(record(1))
    held = await take_in(path, kind="full")
    assert [row["state"] for row in await owner.fetch(CASES)] == ["open"]

    await decided(held, path)

    with pytest.raises(DecisionRefused, match="superseded"):
        await _release(owner)
    rows = await owner.fetch("select name, lost_on from coverage where known_to = 'infinity' order by number_key")
    today = day_in_japan(datetime.now(UTC))
    assert [tuple(row) for row in rows] == [("髙橋　花子", None), ("髙橋　花子", today)]


@pytest.fixture
async def kept(take_in: Any, write: Any, record: Any) -> Callable[..., Awaitable[None]]:
    """Have a record kept in a case of a coverage that is not in the register."""

    async def run(**different: str) -> None:
        await take_in(write(record(2, 保険者番号=OTHER, 資格喪失日="20240401", 喪失事由="01")), insurer=OTHER)
        await take_in(write(record(1)))
        assert (await take_in(write(record(2, **MARRIED | different)))).counts == (1, 1, 0, 0)

    return run


@pytest.mark.parametrize("different", [{}, {"紐付番号": "LK-00000001", "生年月日": "3420303"}])
async def test_what_is_kept_of_a_coverage_that_a_full_file_leaves_out_is_out_of_date(
    take_in: Any, write: Any, record: Any, owner: Any, kept: Any, different: dict[str, str]
) -> None:
    await kept(**different)

    assert (await take_in(write(record(1)), kind="full")).submission.state == "merged"

    assert [row["state"] for row in await owner.fetch(CASES)] == ["superseded"]
    with pytest.raises(DecisionRefused, match="superseded"):
        await _release(owner)


@pytest.mark.parametrize(
    ("different", "kind", "besides"),
    [
        ({}, "delta", []),
        ({}, "full", [{"生年月日": "x"}]),  # the record that the check refuses could be the one that is kept
        ({"資格喪失日": "20250401", "喪失事由": "03"}, "full", []),  # days that have ended need not be stated
    ],
)
async def test_what_is_kept_stays_where_a_file_need_not_state_it(
    take_in: Any, write: Any, record: Any, owner: Any, kept: Any,
    different: dict[str, str], kind: str, besides: list[dict[str, str]],
) -> None:  # fmt: skip
    await kept(**different)

    loaded = await take_in(write(record(1), *(record(3, **bad) for bad in besides)), kind=kind)

    assert loaded.submission.state == "merged"
    assert await _release(owner) == 1


async def test_what_a_full_file_itself_has_kept_is_stated_by_it(
    take_in: Any, write: Any, record: Any, owner: Any, kept: Any
) -> None:
    await kept()

    loaded = await take_in(write(record(1), record(2, **MARRIED)), kind="full")

    assert loaded.codes == [(2, "mislink_review")]
    assert [row["state"] for row in await owner.fetch(CASES)] == ["superseded", "open"]


async def test_who_has_not_begun_yet_is_retired_on_the_first_day(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide
) -> None:
    later = day_in_japan(datetime.now(UTC)) + timedelta(days=30)
    await take_in(write(record(1), record(2, 資格取得日=f"{later:%Y%m%d}")))
    path = write(record(1))

    await decided(await take_in(path, kind="full"), path)

    assert await owner.fetchval("select lost_on from coverage where lost_on is not null") == later


async def test_a_holder_who_is_stated_under_another_number_is_not_retired(
    take_in: Any, write: Any, record: Any, owner: Any
) -> None:
    await take_in(write(*(record(n) for n in range(1, 11))))

    loaded = await take_in(write(*(record(n) for n in range(1, 10)), record(10, 番号="999")), kind="full")

    assert [code for _, code in loaded.codes] == ["overlaps", "claimed_twice"]
    assert await owner.fetchval(IN_FORCE) == 10


async def test_a_file_with_another_digest_shows_every_gate_at_once_and_is_merged_when_approved(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide
) -> None:
    await take_in(write(record(1), record(2)))
    path = write(record(1, 住所="東京都"))

    held = await take_in(path, kind="full", stated={"content_digest": bytes(32)})
    assert [code for _, code in held.codes] == ["held_digest", "held_count_drop", "held_retirement"]
    assert not await owner.fetchval("select exists (select from coverage where address = '東京都')")

    assert (await decided(held, path)).state == "merged"
    assert await owner.fetchval("select exists (select from coverage where address = '東京都')")


async def test_a_rejected_file_is_refused_and_the_old_data_stand(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide
) -> None:
    await take_in(write(record(1), record(2)))
    path = write(record(1))
    held = await take_in(path, kind="full")

    refused = await decided(held, path, Decision.REJECTED)

    assert refused.state == "refused"
    assert await owner.fetchval(IN_FORCE) == 2
    assert await owner.fetchval("select code from audit_event where kind = 'submission_refused'") == "rejected"


async def test_a_held_file_waits_until_somebody_decides(
    take_in: Any, write: Any, record: Any, owner: Any, database: str
) -> None:
    await take_in(write(record(1), record(2)))
    path = write(record(1))
    held = await take_in(path, kind="full")

    assert await load(database, Filed(INSURER, held.submission), path) == "held"
    assert await owner.fetchval(IN_FORCE) == 2


@pytest.mark.parametrize("decision", list(Decision))
async def test_only_a_held_file_can_be_decided_about(
    take_in: Any, write: Any, record: Any, owner: Any, decision: Decision
) -> None:
    merged = await take_in(write(record(1)))

    with pytest.raises(DecisionRefused):
        await decide(owner, merged.submission.submission_id, decision, "operator", "x", datetime.now(UTC))


async def test_a_held_file_that_a_later_one_has_overtaken_can_only_be_rejected(
    take_in: Any, write: Any, record: Any, owner: Any, decided: Decide
) -> None:
    await take_in(write(record(1), record(2)))
    path = write(record(1))
    held = await take_in(path, kind="full")
    await take_in(write(record(1), record(2, 住所="東京都")), kind="full")

    with pytest.raises(DecisionRefused):
        await decided(held, path)

    assert (await decided(held, path, Decision.REJECTED)).state == "refused"


async def test_an_approved_file_that_is_overtaken_before_its_turn_is_refused(
    take_in: Any, write: Any, record: Any, owner: Any, database: str
) -> None:
    await take_in(write(record(1), record(2)), kind="full")
    path = write(record(1))
    held = await take_in(path, kind="full")
    # The later file was on its way when the operator looked, and had the insurer's turn first.
    await take_in(write(record(1), record(2, 住所="東京都")), kind="full", before=lambda: _approved(owner, held))

    assert await load(database, Filed(INSURER, held.submission), path) is SubmissionState.REFUSED
    told = await owner.fetch("select code from feedback where submission_id = $1", held.submission.submission_id)
    assert [row["code"] for row in told] == ["overtaken"]
    assert await owner.fetchval(IN_FORCE) == 2


async def test_two_operators_decide_once(take_in: Any, write: Any, record: Any, owner: Any, database: str) -> None:
    await take_in(write(record(1), record(2)), kind="full")
    held = await take_in(write(record(1)), kind="full")
    other = await connect(database)
    try:
        decisions = (
            decide(connection, held.submission.submission_id, decision, "operator", "x", datetime.now(UTC))
            for connection, decision in ((owner, Decision.APPROVED), (other, Decision.REJECTED))
        )
        ends = await asyncio.gather(*decisions, return_exceptions=True)
    finally:
        await other.close()

    assert sorted(type(end).__name__ for end in ends) == ["DecisionRefused", "NoneType"]
    assert await owner.fetchval("select count(*) from audit_event where kind = 'submission_decided'") == 1


async def test_the_office_is_told_that_its_file_is_held_and_asks_again_after_the_approval(
    send: Any, write: Any, record: Any, owner: Any, capsys: Any
) -> None:
    await send(write(record(1), record(2)), kind="full")
    path = write(record(1))

    held = await send(path, kind="full")
    show_result(Console(width=300), held, 1.0)
    assert exit_code(held.submission) is ExitCode.HELD
    assert "held for approval" in capsys.readouterr().out

    await decide(owner, held.submission.submission_id, Decision.APPROVED, "operator", "x", datetime.now(UTC))
    merged = await send(path, kind="full")
    assert merged.submission.submission_id == held.submission.submission_id
    assert exit_code(merged.submission) is ExitCode.MERGED

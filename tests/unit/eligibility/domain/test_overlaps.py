"""What is in force on a day when coverages overlap: the table of docs/overlaps.md, and what holds for any of them."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.domain.codes import CardClass, Outcome, Relation, Sex
from eligibility.domain.coverage import Coverage, standing_of_person
from eligibility.domain.identifiers import InsuredNumber, PersonId

PAGE = Path(__file__).parents[4] / "docs" / "overlaps.md"
INSURERS = {"A": "06130512", "B": "33120015"}
STATED = datetime(2026, 1, 1, tzinfo=UTC)
COVERAGE = Coverage(
    coverage_id=1, person_id=PersonId(1), insured=InsuredNumber.parse(INSURERS["A"], "1", "2", ""), insurer_name="A",
    name="山田　太郎", name_kana="ﾔﾏﾀﾞ ﾀﾛｳ", birth_date=date(1980, 1, 1), sex=Sex.MALE, postal_code="", address="",
    relation=Relation.INSURED, card_class=CardClass.GENERAL, acquired_on=date(2026, 4, 1), lost_on=None,
    loss_reason=None, copayment_percent=30, issued_on=None, valid_from=None, valid_through=None, preschool=False,
    viewing_suspended=False, known_from=STATED, data_as_of=None,
)  # fmt: skip


def _day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def _coverage(insurer: str, said: str) -> Coverage | None:
    days = [_day(found) for found in re.findall(r"\d\d-\d\d", said)]
    if not days:
        return None
    later = timedelta(days=(insurer == "B") + 2 * ("again" in said))
    return replace(
        COVERAGE, coverage_id=ord(insurer), insured=InsuredNumber.parse(INSURERS[insurer], "1", "2", ""),
        insurer_name=insurer, acquired_on=days[0], lost_on=days[1] if len(days) > 1 else None,
        known_from=STATED + later, viewing_suspended="suspended" in said,
    )  # fmt: skip


def _table() -> list[list[str]]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    return rows[2:]


@pytest.mark.parametrize(("case", "a", "b", "day", "in_force", "conflict"), _table())
def test_the_page_says_what_the_function_decides(
    case: str, a: str, b: str, day: str, in_force: str, conflict: str
) -> None:
    coverages = [c for c in (_coverage("A", a), _coverage("B", b)) if c]

    standing = standing_of_person(coverages, _day(day))

    name = standing.coverage.insurer_name if standing.coverage else ""
    said = {Outcome.VALID: name, Outcome.LAPSED: f"lapsed ({name})"}.get(standing.outcome, standing.outcome.value)
    assert (said, "".join(c.insurer_name for c in standing.conflicts) or "–") == (in_force, conflict), case


DAYS = st.dates(date(2026, 1, 1), date(2026, 3, 1))
COVERAGES = st.lists(
    st.tuples(st.sampled_from("AB"), DAYS, st.none() | st.integers(0, 40), st.integers(0, 3)), max_size=6
)


def _made(drawn: list[tuple[str, date, int | None, int]]) -> list[Coverage]:
    return [
        replace(
            COVERAGE, coverage_id=n, insured=InsuredNumber.parse(INSURERS[insurer], "1", "2", ""), insurer_name=insurer,
            acquired_on=begin, lost_on=None if length is None else begin + timedelta(days=length),
            known_from=STATED + timedelta(days=stated),
        )
        for n, (insurer, begin, length, stated) in enumerate(drawn)
    ]  # fmt: skip


@given(COVERAGES, DAYS, st.randoms(use_true_random=False))
def test_the_order_in_which_files_arrived_in_the_list_decides_nothing(drawn: list, day: date, chance: object) -> None:  # type: ignore[type-arg]
    coverages = _made(drawn)
    mixed = coverages.copy()
    chance.shuffle(mixed)  # type: ignore[attr-defined]

    one, other = standing_of_person(coverages, day), standing_of_person(mixed, day)

    assert (one.outcome, one.coverage) == (other.outcome, other.coverage)
    assert set(one.conflicts) == set(other.conflicts)


@given(COVERAGES, DAYS)
def test_what_holds_is_in_force_and_none_in_force_was_acquired_later(drawn: list, day: date) -> None:  # type: ignore[type-arg]
    coverages = _made(drawn)
    standing = standing_of_person(coverages, day)
    in_force = [c for c in coverages if c.in_force_on(day)]

    assert (standing.outcome is Outcome.VALID) == bool(in_force)
    if standing.outcome is Outcome.VALID:
        assert standing.coverage in in_force
        assert standing.coverage.acquired_on == max(c.acquired_on for c in in_force)
        assert set(standing.conflicts) == {c for c in in_force if c.insurer_name != standing.coverage.insurer_name}


@given(COVERAGES, DAYS)
def test_a_loss_of_another_coverage_never_changes_what_held_after_it(drawn: list, day: date) -> None:  # type: ignore[type-arg]
    coverages = _made(drawn)
    before = standing_of_person(coverages, day)
    if before.outcome is not Outcome.VALID or before.coverage is None:
        return

    ended = [
        c
        if c.coverage_id == before.coverage.coverage_id
        else replace(c, lost_on=max(c.acquired_on, min(c.lost_on or day, day)))
        for c in coverages
    ]

    after = standing_of_person(ended, day)
    assert (after.coverage, after.conflicts) == (before.coverage, ())

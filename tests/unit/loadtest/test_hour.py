"""What an hour's bench tells of the tables: what was added, what autovacuum did, and what waits for it."""

from collections.abc import Sequence

import numpy as np

from loadtest.bench.hour import Kept, kept, measured
from loadtest.figures import Outcome
from loadtest.promises import promised
from loadtest.run import Minute
from loadtest.verdict import Measured, judge

NOTHING = {"added": 0, "changed": 0, "vacuumed": 0, "vacuum_ms": 0.0, "bytes": 0}
TABLE = NOTHING | {"dead": 0, "unfrozen": 0, "dead_share": 0.0, "unfrozen_share": 0.0}


def table(**said: float) -> dict[str, float]:
    return TABLE | said


MERGED, CHECKED, NOT_MERGED = (
    Measured("minute", operation, 1, {"error_ratio": ratio})
    for operation, ratio in (("merge", 0.0), ("bulk_check", 0.0), ("merge", 1.0))
)


def minute(answer_us: float, errors: int = 0, shed: int = 0, beside: Sequence[Measured] = (MERGED, CHECKED)) -> Minute:
    answered = 100 - errors - shed
    outcome = Outcome("verification", 60, 100, answered, answered, shed, errors, {}, np.array([1.0]), ())
    return Minute([outcome], answer_us, beside)


def test_a_table_is_told_by_what_the_hour_added() -> None:
    before = {"verification": table(added=10, bytes=2**20, vacuumed=1, vacuum_ms=500.0)}
    after = {
        "verification": table(
            added=30, changed=5, bytes=3 * 2**20, vacuumed=3, vacuum_ms=2500.0, dead=7, unfrozen=9, dead_share=0.2,
            unfrozen_share=0.4,
        )
    }  # fmt: skip
    assert kept(before, after) == [Kept("verification", 20, 5, 2.0, 2, 2.0, 7, 9, 0.4)]


def test_tables_nobody_wrote_to_are_left_out_and_a_new_partition_is_not() -> None:
    after = {"institution": table(), "verification_new": table(added=1, bytes=8192), "event": table(changed=1)}
    assert [one.name for one in kept({"institution": table()}, after)] == ["verification_new", "event"]


def test_the_last_sixth_is_held_against_the_first() -> None:
    minutes = [minute(500.0)] * 10 + [minute(9000.0)] * 40 + [minute(1000.0)] * 10
    everything = measured(minutes, [])[0]
    assert everything.figures["growth_ratio"] == 0.5
    assert not judge(promised("hour"), measured(minutes, [Kept("event", 1, 0, 1.0, 0, 0.0, 0, 0, 0.1)])).passed


def test_an_hour_holds_and_arrears_or_one_error_break_it() -> None:
    steady, well = [minute(500.0)] * 60, Kept("event", 1, 0, 1.0, 0, 0.0, 0, 0, 1.2)
    late = Kept("verification", 1, 0, 1.0, 0, 0.0, 0, 0, 2.1)
    assert judge(promised("hour"), measured(steady, [well])).passed
    assert not judge(promised("hour"), measured(steady, [well, late])).passed
    assert not judge(promised("hour"), measured([*steady, minute(500.0, errors=1)], [well])).passed
    assert judge(promised("hour"), measured([*steady, minute(500.0, shed=50)], [well])).passed
    assert not judge(promised("hour"), measured([minute(500.0, shed=2)] * 60, [well])).passed


def test_an_hour_has_merges_and_bulk_checks_and_all_of_them_come_through() -> None:
    well = [Kept("event", 1, 0, 1.0, 0, 0.0, 0, 0, 0.1)]
    assert judge(promised("hour"), measured([minute(500.0)] * 6, well)).passed
    for beside in ((), (MERGED,), (CHECKED,), (NOT_MERGED, CHECKED)):
        assert not judge(promised("hour"), measured([minute(500.0, beside=beside)] * 6, well)).passed


def test_an_hour_in_which_nothing_was_written_is_no_hour() -> None:
    assert not judge(promised("hour"), measured([minute(500.0)] * 6, [])).passed

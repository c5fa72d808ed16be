"""Measures what a patient waits for at the counter, each part beside its limit: `python -m loadtest.bench.counter`.

A part is a function that returns what it measured, or why it could not be measured here; `PARTS` names them all. Its
limits stand in limits.toml under [counter.SCENARIO.OPERATION]. What could not be measured has kept no promise.
"""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from rich.console import Console

from loadtest.bench.counter_face import measure_decision
from loadtest.bench.counter_part import NotMeasured
from loadtest.bench.counter_visit import measure_visit, measure_visit_with_reader
from loadtest.processes import end_when_told
from loadtest.promises import promised, show_verdict
from loadtest.verdict import Measured, judge

SIZE: Final = "counter"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a patient waits for."""

    scenario: str
    measure: Callable[[Path], Measured | NotMeasured]


PARTS: Final = (
    Part("face", measure_decision),
    Part("visit", measure_visit),
    Part("visit_with_reader", measure_visit_with_reader),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every part; return 1 when a limit does not hold."""
    end_when_told()
    parser = ArgumentParser(prog="python -m loadtest.bench.counter", description=__doc__)
    # Beside the project, as for the tests.
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared" / "data", metavar="DIR")
    parser.add_argument("--part", action="append", choices=[part.scenario for part in PARTS], help="only these")
    chosen = parser.parse_args(arguments)
    out = sys.stdout.write
    measured: list[Measured] = []
    parts = [part for part in PARTS if chosen.part is None or part.scenario in chosen.part]
    for part in parts:
        result = part.measure(chosen.data)
        if isinstance(result, NotMeasured):
            out(f"{part.scenario}: not measured: {result.reason}\n")
        else:
            measured.append(result)
    scenarios = {part.scenario for part in parts}
    verdict = judge([limit for limit in promised(SIZE) if limit.scenario in scenarios], measured)
    for one in measured:
        figures = ", ".join(f"{name} {value:.1f}" for name, value in one.figures.items())
        out(f"{one.scenario} {one.operation}: {figures} ({one.requests} times)\n")
    show_verdict(Console(highlight=False), verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # a line per visit is noise
    sys.exit(main())

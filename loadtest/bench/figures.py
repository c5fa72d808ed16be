"""The figures that the bench of the insurers' push measures, beside what was promised for each.

The promises hold on two cores, for 5,000,000 persons, with an embedded PostgreSQL and `synchronous_commit` on; they
stand in docs/payer-sync-speed.md too.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from rich.console import Console
from rich.table import Table

FULL_SIZE: Final = 5_000_000


class Figure(StrEnum):
    """A figure with a promise: `limit` is the least allowed, or the most where `at_most` is set."""

    said: str
    unit: str
    limit: float
    at_most: bool

    def __new__(cls, name: str, said: str, unit: str, limit: float, at_most: bool) -> Self:
        """Make the member; its value is the name alone."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.said, member.unit, member.limit, member.at_most = said, unit, limit, at_most
        return member

    FIRST_LOAD = "first_load", "first load, first byte read to merged and acknowledged", "rows/s", 60_000, False
    OF_BARE_COPY = "of_bare_copy", "first load, as a share of a bare COPY into one indexed table", "×", 0.25, False
    SCALING = "scaling", "first load, as a share of the rate at a tenth of the size", "×", 0.9, False
    DELTA = "delta", "delta of 1 %", "s", 5.0, True
    CHECK = "check", "parse and validate alone", "rows/s", 300_000, False
    CLIENT_MEMORY = "client_memory", "peak memory: insurer's client", "GiB", 1.5, True
    INTAKE_MEMORY = "intake_memory", "peak memory: intake with its loader", "GiB", 1.5, True
    DATABASE_MEMORY = "database_memory", "peak memory: largest PostgreSQL process, shared pages too", "GiB", 1.5, True
    COUNTERS = "counters", "counters' p99 during a merge, as a multiple of their quiet one", "×", 2.0, True
    GUARD_RECALL = "guard_recall", "mis-link guard: recall", "", 0.99, False
    GUARD_PRECISION = "guard_precision", "mis-link guard: precision", "", 0.95, False

    def met(self, measured: float) -> bool:
        """Tell whether what was measured keeps the promise."""
        return measured <= self.limit if self.at_most else measured >= self.limit

    def share(self, measured: float) -> float:
        """Return how much of the promise is kept: 1 is just kept, 2 twice as good."""
        better, worse = (self.limit, measured) if self.at_most else (measured, self.limit)
        return better / worse if worse else float("inf")

    def written(self, value: float) -> str:
        """Return a value with its unit."""
        number = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
        return f"{number} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Phase:
    """Something that ran: how long, over how many rows, and the processor time that it took."""

    said: str
    rows: int
    seconds: float
    intake_cpu_s: float | None = None
    database_cpu_s: float | None = None

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def show_phases(screen: Console, phases: list[Phase]) -> None:
    """Print what ran; processor time is what stays the same when others use the machine too."""
    table = Table(title="What ran", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for heading in ("rows", "s", "rows/s", "CPU µs/row: intake", "PostgreSQL"):
        table.add_column(heading, justify="right")
    for phase in phases:
        cpu = (None if s is None else s / phase.rows * 1e6 for s in (phase.intake_cpu_s, phase.database_cpu_s))
        table.add_row(
            phase.said,
            f"{phase.rows:,}",
            f"{phase.seconds:,.2f}",
            f"{phase.rate:,.0f}",
            *("" if each is None else f"{each:.1f}" for each in cpu),
        )
    screen.print(table)


def show_figures(screen: Console, figures: dict[Figure, float]) -> list[Figure]:
    """Print the figures beside their promises; return those that are missed."""
    table = Table(title="\nAgainst the targets", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for heading in ("measured", "target", "kept"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for figure in Figure:
        sign = "≤" if figure.at_most else "≥"
        if figure not in figures:
            table.add_row(figure.said, "–", f"{sign} {figure.written(figure.limit)}", "", "[yellow]not measured[/]")
            continue
        measured = figures[figure]
        table.add_row(
            figure.said,
            f"[bold]{figure.written(measured)}[/]",
            f"{sign} {figure.written(figure.limit)}",
            f"{figure.share(measured):.2f}",
            "[green]✓[/]" if figure.met(measured) else "[red]✗[/]",
        )
    screen.print(table)
    return [figure for figure in Figure if figure not in figures or not figure.met(figures[figure])]

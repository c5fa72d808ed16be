"""What a bench of the insurers' push ran: rows, seconds and processor time of each phase."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Phase:
    """Something that ran: how long, over how many rows, and the processor time that it took."""

    said: str
    rows: int
    seconds: float
    intake_cpu_s: float | None = None
    database_cpu_s: float | None = None
    began: float = float("nan")  # a moment of `time.monotonic`, which all processes of a machine share

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

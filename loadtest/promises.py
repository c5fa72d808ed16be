"""The promised figures, from limits.toml, the only place where they stand, and how a verdict on them is shown."""

from importlib.resources import files

from rich.console import Console
from rich.table import Table

from loadtest.verdict import Limit, Verdict, read_limits


def promised(size: str) -> tuple[Limit, ...]:
    """Return the limits of a size of run.

    Raises:
        LimitsMalformed: the file has none for it, or another form.
    """
    return read_limits(files("loadtest").joinpath("limits.toml").read_text(encoding="utf-8"), size)


def show_verdict(screen: Console, verdict: Verdict) -> None:
    """Print every figure beside its limit, whether it holds, and why not where no number says so."""
    table = Table(title="\nAgainst the limits", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "", "figure"):
        table.add_column(heading)
    for heading in ("measured", "limit"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in verdict.judged:
        measured = "–" if one.measured is None else f"[bold]{written(one.measured)}[/]"
        mark = "[green]✓[/]" if one.passed else f"[red]✗[/] {one.reason}".rstrip()
        table.add_row(one.scenario, one.operation, one.figure, measured, one.limit, mark)
    screen.print(table)


def written(value: float) -> str:
    """Return a figure as it is read: three digits that count, and thousands whole."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"

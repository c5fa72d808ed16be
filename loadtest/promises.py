"""The promised figures of a size of run, from limits.toml, the only place where they stand."""

from importlib.resources import files

from loadtest.verdict import Limit, read_limits


def promised(size: str) -> tuple[Limit, ...]:
    """Return the limits of a size of run.

    Raises:
        LimitsMalformed: the file has none for it, or another form.
    """
    return read_limits(files("loadtest").joinpath("limits.toml").read_text(encoding="utf-8"), size)

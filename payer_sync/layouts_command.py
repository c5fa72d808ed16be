"""The `layouts` command: which layouts there are and how each edition stands, or the pages that explain them."""

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from eligibility.domain.dates import day_in_japan
from payer_sync.file_names import legible
from payer_sync.layouts.documents import dates, write_pages
from payer_sync.layouts.register import edition_state, editions

_USAGE: Final = 64


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = "List the layouts and their editions, as they stand today or on another day."
    parser.add_argument("--on", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the day; today by default")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the pages for vendors instead")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """List the editions, or write their pages."""
    if chosen.write:
        try:
            write_pages(chosen.write)
        except OSError:
            Console(stderr=True).print(f"書けません / cannot be written to: {legible(chosen.write)}", markup=False)
            return _USAGE
        return 0
    day = chosen.on or day_in_japan(datetime.now(UTC))
    table = Table(title=f"様式 / layouts, {day}")
    for head in ("様式\nlayout", "版\nedition", "受付開始\nfrom", "受付終了\nuntil", "状態\nstate"):
        table.add_column(head)
    for edition in editions().values():
        state = edition_state(edition, day)
        table.add_row(edition.name, str(edition.edition), *dates(edition), f"{state.ja}\n{state.en}")
    Console().print(table)
    return 0

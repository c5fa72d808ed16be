"""`python -m loadtest explore`: a site with the centre, the worker and the intake, and Locust pointed at them."""

import asyncio
import os
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from loadtest.bulking import worker
from loadtest.driving.deck import make_deck
from loadtest.merging import enrol_stranger
from loadtest.processes import end_when_told, server
from loadtest.reading import enrol_members, told_members
from loadtest.seed import SEED, TERMINALS, seed
from loadtest.site import Site, default_folder, open_site

# What Locust's users are told by the environment.
SITE: Final = "LOADTEST_SITE"
DECK: Final = "LOADTEST_DECK"
INTAKE: Final = "LOADTEST_INTAKE"
MEMBERS: Final = "LOADTEST_MEMBERS"
PAUSE: Final = "LOADTEST_PAUSE_S"
PERSONS: Final = 20_000
CARDS: Final = 500
READING_TERMINALS: Final = range(0, TERMINALS, TERMINALS // 4)  # where a doctor is signed in
_LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `python -m loadtest explore`."""
    parser.add_argument("--persons", type=int, default=PERSONS, help=f"how many persons (default: {PERSONS:,})")
    parser.add_argument(
        "--cards", type=int, default=CARDS, help=f"how many of them have a card here (default: {CARDS})"
    )
    parser.add_argument("--site", type=Path, help="the folder of the site (default: one of this size in /var/tmp)")
    parser.add_argument("--pause", type=float, default=40.0, help="mean seconds between two patients of a counter")
    parser.add_argument("--headless", type=float, metavar="SECONDS", help="run without the page for so long, then end")
    parser.add_argument("--users", type=int, default=200, help="counters when the morning is fullest (default: 200)")
    parser.add_argument("--web-port", type=int, default=8089, help="where Locust's page is (default: 8089)")


def run(arguments: Namespace) -> int:
    """Run Locust against a centre of its own; return Locust's exit code: 1 when a request failed."""
    end_when_told()
    screen = Console(highlight=False, soft_wrap=True)
    with ExitStack() as stack:
        site = stack.enter_context(open_site(arguments.site or default_folder(arguments.persons)))
        asyncio.run(seed(site, arguments.persons, SEED, screen))
        deck = asyncio.run(make_deck(site, SEED, arguments.persons, arguments.cards))
        _make_insurer(site)
        api = stack.enter_context(server("eligibility", ["api"], site.api_environment(1), site.folder / "api.log"))
        intake = stack.enter_context(
            server("payer_sync", ["intake"], site.intake_environment(), site.folder / "intake.log")
        )
        stack.enter_context(worker(site))
        told = {SITE: str(site.folder), DECK: str(deck), INTAKE: intake.url, PAUSE: str(arguments.pause)}
        told[MEMBERS] = told_members(enrol_members(site, READING_TERMINALS))
        command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--host", api.url]
        command += ["--users", str(arguments.users)]
        if arguments.headless:
            command += ["--headless", "--run-time", f"{arguments.headless:g}s", "--only-summary"]
        else:
            command += ["--web-host", "127.0.0.1", "--web-port", str(arguments.web_port)]
            screen.print(f"http://127.0.0.1:{arguments.web_port}")
        screen.print(shlex.join(command), style="dim")
        return subprocess.run(command, env=os.environ | told, check=False).returncode  # noqa: S603 (what is above)


def _make_insurer(site: Site) -> None:
    number = asyncio.run(enrol_stranger(site))
    site.enrolment.insurer(number.digits, datetime.now(UTC)).write(site.folder / "insurers", number.digits)
    (site.folder / "insurers" / "exploring").write_text(number.digits, encoding="ascii")

"""`python -m loadtest explore`: a site with the centre, the worker and the intake, and Locust pointed at them."""

import asyncio
import shlex
import subprocess
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from loadtest import served
from loadtest.bulking import worker
from loadtest.driving.deck import make_deck
from loadtest.installation import publish_revocation
from loadtest.merging import enrol_stranger
from loadtest.processes import ENDING_WITH_US, end_when_told, server
from loadtest.reading import enrol_members
from loadtest.seed import SEED, TERMINALS, filled
from loadtest.site import Site

READING_TERMINALS: Final = range(0, TERMINALS, TERMINALS // 4)  # where a doctor is signed in
_LISTS_EVERY_S: Final = 600.0  # the centre trusts no revocation list that is an hour old
_LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `python -m loadtest explore`."""
    served.add_arguments(parser)
    parser.add_argument("--pause", type=float, default=40.0, help="mean seconds between two patients of a counter")
    parser.add_argument("--headless", type=float, metavar="SECONDS", help="run without the page for so long, then end")
    parser.add_argument("--users", type=int, default=200, help="counters when the morning is fullest (default: 200)")
    parser.add_argument("--web-port", type=int, default=8089, help="where Locust's page is (default: 8089)")
    parser.add_argument("--serve", action="store_true", help="only serve, for a Locust in another terminal")


def run(arguments: Namespace) -> int:
    """Run Locust against a centre of its own; return Locust's exit code: 1 when a request failed."""
    end_when_told()
    screen = Console(highlight=False, soft_wrap=True)
    folder = served.folder_of(arguments)
    command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--site", str(folder)]
    command += ["--persons", str(arguments.persons), "--cards", str(arguments.cards)]
    command += ["--users", str(arguments.users), "--pause", f"{arguments.pause:g}"]
    if arguments.headless:
        command += ["--headless", "--run-time", f"{arguments.headless:g}s", "--only-summary"]
    else:
        command += ["--web-host", "127.0.0.1", "--web-port", str(arguments.web_port)]
    with _serving(folder, arguments, screen):
        screen.print(shlex.join(command), style="dim")
        if arguments.serve:
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
            return 0
        if not arguments.headless:
            screen.print(f"http://127.0.0.1:{arguments.web_port}")
        return subprocess.run([*ENDING_WITH_US, *command], check=False).returncode  # noqa: S603 (what is above)


@contextmanager
def _serving(folder: Path, arguments: Namespace, screen: Console) -> Iterator[None]:
    with ExitStack() as stack:
        site, _ = stack.enter_context(filled(folder, arguments.persons, SEED, screen))
        deck = asyncio.run(make_deck(site, SEED, arguments.persons, arguments.cards))
        _make_insurer(site)
        stack.enter_context(_revocation_kept_fresh(site))
        api = stack.enter_context(server("eligibility", ["api"], site.api_environment(1), site.folder / "api.log"))
        intake = stack.enter_context(
            server("payer_sync", ["intake"], site.intake_environment(), site.folder / "intake.log")
        )
        stack.enter_context(worker(site))
        members = enrol_members(site, READING_TERMINALS)
        stack.enter_context(served.told(folder, served.Served(api.url, intake.url, str(deck), members)))
        yield


@contextmanager
def _revocation_kept_fresh(site: Site) -> Iterator[None]:
    ended = threading.Event()

    def publish() -> None:
        while not ended.wait(_LISTS_EVERY_S):
            publish_revocation(site.folder, site.jpki)

    publish_revocation(site.folder, site.jpki)  # seeding may have taken longer than those of the opening hold
    thread = threading.Thread(target=publish, name="revocation lists", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _make_insurer(site: Site) -> None:
    number = asyncio.run(enrol_stranger(site))
    site.enrolment.insurer(number.digits, datetime.now(UTC)).write(site.folder / "insurers", number.digits)
    (site.folder / "insurers" / "exploring").write_text(number.digits, encoding="ascii")

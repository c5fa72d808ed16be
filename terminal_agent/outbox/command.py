"""`python -m terminal_agent outbox …`: what was journalled while the line was down, settled or printed."""

import argparse
import json
import math
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console as RichConsole

from eligibility.wire.problems import Sentence
from terminal_agent.client import Centre, CentreError, Refused
from terminal_agent.messages import ADVICE, PROMPTS
from terminal_agent.outbox.draining import Budget, Drain, LiveChecks
from terminal_agent.outbox.journal import Journal, JournalUnusable
from terminal_agent.outbox.paper import Statement, print_statement
from terminal_agent.outbox.sealing import Seal
from terminal_agent.settings import TerminalSettings

_SENDER_A_SECOND: Final = 50.0  # what one sender manages over a line on which an answer takes 20 ms
_MOST_SENDERS: Final = 4


def add_arguments(parser: argparse.ArgumentParser) -> tuple[argparse.ArgumentParser, ...]:
    """Say what the command takes; return the parsers of its actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    state = actions.add_parser("state", help="Count the visits in each state.")
    drain = actions.add_parser("drain", help="Settle what can be settled now, then end.")
    paper = actions.add_parser("paper", help="Print an empty 被保険者資格申立書 for a patient to fill in.")
    paper.add_argument("file", type=Path, help="the PDF to write")
    return state, drain, paper


def open_journal(settings: TerminalSettings, *, make_key: bool = True) -> Journal:
    """Open the outbox the settings name, with its key; without `make_key` only where that exists.

    Raises:
        OutboxTrouble: no outbox is named, or it or its key cannot be used.
    """
    if settings.outbox_file is None:
        raise JournalUnusable
    return Journal(settings.outbox_file, open_seal(settings, settings.outbox_file, make=make_key))


def open_seal(settings: TerminalSettings, file: Path, *, make: bool = True) -> Seal:
    """Open the key of an outbox's file, or make it.

    Raises:
        KeyUnusable: it cannot be read, or made.
    """
    if settings.outbox_key_file is not None:
        return Seal.from_file(settings.outbox_key_file, make=make)
    return Seal.from_keyring(str(file.absolute()), make=make)


def drain_of(settings: TerminalSettings, journal: Journal, centre: Centre, live: LiveChecks) -> Drain:
    """Return the drain of a journal, within the settings' budget."""
    a_second = settings.outbox_checks_a_second
    budget = Budget(a_second, burst=max(1, int(a_second)))
    at_once = min(_MOST_SENDERS, math.ceil(a_second / _SENDER_A_SECOND))
    return Drain(journal, centre, budget=budget, live=live, at_once=at_once)


def run(chosen: Any, settings: TerminalSettings, tell: Callable[[Sentence], None], now: datetime) -> None:
    """Run one action and print its result as one JSON object; where the line is away, `tell` says so meanwhile.

    Raises:
        OutboxTrouble, TerminalRefused, CentreError, Refused: as the parts say.
        OSError: the PDF cannot be written.
    """
    out = RichConsole()
    if chosen.action == "paper":
        chosen.file.write_bytes(print_statement(Statement(visited_at=now)))
        return
    with closing(open_journal(settings)) as journal:
        try:
            if chosen.action == "drain":
                with Centre.open(settings) as centre:
                    drain = drain_of(settings, journal, centre, LiveChecks())
                    drain.settle_now(lambda error, pause_s: _say(error, pause_s, tell))
        finally:
            out.print_json(json.dumps({state.value: count for state, count in journal.counts().items()}))


def _say(error: CentreError | Refused, pause_s: float, tell: Callable[[Sentence], None]) -> None:
    tell(error.problem.staff if isinstance(error, Refused) else ADVICE[error.code].happened)
    again, seconds = PROMPTS["tried_again"], math.ceil(pause_s)
    tell(Sentence(ja=again.ja.format(seconds=seconds), en=again.en.format(seconds=seconds)))

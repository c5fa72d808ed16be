"""`python -m terminal_agent doctor`: how every part of this terminal is, and how to mend what is not well."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from terminal_agent.face.mode import face_mode
from terminal_agent.health import Finding, Level, worst
from terminal_agent.language import Language, in_language
from terminal_agent.probing import examine
from terminal_agent.settings import TerminalSettings

# Shape and word, not colour alone.
_MARKS: Final = {Level.FINE: "✔", Level.UNUSED: "–", Level.WARNING: "!", Level.BROKEN: "✘"}
_STYLES: Final = {Level.FINE: "green", Level.UNUSED: "dim", Level.WARNING: "yellow", Level.BROKEN: "bold red"}


def run(settings: TerminalSettings, settings_file: Path | None, language: Language, as_json: bool) -> bool:
    """Examine this terminal and print the findings; return whether it can check cards."""
    findings = examine(settings, face_mode(settings_file), try_camera=True)
    if as_json:
        Console().print_json(json.dumps({"findings": [_plain(finding) for finding in findings]}, ensure_ascii=False))
    else:
        Console().print(table(findings, language))
    return worst(findings) is not Level.BROKEN


def table(findings: Sequence[Finding], language: Language) -> Table:
    """Lay the findings out, each with how to mend it below."""
    shown = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        words = in_language(finding.happened, language)
        if finding.mend is not None:
            words += f"\n  → {in_language(finding.mend, language)}"
        style = _STYLES[finding.level]
        shown.add_row(f"[{style}]{_MARKS[finding.level]}[/]", in_language(finding.part.words, language), escape(words))
    return shown


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "part": finding.part,
        "level": finding.level,
        "happened": finding.happened.model_dump(),
        "mend": None if finding.mend is None else finding.mend.model_dump(),
    }

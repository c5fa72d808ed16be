"""Each command starts where its lock, and nothing else, is installed (requirements/README.md says whose is whose)."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

from payer_sync.__main__ import _COMMANDS

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"\| `(\w+)\.lock` \| `python -m (\w+) ([^`]+)`")
_BESIDE = {"terminal": ("reader",)}  # a clinic's PC with a card reader
# Imports every module, and starts every command, in a process that finds no distribution but the lock's.
_DRIVER = """
import importlib, json, re, sys
from contextlib import redirect_stdout
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from io import StringIO

locked, program, commands, modules = json.load(sys.stdin)
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
left_out = {top for top, found in packages_distributions().items() if not {plain(f) for f in found} & set(locked)}

class Locked(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if path is None and name in left_out else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Locked
main = importlib.import_module(program + ".__main__").main
for command in commands:
    with redirect_stdout(StringIO()):
        try:
            ended = main([command, "--help"])
        except SystemExit as stopped:
            ended = stopped.code
    if ended:
        sys.exit(f"{command} --help ended with {ended}")
for module in modules:
    importlib.import_module(module)
"""


def _rows() -> list[tuple[str, str, list[str]]]:
    """Return each lock with its program and commands, none where … stands for all of them."""
    said = _ROW.findall((ROOT / "requirements" / "README.md").read_text("utf-8"))
    return [(lock, program, commands.split(", ") if commands != "…" else []) for lock, program, commands in said]


def _locked(lock: str) -> list[str]:
    names = (lock, *_BESIDE.get(lock, ()))
    return re.findall(r"^([a-z0-9-]+)==", "\n".join((ROOT / f"requirements/{n}.lock").read_text() for n in names), re.M)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports what, in functions too."""
    return grimp.build_graph("eligibility", "payer_sync", "terminal_agent", include_external_packages=True)


def _needed(graph: grimp.ImportGraph, program: str, commands: list[str]) -> list[str]:
    """Return the modules a program's commands come to need, those that a function imports only when called included."""
    roots = {f"{program}.__main__"}
    if program == "payer_sync":  # its main module imports a command's module when that is given
        roots = {_COMMANDS[command][0] if command in _COMMANDS else f"{program}.__main__" for command in commands}
    needed = roots.union(*(graph.find_upstream_modules(root) for root in roots)) - {f"{program}.__main__"}
    return sorted(module for module in needed if find_spec(module.partition(".")[0]))  # pyscard may not be here


@pytest.mark.parametrize(("lock", "program", "commands"), _rows())
def test_a_command_needs_nothing_outside_its_lock(
    graph: grimp.ImportGraph, lock: str, program: str, commands: list[str]
) -> None:
    given = json.dumps([_locked(lock), program, commands or ["--help"], _needed(graph, program, commands)])

    run = subprocess.run([sys.executable, "-c", _DRIVER], input=given, cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == 0, run.stderr


def test_every_command_has_a_lock() -> None:
    named = {(program, command) for _, program, commands in _rows() for command in commands or ["…"]}
    pushed = {("payer_sync", command) for command in (*_COMMANDS, "intake")}

    assert named == {("eligibility", "…"), ("terminal_agent", "…")} | pushed

"""`python -m terminal_agent passcode FILE`: sets the passcode with which staff confirm a face by eye."""

import sys
from getpass import getpass
from pathlib import Path

from terminal_agent.kiosk.passcode import PasscodesDiffer, write_passcode


def run(file: Path) -> None:
    """Ask for a passcode twice on the terminal, or read it as one line of standard input, and keep its hash.

    Raises:
        PasscodesDiffer, PasscodeTooShort: it is not taken.
        PasscodeUnreadable: the file cannot be written.
    """
    if sys.stdin.isatty():
        entered, again = getpass("パスコード / passcode: "), getpass("もう一度 / again: ")
        if entered != again:
            raise PasscodesDiffer
    else:
        entered = sys.stdin.readline().rstrip("\n")
    write_passcode(file, entered)

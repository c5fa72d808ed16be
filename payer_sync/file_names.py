"""How the names of files are told to people and to the centre, whatever bytes they are made of."""

import os
import unicodedata
from pathlib import Path
from typing import Final

_UNSEEN: Final = ("Cc", "Cf", "Zl", "Zp")
NAME_BYTES: Final = 255  # of a file's name, on nearly every system
_ROOM: Final = 32  # of these, for what is added to a name that was shortened: ~2, .feedback.jsonl.part


def legible(path: Path | str) -> str:
    """Return a name or path as text; one that is not UTF-8 is taken for cp932, as archives made on Windows have it.

    What steers a terminal or turns the direction of writing is shown as an escape (ESC as \\x1b).
    """
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = os.fsencode(text).decode("cp932", errors="backslashreplace")
    return "".join(
        sign.encode("unicode_escape").decode() if unicodedata.category(sign) in _UNSEEN else sign for sign in text
    )


def shortened(name: str) -> tuple[str, str]:
    """Return the stem and the ending of a name, the stem cut where it leaves no room for what is added to it."""
    path = Path(name)
    stem, suffix = (path.stem, path.suffix) if len(os.fsencode(path.suffix)) <= _ROOM else (name, "")
    room = NAME_BYTES - _ROOM - len(os.fsencode(suffix))
    if len(os.fsencode(stem)) > room:
        stem = os.fsencode(stem)[:room].decode("utf-8", errors="ignore")
    return stem, suffix

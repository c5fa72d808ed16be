"""How the names of files are told to people and to the centre, whatever bytes they are made of."""

import os
from pathlib import Path


def legible(path: Path | str) -> str:
    """Return a name or path as text; one that is not UTF-8 is taken for cp932, as archives made on Windows have it."""
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode("cp932", errors="backslashreplace")
    return text

"""Reads named SQL statements from files: `-- name: x`, its sentence and parameters as comments, the statement."""

import re
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\n", re.MULTILINE)


@cache
def statements(package: str) -> MappingProxyType[str, str]:
    """Return name → statement for every `*.sql` file of a package's folder, such as "eligibility.storage.queries".

    Raises:
        ValueError: two statements share a name.
    """
    found: dict[str, str] = {}
    for path in sorted(files(package).iterdir(), key=lambda p: p.name):
        if path.name.endswith(".sql"):
            _, *parts = _NAME.split(path.read_text(encoding="utf-8"))
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                if name in found:
                    raise ValueError(f"{package}: two statements are named {name}")
                found[name] = text.strip()
    return MappingProxyType(found)

"""Which layouts and editions there are: every module of this package named NAME_EDITION, by its LAYOUT."""

import re
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import MappingProxyType

from payer_sync.layouts.layout import Layout

_EDITION = re.compile(r"([a-z_]+_[0-9]+)\.py")


class LayoutUnknown(Exception):
    """No layout of this name has this edition."""


@cache
def layouts() -> MappingProxyType[tuple[str, int], Layout]:
    """Return every layout by its name and edition."""
    modules = (_EDITION.fullmatch(path.name) for path in files("payer_sync.layouts").iterdir())
    found = [import_module(f"payer_sync.layouts.{module[1]}").LAYOUT for module in modules if module]
    return MappingProxyType({(layout.name, layout.edition): layout for layout in found})


def find_layout(name: str, edition: int) -> Layout:
    """Return one edition of a layout.

    Raises:
        LayoutUnknown: there is none.
    """
    try:
        return layouts()[name, edition]
    except KeyError as error:
        raise LayoutUnknown from error

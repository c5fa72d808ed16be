"""Which layouts and editions there are, and how each stands on a day.

Those whose files are tables of columns are modules NAME_EDITION with their LAYOUT; the others are UKE files.
"""

import re
from datetime import date
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import MappingProxyType
from typing import Protocol

from eligibility.domain.codes import FieldCode
from payer_sync.claims.records import UKES, Uke
from payer_sync.faults import Fault, FaultCode, both
from payer_sync.layouts.layout import Layout

_EDITION = re.compile(r"([a-z_]+_[0-9]+)\.py")


class LayoutUnknown(Exception):
    """No layout of this name has this edition."""


class EditionState(FieldCode):
    """How an edition stands on a day."""

    IN_FORCE = "in_force", "有効", "in force"
    PREVIOUS = "previous", "旧版(移行期間中は有効)", "previous, accepted in its overlap"
    BETA = "beta", "次版(練習環境のみ)", "next, in practice environments only"
    ENDED = "ended", "受付終了", "no longer accepted"


class Edition(Protocol):
    """An edition of a layout, whether its files are tables of columns or not."""

    @property
    def name(self) -> str:
        """The layout's name."""
        ...

    @property
    def edition(self) -> int:
        """Its number."""
        ...

    @property
    def accepted_from(self) -> date:
        """The first day on which it is taken."""
        ...

    @property
    def accepted_until(self) -> date | None:
        """The last one by its own table; None while no end is known."""
        ...


@cache
def layouts() -> MappingProxyType[tuple[str, int], Layout]:
    """Return every layout of columns by its name and edition."""
    modules = (_EDITION.fullmatch(path.name) for path in files("payer_sync.layouts").iterdir())
    found = [import_module(f"payer_sync.layouts.{module[1]}").LAYOUT for module in modules if module]
    ordered = sorted(found, key=lambda layout: (layout.name, layout.edition))
    return MappingProxyType({(layout.name, layout.edition): layout for layout in ordered})


def find_layout(name: str, edition: int) -> Layout:
    """Return one edition of a layout of columns.

    Raises:
        LayoutUnknown: there is none.
    """
    try:
        return layouts()[name, edition]
    except KeyError as error:
        raise LayoutUnknown from error


@cache
def editions() -> MappingProxyType[tuple[str, int], Layout | Uke]:
    """Return every edition of every layout, in order, by name and number."""
    every: dict[tuple[str, int], Layout | Uke] = {**layouts(), **UKES}
    return MappingProxyType(dict(sorted(every.items())))


def find_edition(name: str, edition: int) -> Layout | Uke:
    """Return one edition of a layout.

    Raises:
        LayoutUnknown: there is none.
    """
    try:
        return editions()[name, edition]
    except KeyError as error:
        raise LayoutUnknown from error


def accepted_until(layout: Edition) -> date | None:
    """Return an edition's last day, by its own table or by that of the edition after it; None while none is known."""
    following = layouts().get((layout.name, layout.edition + 1))
    ends = (layout.accepted_until, following.previous_until if following else None)
    return min((end for end in ends if end), default=None)


def edition_state(layout: Edition, day: date) -> EditionState:
    """Return how an edition stands on a day."""
    if day < layout.accepted_from:
        return EditionState.BETA
    end = accepted_until(layout)
    if end and end < day:
        return EditionState.ENDED
    begun = (e for (name, _), e in editions().items() if name == layout.name and e.accepted_from <= day)
    newer = any(other.edition > layout.edition for other in begun)
    return EditionState.PREVIOUS if newer else EditionState.IN_FORCE


def not_taken(edition: Edition, day: date, *, practice: bool) -> Fault | None:
    """Return why files of an edition are refused on a day: from when it is taken, or until when it was."""
    state = edition_state(edition, day)
    if state is EditionState.BETA and not practice:
        said = both(
            f"{edition.accepted_from} から受け付けます。それまでは練習環境だけです。",
            f"accepted from {edition.accepted_from}; until then by practice environments only",
        )
        return Fault(FaultCode.EDITION_NOT_YET, expected=said)
    if state is EditionState.ENDED:
        last = accepted_until(edition)
        return Fault(
            FaultCode.EDITION_ENDED, expected=both(f"{last} で受付を終了しました。", f"was accepted until {last}")
        )
    return None

"""Faults that refuse a file without ending its check: gathered while the rest is read, told when the reading ends."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from payer_sync.faults import Fault, FaultCode, FileRefused, both

MAX_TOLD: Final = 1_000  # of one file, each with its place; of those beyond, only how many there are


class Refusals:
    """What was gathered of one file."""

    def __init__(self) -> None:
        self._told: list[Fault] = []
        self._more: Counter[FaultCode] = Counter()

    def add(self, fault: Fault) -> None:
        """Gather a fault; the file is refused when its reading ends."""
        if len(self._told) < MAX_TOLD:
            self._told.append(fault)
        else:
            self._more[fault.code] += 1

    def faults(self) -> tuple[Fault, ...]:
        """Return the first of them, and one more for each code of which there are others."""
        return (*self._told, *(_and_more(code, number) for code, number in self._more.items()))


@contextmanager
def gathered_refusals() -> Iterator[Refusals]:
    """Gather while a file is read.

    Raises:
        FileRefused: at the end, if anything was gathered; also with what ended the reading early.
    """
    refusals = Refusals()
    try:
        yield refusals
    except FileRefused as ended:
        raise FileRefused(*refusals.faults(), *ended.faults) from ended
    if faults := refusals.faults():
        raise FileRefused(*faults)


def _and_more(code: FaultCode, number: int) -> Fault:
    ja, en = f"{code.ja}(場所を示したもののほかに{number:,}件)", f"{code.en} ({number:,} more than are named)"
    return Fault(code, expected=both(ja, en))

"""Where the patient's card lies: tells when it comes and goes, and lets one visit hold it alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event as Flag
from typing import Final, Protocol

from terminal_agent.card.connection import Connection
from terminal_agent.card.errors import CardError, CardMissing
from terminal_agent.card.reader import card_in_reader, card_left, reader_with_card
from terminal_agent.card.virtual_files import card_in_folder
from terminal_agent.kiosk.visit import CardPut, CardTaken, ReaderFound, ReaderLost

LOOK_S: Final = 0.5
_FOLDER_LOOK_S: Final = 0.1
SlotEvent = CardPut | CardTaken | ReaderFound | ReaderLost


class Slot(Protocol):
    """A place for one card: a PC/SC reader, or a folder that may hold a virtual card."""

    def watch(self, stopping: Flag) -> Iterator[SlotEvent]:
        """Tell each change, beginning with how things are, until `stopping` is set."""

    def hold(self) -> AbstractContextManager[Connection]:
        """Hold the card alone for the block.

        Raises:
            CardError: it cannot be held.
        """


class ReaderSlot:
    """A PC/SC reader; without a name, the first that gets a card."""

    def __init__(self, wanted: str | None) -> None:
        self._wanted = wanted
        self._found: str | None = None

    def watch(self, stopping: Flag) -> Iterator[SlotEvent]:
        """Tell each change, beginning with how things are, until `stopping` is set."""
        told: SlotEvent | None = None
        while not stopping.is_set():
            now = self._look(told)
            if now is not None and now != told:
                told = now
                yield now
            if isinstance(now, ReaderLost):
                stopping.wait(LOOK_S)

    def hold(self) -> AbstractContextManager[Connection]:
        """Hold the card that was seen, or any that is there now."""
        return card_in_reader(self._found or self._wanted, 0)

    def _look(self, told: SlotEvent | None) -> SlotEvent | None:
        """Wait a moment for a change; return what is so now, or None if that is as it was."""
        try:
            if isinstance(told, CardPut) and self._found is not None:
                return CardTaken() if card_left(self._found, LOOK_S) else None
            self._found = reader_with_card(self._wanted, 0 if told is None else LOOK_S)
        except CardMissing:
            return None if isinstance(told, CardTaken) else ReaderFound()
        except CardError as error:
            return ReaderLost(error.code)
        return CardPut()


class FolderSlot:
    """A folder in place of a reader: the card lies there as long as the folder holds one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def watch(self, stopping: Flag) -> Iterator[SlotEvent]:
        """Tell each change, beginning with how things are, until `stopping` is set."""
        was = False
        yield ReaderFound()
        while not stopping.is_set():
            there = (self._folder / "card.json").exists()
            if there != was:
                was = there
                yield CardPut() if there else CardTaken()
            stopping.wait(_FOLDER_LOOK_S)

    def hold(self) -> AbstractContextManager[Connection]:
        """Hold the folder's card."""
        return card_in_folder(self._folder)

"""A reader in the hand of a test or a bench: in the process, without pcscd, so that every machine can run it."""

import threading
from collections.abc import Iterator

from terminal_agent.kiosk.slot import SlotEvent
from terminal_agent.kiosk.visit import CardPut, CardTaken, ReaderFound


class HandSlot:
    """Tells the kiosk what is done with reader and card; what the card answers, a subclass says."""

    def __init__(self) -> None:
        self._told: list[SlotEvent] = [ReaderFound()]
        self._changed = threading.Condition()

    def insert(self) -> None:
        """Put the card on the reader."""
        self.tell(CardPut())

    def remove(self) -> None:
        """Take the card away."""
        self.tell(CardTaken())

    def tell(self, event: SlotEvent) -> None:
        """Let an event happen."""
        with self._changed:
            self._told.append(event)
            self._changed.notify_all()

    def watch(self, stopping: threading.Event) -> Iterator[SlotEvent]:
        """Give the events as they happen."""
        while not stopping.is_set():
            with self._changed:
                self._changed.wait_for(lambda: bool(self._told), timeout=0.1)
                told, self._told = self._told, []
            yield from told

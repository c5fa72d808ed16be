"""A line between terminal and centre that can be cut and mended: a TCP relay in a thread."""

import contextlib
import socket
import threading
from typing import Self


class Line:
    """Relays to the centre while it is whole; while it is cut, nobody listens and open connections are reset."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._near = 0
        self._listening: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        # Keeps the port from others while the line is cut: bound, but not listening.
        self._holding = bound(0)
        self._near = self._holding.getsockname()[1]
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._holding.close()

    @property
    def port(self) -> int:
        """Where it begins."""
        return self._near

    def mend(self) -> None:
        """Listen again, on the same port."""
        listening = bound(self._near)
        listening.listen()
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def cut(self) -> None:
        """Stop listening and break what is open."""
        if self._listening is None:
            return
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            self._listening = None
            broken, self._open = self._open, set()
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", self._far))
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    if self._listening is not listening:  # cut meanwhile
                        near.close()
                        far.close()
                        return
                    self._open |= {near, far}
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self._lock:
                self._open.discard(end)


def bound(port: int) -> socket.socket:
    """Return a socket with a port that several may have, of which one may listen."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made

"""A line to PostgreSQL that is cut at a chosen message, as if the loading process had been killed there."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from urllib.parse import parse_qs, urlsplit

HEADER = 5  # type and length


class Cut(Enum):
    """Where a line is cut: once a statement was sent, its answer unknown; or once it was answered."""

    SENT = frozenset(b"EQc")  # Execute, Query, CopyDone
    ANSWERED = frozenset(b"Z")  # ReadyForQuery


class CuttingLine:
    """Passes on what goes between any number of clients and a server, up to the n-th message; then cuts them all."""

    def __init__(self, database_url: str, at: int, how: Cut, on_cut: Callable[[], None] = lambda: None) -> None:
        self._upstream = urlsplit(database_url)
        self._left = at
        self._how = how
        self._on_cut = on_cut
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut = False

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://{self._upstream.username}@127.0.0.1:{port}{self._upstream.path}?sslmode=disable"

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        self._end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        folder = parse_qs(self._upstream.query).get("host", [""])[0]
        if folder:
            server = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{self._upstream.port or 5432}")
        else:
            server = await asyncio.open_connection(self._upstream.hostname, self._upstream.port or 5432)
        self._writers.append(server[1])
        start = await reader.readexactly(4)  # the first message has no type
        server[1].write(start + await reader.readexactly(int.from_bytes(start) - 4))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.gather(
                self._pass_on(reader, server[1], counted=self._how is Cut.SENT),
                self._pass_on(server[0], writer, counted=self._how is Cut.ANSWERED),
            )
        for one in (writer, server[1]):
            one.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        while not self.cut:
            head = await reader.readexactly(HEADER)
            writer.write(head + await reader.readexactly(int.from_bytes(head[1:]) - 4))
            await writer.drain()
            if counted and head[0] in self._how.value:
                self._left -= 1
                if self._left == 0:
                    self._end()

    def _end(self) -> None:
        if not self.cut:
            self.cut = self._left == 0
            self._on_cut()
        for writer in self._writers:
            # What was passed on reaches the server; the loader finds its line closed.
            writer.close()


class DeafLine(CuttingLine):
    """Reads nothing more of a client that has begun to send rows, until it is cut."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url, 1, Cut.SENT)
        self._hung_up = asyncio.Event()
        self.deaf = asyncio.Event()  # from now on

    def hang_up(self) -> None:
        """Cut it."""
        self._hung_up.set()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        while not self.cut:
            head = await reader.readexactly(HEADER)
            if counted and head[:1] == b"d":  # CopyData
                self.deaf.set()
                await self._hung_up.wait()
                self._left = 0
                self._end()
                return
            writer.write(head + await reader.readexactly(int.from_bytes(head[1:]) - 4))
            await writer.drain()

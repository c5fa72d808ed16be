import asyncio
import socket

import pytest

from terminal_agent.loopback import LOOPBACK, PortTaken, bound_to_loopback


async def test_whoever_calls_is_answered_without_waiting_for_more_to_send() -> None:
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering = writer.get_extra_info("socket")
        seen.set_result(answering.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = bound_to_loopback(0)
    async with await asyncio.start_server(called, sock=listening):
        _, calling = await asyncio.open_connection(*listening.getsockname())
        assert await seen
        calling.close()
        await calling.wait_closed()


def test_only_this_machine_is_listened_to_and_a_port_has_one_listener() -> None:
    with bound_to_loopback(0) as listening:
        listening.listen()
        address, port = listening.getsockname()
        assert address == LOOPBACK
        with pytest.raises(PortTaken):
            bound_to_loopback(port)

"""Listens on this machine's own address, for the screens and for the clinic's software."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


class PortTaken(Exception):
    """Another program listens on the port."""

    code = "port_taken"


def bound_to_loopback(port: int) -> socket.socket:
    """Return a socket that is bound to a port (0: to a free one) and reached from this machine alone.

    Raises:
        PortTaken: another program has the port.
    """
    # With the protocol named: asyncio turns Nagle's algorithm off only where it is, and an answer that is written in
    # two parts would otherwise wait 40 ms for the acknowledgement of the first.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise PortTaken from error
    except BaseException:
        bound.close()
        raise
    return bound

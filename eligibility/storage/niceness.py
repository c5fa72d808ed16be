"""Lets PostgreSQL's processes give way as the process does that they work for.

`nice` gives one process a lower priority. What a load or a bulk check costs is mostly computed elsewhere: by the server
processes of its sessions, which know nothing of it. And where Linux shares processors out between sessions first (its
autogroups, sched(7)), niceness counts only within a session: every PostgreSQL process is one of its own, with the same
right to a processor as all processes of a service together.

Niceness says how much of a processor each of two gets, not when. From Linux 6.12 on, who wakes up takes a processor at
once from one who has asked for a longer slice of time (`sched_setattr(2)`), and has to wait for the end of the slice
otherwise, several times for one answer. Those who give way ask for the longest.
"""

import asyncio
import ctypes
import os
import platform
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_SERVER_PROCESS: Final = "postgres:"  # so each of PostgreSQL's processes names itself, then the role it works for
# Linux lets whoever is not root tell the niceness of one autogroup in a tenth of a second.
_TRIES: Final = 20
_AGAIN_AFTER_S: Final = 0.11
_LONGEST_SLICE_NS: Final = 100_000_000
# struct sched_attr: its size, policy, flags, niceness, a priority, the slice, and two values that only deadlines have.
# Neither Python nor glibc before 2.41 has the call; its number on each kind of machine.
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
_SET_ATTRIBUTES: Final = {"x86_64": 314, "aarch64": 274}


async def give_way_together(server_process: int, role: str) -> None:
    """Give the PostgreSQL process of a session, if it runs on this machine, the niceness of this process.

    A process that was started without `nice` changes nothing. What the system does not allow stays as it is: another
    user's server process is told by root only.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= 0:
        return
    with suppress(OSError):
        await _give_way(os.getpid(), niceness)
    with suppress(OSError):  # it is another machine's, it is gone, or it is not ours to tell
        if _works_for(server_process, role):
            await _give_way(server_process, niceness)


def _works_for(process: int, role: str) -> bool:
    said = Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace")
    return said.startswith(_SERVER_PROCESS) and f" {role} " in said


async def _give_way(process: int, niceness: int) -> None:
    if os.getpriority(os.PRIO_PROCESS, process) < niceness:
        os.setpriority(os.PRIO_PROCESS, process, niceness)
    _ask_for_long_slices(process)
    for _ in range(_TRIES):
        if _session_gives_way(process, niceness):
            return
        await asyncio.sleep(_AGAIN_AFTER_S)


def _session_gives_way(process: int, niceness: int) -> bool:
    """Tell Linux the niceness of the session that a process leads; return False if it wants to be told later."""
    shared = Path(f"/proc/{process}/autogroup")
    if os.getsid(process) != process or not shared.exists() or shared.read_text("ascii").endswith(f" {niceness}\n"):
        return True
    try:
        shared.write_text(str(niceness), encoding="ascii")
    except BlockingIOError:
        return False
    return True


def _ask_for_long_slices(process: int) -> None:
    call = _SET_ATTRIBUTES.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None
    if call is None or os.sched_getscheduler(process) != os.SCHED_OTHER:
        return
    niceness = os.getpriority(os.PRIO_PROCESS, process)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, _LONGEST_SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(call, process, attributes, 0)

"""The child process that decodes a photo nobody vouches for: little memory, little time, nothing but its pipes.

Reads the encoded picture from standard input; writes rows and columns (two bytes each) and the pixels.
"""

import resource
import sys
import time
from pathlib import Path
from typing import Final

_MORE_MEMORY_BYTES: Final = 256 * 1024 * 1024  # than the libraries took, which differs from machine to machine
_CPU_S: Final = 3  # and the rest of the second at which the libraries are loaded


def main() -> int:
    """Decode one picture; return 1 where it is none."""
    from terminal_agent.face.card_photo import MAX_BYTES, MAX_SIDE
    from terminal_agent.face.opencv import decode

    # After the libraries are loaded, so that the limits meet the picture and not them.
    cpu_s = int(time.process_time()) + 1 + _CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    memory = pages * resource.getpagesize() + _MORE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    picture = decode(sys.stdin.buffer.read(MAX_BYTES + 1))
    if picture is None or max(picture.shape[:2]) > MAX_SIDE:
        return 1
    rows, columns = picture.shape[:2]
    sys.stdout.buffer.write(rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + picture.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())

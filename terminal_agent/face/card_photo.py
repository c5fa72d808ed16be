"""The card's photo from its JPEG 2000: bounds first, then the decoder, and for a photo nobody vouches for, in a cell.

A photo whose signature leads to a pinned authority is decoded here. Any other may have been made to break the decoder,
so a child process with little memory and time does it.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np

from terminal_agent.face.faces import Picture

MAX_BYTES: Final = 64 * 1024  # real ones have about 5 KB
MAX_SIDE: Final = 1024  # real ones have 240 x 320
MAX_COMPONENTS: Final = 4
MAX_TILES: Final = 64
_MAX_DEPTH: Final = 16

_JP2_SIGNATURE: Final = bytes.fromhex("0000000c6a5020200d0a870a")
_CODESTREAM_START: Final = bytes.fromhex("ff4fff51")  # SOC, then SIZ, which must come next (ISO/IEC 15444-1 A.5.1)
_SIZ_BYTES: Final = 38
_CELL_TIMEOUT_S: Final = 10.0  # of a busy machine; a photo takes a quarter of a second
# The child finds this very code, and learns nothing else of its surroundings.
_CELL_ENVIRONMENT: Final = {"PYTHONPATH": str(Path(__file__).parents[2])}


def decode_photo(encoded: bytes, trusted: bool) -> Picture | None:
    """Decode a card's photo to blue, green, red, or return None where it is unreadable or beyond the bounds."""
    if not within_bounds(encoded):
        return None
    if not trusted:
        return _decode_in_cell(encoded)
    from terminal_agent.face.opencv import decode  # here, since this module is imported where OpenCV does not load

    picture = decode(encoded)
    return None if picture is None or max(picture.shape[:2]) > MAX_SIDE else picture


def within_bounds(encoded: bytes) -> bool:
    """Tell whether these bytes begin a JPEG 2000 picture of a card's size; nothing is decoded."""
    if len(encoded) > MAX_BYTES:
        return False
    codestream = encoded if encoded.startswith(_CODESTREAM_START) else _codestream(encoded)
    if codestream is None or not codestream.startswith(_CODESTREAM_START) or len(codestream) < 4 + _SIZ_BYTES:
        return False
    siz = codestream[8:]  # behind SOC, SIZ's marker, its length and the capabilities
    width, height, left, top, tile_width, tile_height, tile_left, tile_top = (
        int.from_bytes(siz[start : start + 4], "big") for start in range(0, 32, 4)
    )
    components = int.from_bytes(siz[32:34], "big")
    if not (0 < width - left <= MAX_SIDE and 0 < height - top <= MAX_SIDE and max(width, height) <= 2 * MAX_SIDE):
        return False
    if not (0 < components <= MAX_COMPONENTS and tile_width and tile_height):
        return False
    depths = siz[34 : 34 + 3 * components : 3]
    tiles = -(-(width - tile_left) // tile_width) * -(-(height - tile_top) // tile_height)
    return 0 < tiles <= MAX_TILES and all((depth & 0x7F) < _MAX_DEPTH for depth in depths)


def _codestream(encoded: bytes) -> bytes | None:
    """Return the first codestream of a JP2 file by walking its boxes, as the decoder does (ISO/IEC 15444-1 I.4)."""
    if not encoded.startswith(_JP2_SIGNATURE):
        return None
    position = 0
    while position + 8 <= len(encoded):
        length, kind = int.from_bytes(encoded[position : position + 4], "big"), encoded[position + 4 : position + 8]
        start = position + 8
        if length == 1:
            length, start = int.from_bytes(encoded[start : start + 8], "big"), start + 8
        end = len(encoded) if length == 0 else position + length
        if kind == b"jp2c":
            return encoded[start:end]
        if end < start:
            return None
        position = end
    return None


def _decode_in_cell(encoded: bytes) -> Picture | None:
    command = [sys.executable, "-s", "-P", "-m", "terminal_agent.face.cell"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, fed through its standard input
            command, input=encoded, capture_output=True, timeout=_CELL_TIMEOUT_S, check=True, env=_CELL_ENVIRONMENT
        )
    except (subprocess.SubprocessError, OSError):
        return None
    rows, columns = (int.from_bytes(done.stdout[start : start + 2], "big") for start in (0, 2))
    pixels = done.stdout[4:]
    if not rows or not columns or max(rows, columns) > MAX_SIDE or len(pixels) != rows * columns * 3:
        return None
    return np.frombuffer(pixels, dtype=np.uint8).reshape(rows, columns, 3).copy()

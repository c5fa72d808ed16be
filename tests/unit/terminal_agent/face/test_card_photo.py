import os
import signal
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from terminal_agent.face import card_photo
from terminal_agent.face.card_photo import decode_photo, within_bounds
from tests.unit.terminal_agent.face.networks import scene


def jp2(rows: int = 320, columns: int = 240, depth: type = np.uint8, colour: bool = False) -> bytes:
    picture = scene((4, 4), size=(rows, columns))
    made = picture if colour else picture[:, :, 0]
    if depth is np.uint16:
        made = made.astype(np.uint16) * 257
    return bytes(cv2.imencode(".jp2", made, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 65])[1])


GOOD = jp2()
SOC = GOOD.index(b"\xff\x4f\xff\x51")
CODESTREAM = GOOD[SOC:]


def siz(**changes: int) -> bytes:
    """Return the good picture with other numbers in its SIZ (ISO/IEC 15444-1 A.5.1)."""
    places = {"width": (8, 4), "height": (12, 4), "left": (16, 4), "tile_width": (24, 4), "tile_height": (28, 4)}
    places |= {"tile_left": (32, 4), "components": (40, 2), "depth": (42, 1), "marker_length": (4, 2)}
    forged = bytearray(GOOD)
    for name, value in changes.items():
        start, length = places[name]
        forged[SOC + start : SOC + start + length] = value.to_bytes(length, "big")
    return bytes(forged)


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    "encoded",
    [GOOD, GOOD + bytes(500), GOOD + b"\xff" * 500, CODESTREAM, jp2(colour=True), jp2(depth=np.uint16), jp2(400, 300)],
    ids=["good", "padded 00", "padded FF", "codestream", "colour", "16 bit", "bigger"],
)
def test_a_photo_is_decoded_to_three_channels_of_eight_bits(encoded: bytes, trusted: bool) -> None:
    picture = decode_photo(encoded, trusted)
    assert picture is not None
    assert picture.dtype == np.uint8
    assert picture.shape in ((320, 240, 3), (400, 300, 3))
    assert 60 < picture.mean() < 160


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"garbage" * 100,
        GOOD[:12],
        GOOD[: len(GOOD) // 10],
        GOOD[: len(GOOD) * 3 // 10],
        GOOD[: len(GOOD) * 6 // 10],
        GOOD[: len(GOOD) * 95 // 100],
        CODESTREAM[:20],
        GOOD[:SOC] + bytes(200),
        GOOD + bytes(64 * 1024),
        siz(width=40_000, height=40_000),
        siz(width=1025),
        siz(height=1025),
        siz(width=0),
        siz(left=240),
        siz(left=2**32 - 1),
        siz(tile_width=1, tile_height=1),
        siz(tile_width=0),
        siz(components=0),
        siz(components=5),
        siz(components=16_384),
        siz(depth=37),
        bytes(cv2.imencode(".png", scene((4, 4)))[1]),
        bytes(cv2.imencode(".jpg", scene((4, 4)))[1]),
        jp2(1100, 200),
    ],
)
def test_what_is_no_card_photo_is_unreadable_and_nothing_worse(encoded: bytes, trusted: bool) -> None:
    assert decode_photo(encoded, trusted) is None


def test_the_size_that_counts_is_the_one_the_decoder_will_read() -> None:
    """A small SIZ hidden in a box before the codestream must not vouch for a big one in it."""
    big = siz(width=30_000, height=30_000)
    first_box = big.index(b"ftyp") - 4
    decoy = (8 + len(CODESTREAM)).to_bytes(4, "big") + b"free" + CODESTREAM
    assert not within_bounds(big[:first_box] + decoy + big[first_box:])
    assert within_bounds(GOOD[:first_box] + decoy + GOOD[first_box:])


@pytest.mark.parametrize("length", [0, 1, 2, 7, 8])
def test_boxes_that_lie_about_their_length_end_the_walk(length: int) -> None:
    forged = bytearray(GOOD)
    forged[12:16] = length.to_bytes(4, "big")
    assert isinstance(within_bounds(bytes(forged)), bool)


@pytest.mark.parametrize("seed", range(40))
def test_photos_with_bytes_changed_never_break_anything(seed: int) -> None:
    chance = np.random.default_rng(seed)
    forged = bytearray(GOOD)
    for _ in range(8):
        forged[int(chance.integers(12, len(forged)))] = int(chance.integers(0, 256))
    picture = decode_photo(bytes(forged), trusted=True)
    assert picture is None or max(picture.shape[:2]) <= card_photo.MAX_SIDE


def test_the_cell_is_told_nothing_and_may_write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, object]] = []
    real: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run

    def watched(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        seen.append(options)
        return real(*arguments, **options)

    monkeypatch.setenv("TERMINAL_SECRET", "canary")
    monkeypatch.setattr(subprocess, "run", watched)
    assert decode_photo(GOOD, trusted=False) is not None
    assert seen[0]["env"] == {"PYTHONPATH": os.fspath(card_photo.Path(card_photo.__file__).parents[2])}


def test_a_cell_that_takes_too_long_or_dies_is_a_photo_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hurried:
        hurried.setattr(card_photo, "_CELL_TIMEOUT_S", 0.001)
        assert decode_photo(GOOD, trusted=False) is None
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert decode_photo(GOOD, trusted=False) is None


def test_the_cells_memory_ends_a_little_above_what_its_libraries_take() -> None:
    """A picture that grows while it is decoded meets the limit, whatever the machine has."""
    greedy = (
        "import terminal_agent.face.opencv as opencv\n"
        "def decode(encoded):\n"
        "    held = bytearray(300 * 1024 * 1024)\n"
        "opencv.decode = decode\n"
        "from terminal_agent.face import cell\n"
        "cell.main()\n"
    )
    done = _run(greedy)
    assert done.returncode == 1
    assert b"MemoryError" in done.stderr


@pytest.mark.parametrize(("decode", "ended"), [("real(encoded)", 0), ("next(forever)", -signal.SIGKILL)])
def test_the_cells_processor_time_is_its_pictures_and_not_its_libraries(decode: str, ended: int) -> None:
    slow_to_load = (
        "import itertools, sys, time\n"
        "import terminal_agent.face.opencv as opencv\n"
        "from terminal_agent.face import cell\n"
        "real, forever = opencv.decode, filter(None, itertools.repeat(0))\n"
        f"opencv.decode = lambda encoded: {decode}\n"
        "cell._CPU_S = 1\n"
        "while time.process_time() < 2:\n"
        "    pass\n"
        "sys.exit(cell.main())\n"
    )
    assert _run(slow_to_load).returncode == ended


def _run(script: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", script], input=GOOD, capture_output=True, timeout=120, check=False,
        env={"PYTHONPATH": os.fspath(card_photo.Path(card_photo.__file__).parents[2])},
    )  # fmt: skip

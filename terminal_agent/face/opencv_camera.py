"""Cameras through OpenCV: a real one, and one whose frames are the pictures of a folder."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from terminal_agent.face.camera import CameraMissing
from terminal_agent.face.faces import Picture
from terminal_agent.face.opencv import decode

WIDTH: Final = 1280
HEIGHT: Final = 720
FRAMES_PER_S: Final = 10
SHOWN_S: Final = 0.6  # how long a folder's picture stands still before the camera
NOISE: Final = 2.0  # standard deviation of a sensor's noise, in grey levels
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})


class VideoCamera:
    """A camera of the system, by number ("0") or device ("/dev/video0")."""

    def __init__(self, name: str) -> None:
        source = int(name) if name.isdigit() else name
        try:
            self._capture = cv2.VideoCapture(source, cv2.CAP_V4L2)
        except cv2.error as error:
            raise CameraMissing from error
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraMissing
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not a queue of old ones

    def read(self) -> Picture:
        """Wait for the next frame.

        Raises:
            CameraMissing: it was unplugged, or gives nothing.
        """
        done, frame = self._capture.read()
        if not done or frame is None:
            raise CameraMissing
        return np.asarray(frame, dtype=np.uint8)

    def close(self) -> None:
        """Switch the camera off."""
        self._capture.release()


class FolderCamera:
    """Shows a folder's pictures one after the other, by name, again and again, each for a while.

    A real sensor never gives the same frame twice, so noise is laid over each; without it (`noise=0`) the pictures are
    recognised as what they are.
    """

    def __init__(
        self,
        folder: Path,
        noise: float = NOISE,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
            pictures = [decode(path.read_bytes()) for path in files]
        except OSError as error:
            raise CameraMissing from error
        self._pictures = [_as_frame(picture) for picture in pictures if picture is not None]
        if not self._pictures:
            raise CameraMissing
        self._noise = noise
        self._chance = np.random.default_rng()
        self._clock, self._pause = clock, pause
        self._began = clock()

    def read(self) -> Picture:
        """Return the picture of the moment, a tenth of a second after the last."""
        self._pause(1 / FRAMES_PER_S)
        shown = int((self._clock() - self._began) / SHOWN_S) % len(self._pictures)
        picture = self._pictures[shown]
        if not self._noise:
            return picture.copy()
        grain = self._chance.normal(0, self._noise, picture.shape)
        return np.clip(picture + grain, 0, 255).astype(np.uint8)

    def close(self) -> None:
        """Forget the pictures."""
        self._pictures = []


def _as_frame(picture: Picture) -> Picture:
    """Fit a picture into a camera's frame, as if it were held before it."""
    scale = min(1.0, HEIGHT / picture.shape[0], WIDTH / picture.shape[1])
    if scale == 1:
        return picture
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

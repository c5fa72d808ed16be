"""Where frames come from: a camera, or a folder of pictures that stands in for one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from terminal_agent.face.faces import Picture

FOLDER: Final = "folder:"


class CameraMissing(Exception):
    """The camera cannot be opened, gives no pictures any more, or its folder holds none."""

    code = "camera_missing"


class Camera(Protocol):
    """An open camera."""

    def read(self) -> Picture:
        """Wait for the next frame and return it.

        Raises:
            CameraMissing: there is none.
        """

    def close(self) -> None:
        """Switch the camera off."""


@contextmanager
def open_camera(name: str) -> Iterator[Camera]:
    """Open a camera by its number or device, or a folder of pictures by `folder:PATH`; it is off after the block.

    Raises:
        CameraMissing: it cannot be opened.
    """
    try:
        from terminal_agent.face.opencv_camera import FolderCamera, VideoCamera
    except ImportError as error:
        raise CameraMissing from error
    camera: Camera = FolderCamera(Path(name.removeprefix(FOLDER))) if name.startswith(FOLDER) else VideoCamera(name)
    try:
        yield camera
    finally:
        camera.close()

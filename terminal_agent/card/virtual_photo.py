"""The photo of a virtual card, made from any picture the way a card has it: 240 x 320, grey, JPEG 2000 of 5 KB."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 240
HEIGHT: Final = 320
_BYTES: Final = 5000
_HEAD_SHARE: Final = 0.6  # of the photo's height, where it is told where the head is
Box = tuple[float, float, float, float]


class PictureUnreadable(ValueError):
    """The file is no picture."""


def card_photo(picture: bytes, head: Box | None = None) -> bytes:
    """Return the JPEG 2000 of a picture, cut around the head (x, y, width, height in pixels) or to its middle.

    Raises:
        PictureUnreadable: the bytes are no picture that OpenCV reads.
    """
    import cv2

    read = cv2.imdecode(np.frombuffer(picture, dtype=np.uint8), cv2.IMREAD_GRAYSCALE) if picture else None
    if read is None:
        raise PictureUnreadable
    cut = _cut(np.asarray(read, dtype=np.uint8), head)
    small = cv2.resize(cut, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    # The parameter is a thousandth of the uncompressed size.
    share = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, _BYTES * 1000 // (WIDTH * HEIGHT)]
    done, encoded = cv2.imencode(".jp2", small, share)
    if not done:
        raise PictureUnreadable
    return bytes(encoded)


def blank_image(width: int, height: int) -> bytes:
    """Return a white PNG, which stands for text that a virtual card has not drawn."""
    import cv2

    _, encoded = cv2.imencode(".png", np.full((height, width), 255, dtype=np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])
    return bytes(encoded)


def blank_images() -> tuple[bytes, bytes, bytes]:
    """Return blank images for name, address and security code."""
    return blank_image(240, 24), blank_image(240, 48), blank_image(24, 12)


def _cut(picture: NDArray[np.uint8], head: Box | None) -> NDArray[np.uint8]:
    """Cut the biggest three-to-four piece, or one with the head in its middle."""
    rows, columns = picture.shape
    height = min(rows, columns * HEIGHT / WIDTH, head[3] / _HEAD_SHARE if head else rows)
    width = height * WIDTH / HEIGHT
    middle_x, middle_y = (head[0] + head[2] / 2, head[1] + head[3] / 2) if head else (columns / 2, rows / 2)
    left = min(max(middle_x - width / 2, 0), columns - width)
    top = min(max(middle_y - height / 2, 0), rows - height)
    return picture[int(top) : int(top + height), int(left) : int(left + width)]

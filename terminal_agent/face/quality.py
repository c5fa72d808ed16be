"""How well an aligned face can be seen: a blurred or dark one gets no score rather than a low one."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from terminal_agent.face.faces import Picture

_LUMA: Final = np.array([0.114, 0.587, 0.299], dtype=np.float32)
_CLIPPED_FROM: Final = 250


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers of the aligned crop."""

    sharpness: float  # variance of the Laplacian
    edges: float  # the lesser variance of the two Sobel directions: motion takes one of them away
    mean_grey: float
    clipped_share: float  # of pixels at 250 or above


def measure(crop: Picture) -> Quality:
    """Measure an aligned face."""
    grey: NDArray[np.float32] = crop.astype(np.float32) @ _LUMA
    return Quality(
        sharpness=float(_laplacian(grey).var()),
        edges=float(min(_sobel(grey).var(), _sobel(grey.T).var())),
        mean_grey=float(grey.mean()),
        clipped_share=float((grey >= _CLIPPED_FROM).mean()),
    )


def _laplacian(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = grey[1:-1, 1:-1]
    around: NDArray[np.float32] = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return around


def _sobel(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    slope = grey[:, 2:] - grey[:, :-2]
    smoothed: NDArray[np.float32] = slope[:-2] + 2 * slope[1:-1] + slope[2:]
    return smoothed

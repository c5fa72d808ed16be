"""A detector and an embedder that see what a test scripted into a picture, and the pictures to script it with."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from terminal_agent.face.faces import Face, Picture, Vector
from terminal_agent.face.policy import MatchRules

SHA256 = "ab" * 32
CALIBRATED = MatchRules(SHA256, accept=0.42, clearly_different=0.1, calibrated=True)
FRONTAL = Face(240, 160, 120, 160, (270, 220), (330, 220), (300, 250), (278, 280), (322, 280), 0.95)


def face(**changes: object) -> Face:
    """Return a frontal face with some of its parts changed."""
    return replace(FRONTAL, **changes)  # type: ignore[arg-type]


def moved(one: Face, right: float, down: float = 0.0) -> Face:
    """Return the face elsewhere in the picture."""
    points = {
        name: (getattr(one, name)[0] + right, getattr(one, name)[1] + down)
        for name in ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    }
    return replace(one, x=one.x + right, y=one.y + down, **points)


def alike(cosine: float) -> Vector:
    """Return a unit vector with this cosine to the card's, which is the first axis."""
    vector = np.zeros(128, dtype=np.float32)
    vector[0], vector[1] = cosine, np.sqrt(max(0.0, 1 - cosine**2))
    return vector


CARD_VECTOR = alike(1.0)


@dataclass
class Scene:
    """What the next picture shows."""

    faces: Sequence[Face] = (FRONTAL,)
    vector: Vector = field(default_factory=lambda: alike(0.8))
    crop_brightness: int = 0
    crop_flat: bool = False


class Scripted:
    """Detector and embedder in one: a picture's first pixel numbers the scene it shows."""

    def __init__(self) -> None:
        self.scenes: list[Scene] = []
        self.embedded = 0

    def picture(self, scene: Scene | None = None, noise: bool = True) -> Picture:
        """Return a picture of a scene, no two the same unless there is no noise."""
        self.scenes.append(scene or Scene())
        grain = np.random.default_rng(len(self.scenes) if noise else 0)
        made = grain.integers(0, 20, (480, 640, 3), dtype=np.uint8)
        made[0, 0] = (*divmod(len(self.scenes) - 1, 256), 0)
        return made

    def detect(self, picture: Picture) -> Sequence[Face]:
        return self._scene(picture).faces

    def align(self, picture: Picture, face: Face) -> Picture:
        scene = self._scene(picture)
        stripes = np.zeros((112, 112, 3), dtype=np.uint8)
        stripes[::8] = stripes[:, ::8] = 0 if scene.crop_flat else 90
        crop = np.clip(stripes.astype(np.int16) + 100 + scene.crop_brightness, 0, 255).astype(np.uint8)
        crop[0, 0] = picture[0, 0]
        return crop

    def embed(self, crop: Picture) -> Vector:
        self.embedded += 1
        return self._scene(crop).vector.copy()

    def _scene(self, picture: Picture) -> Scene:
        high, low, _ = (int(value) for value in picture[0, 0])
        return self.scenes[high * 256 + low]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

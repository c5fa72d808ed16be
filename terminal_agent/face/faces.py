"""A face found in a picture, and what its five points say about distance and pose."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees, hypot
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # height x width x 3, blue green red, as OpenCV has it
Vector = NDArray[np.float32]  # of length 1
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Face:
    """A found face: its box and five points in pixels of the whole picture, and how sure the detector is."""

    x: float
    y: float
    width: float
    height: float
    right_eye: Point  # the person's right, so the left one in the picture
    left_eye: Point
    nose: Point
    right_mouth: Point
    left_mouth: Point
    score: float

    @property
    def area(self) -> float:
        """The box's area in square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> Point:
        """The middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def eye_distance(self) -> float:
        """How far the eyes are apart in pixels; what distance from the camera comes down to."""
        return hypot(*_minus(self.left_eye, self.right_eye))

    @property
    def roll_degrees(self) -> float:
        """How far the head is tilted to a shoulder."""
        across, down = _minus(self.left_eye, self.right_eye)
        return degrees(atan2(down, across))

    @property
    def yaw_ratio(self) -> float:
        """How far the nose is off the middle between the eyes, along their axis, in eye distances.

        Positive when the nose is towards the person's left eye. About 0.37 · tan(yaw): 0.15 is some 22 degrees.
        """
        along, _ = self._nose_in_eye_axes()
        return along / self.eye_distance

    @property
    def pitch_ratio(self) -> float:
        """Where the nose lies between the line of the eyes (0) and the middle of the mouth (1)."""
        _, nose_down = self._nose_in_eye_axes()
        _, mouth_down = self._in_eye_axes(_middle(self.right_mouth, self.left_mouth))
        return nose_down / mouth_down if mouth_down > 0 else 0.0

    def _nose_in_eye_axes(self) -> Point:
        return self._in_eye_axes(self.nose)

    def _in_eye_axes(self, point: Point) -> Point:
        """Return a point along and across the axis of the eyes, from the middle between them."""
        across, down = _minus(self.left_eye, self.right_eye)
        x, y = _minus(point, _middle(self.right_eye, self.left_eye))
        distance = hypot(across, down) or 1.0
        return (x * across + y * down) / distance, (y * across - x * down) / distance


class FaceDetector(Protocol):
    """Finds faces: `opencv.YunetDetector`, or a test's."""

    def detect(self, picture: Picture) -> Sequence[Face]:
        """Return the faces of a picture, in its own pixels."""


class FaceEmbedder(Protocol):
    """Turns a face into a vector: `opencv.SfaceEmbedder`, or a test's. Alignment is part of the model."""

    def align(self, picture: Picture, face: Face) -> Picture:
        """Return the face cut from the whole picture, upright, as the network wants it (112 x 112)."""

    def embed(self, crop: Picture) -> Vector:
        """Return the unit vector of an aligned face."""


def _minus(one: Point, other: Point) -> Point:
    return one[0] - other[0], one[1] - other[1]


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2

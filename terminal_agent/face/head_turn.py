"""The head-turn challenge: two turns to sides nobody can foresee. It raises the effort for a flat photo, no more.

Flat photos turned by up to 45 degrees never passed the threshold; a photo bent to a radius of 10 cm passed in 38 % of
the tries, and a video of the person turning passes when the order is right (docs/face.md).
"""

import secrets
from typing import Final

from terminal_agent.face.faces import Face
from terminal_agent.face.words import Hint

TURNED: Final = 0.25  # change of the yaw ratio; about 35 degrees of a real head
FRONTAL: Final = 0.10
TURNS: Final = 2
_SIGNS: Final = {Hint.TURN_LEFT: 1.0, Hint.TURN_RIGHT: -1.0}


class HeadTurn:
    """Asks for turns, each from the front, and sees whether they are made."""

    def __init__(self, wanted: tuple[Hint, ...] | None = None) -> None:
        self._wanted = list(wanted or (secrets.choice(tuple(_SIGNS)) for _ in range(TURNS)))
        self._front: float | None = None
        self._facing_front = True

    @property
    def asked(self) -> bool:
        """Whether the person has been told to turn."""
        return self._front is not None

    @property
    def done(self) -> bool:
        """Whether every turn was made."""
        return not self._wanted

    def begin(self, frontal_yaw: float) -> None:
        """Start from this yaw ratio, which is the person's own straight ahead."""
        self._front = frontal_yaw

    def see(self, face: Face) -> Hint | None:
        """Look at a frame and return what to do next; None when every turn was made."""
        turned = face.yaw_ratio - (self._front or 0.0)
        if not self._wanted:
            return None
        if abs(turned) < FRONTAL:
            self._facing_front = True
        elif self._facing_front and turned * _SIGNS[self._wanted[0]] >= TURNED:
            self._wanted.pop(0)
            self._facing_front = False
        if not self._wanted:
            return None
        return self._wanted[0] if self._facing_front else Hint.LOOK_STRAIGHT

"""Pictures for the staff's screen: made in memory, shown once, kept nowhere."""

from dataclasses import dataclass

from terminal_agent.face.faces import Picture


@dataclass(frozen=True, slots=True, repr=False)
class SideBySide:
    """The card's photo and the last frame of the camera, for staff to compare."""

    card: Picture
    live: Picture

    def __repr__(self) -> str:
        return "SideBySide(***)"

    __str__ = __repr__


def as_jpeg(picture: Picture) -> bytes:
    """Encode a picture for a browser. Needs OpenCV, but no models: staff compare by eye when face mode is off too."""
    from terminal_agent.face.opencv import encode_jpeg  # here, since OpenCV may be missing

    return encode_jpeg(picture)

"""Measures a recogniser's error rates on a folder of pictures, the way the kiosk compares: a card's photo against
the mean of three pictures that passed the gates.

The folder holds one folder per person with four pictures or more. The first by name is the card's photo, and is made
into one (grey, 240 x 320, JPEG 2000 of 5 KB); the others, by three, are what the camera saw.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from terminal_agent.card.virtual_photo import PictureUnreadable, card_photo
from terminal_agent.face.calibration import Calibration, CalibrationPoint
from terminal_agent.face.faces import FaceDetector, FaceEmbedder, Picture, Vector
from terminal_agent.face.gates import card_face, faces_that_count, light_hint, pose_hint
from terminal_agent.face.opencv import decode
from terminal_agent.face.policy import FRAMES
from terminal_agent.face.quality import measure

THRESHOLDS: Final = tuple(round(0.20 + 0.01 * step, 2) for step in range(61))
PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".jp2"})


class TooFewPeople(Exception):
    """Two people with four usable pictures each are the least that can be compared."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models to measure, and what identifies them."""

    detector: FaceDetector
    embedder: FaceEmbedder
    detector_sha256: str
    recognizer_sha256: str
    opencv: str


@dataclass(frozen=True, slots=True)
class _Person:
    card: Vector
    groups: NDArray[np.float32]  # groups x vector: the sum of a group's vectors over their number


def calibrate(
    folder: Path, models: Models, dataset: str, made_at: datetime, progress: Callable[[int], None] = lambda _: None
) -> Calibration:
    """Count errors at every threshold.

    A mean of three cosines with a vector is the cosine-like product with the mean of three vectors, so each group of
    pictures is one vector, and everybody is compared with everybody in one multiplication.

    Raises:
        TooFewPeople: fewer than two people can be compared.
    """
    people: list[_Person] = []
    pictures = gated_out = 0
    for number, files in enumerate(_people(folder), start=1):
        person, used, refused = _measure_person(files, models)
        pictures += used + refused
        gated_out += refused
        if person is not None:
            people.append(person)
        progress(number)
    if len(people) < 2:
        raise TooFewPeople
    genuine, impostors = _scores(people)
    points = tuple(
        CalibrationPoint(
            threshold=threshold,
            impostors=impostors.size,
            false_matches=int((impostors >= threshold).sum()),
            genuine=genuine.size,
            false_non_matches=int((genuine < threshold).sum()),
        )
        for threshold in THRESHOLDS
    )
    return Calibration(
        detector_sha256=models.detector_sha256,
        recognizer_sha256=models.recognizer_sha256,
        opencv=models.opencv,
        made_at=made_at,
        dataset=dataset,
        people=len(people),
        pictures=pictures,
        gated_out=gated_out,
        points=points,
    )


def _people(folder: Path) -> Iterator[list[Path]]:
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield sorted(path for path in person.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def _measure_person(files: Sequence[Path], models: Models) -> tuple[_Person | None, int, int]:
    """Return the person, how many pictures were used, and how many were not."""
    if len(files) <= FRAMES:
        return None, 0, len(files)
    card = _card_vector(files[0], models)
    live = [vector for vector in (_live_vector(file, models) for file in files[1:]) if vector is not None]
    groups = [np.mean(live[at : at + FRAMES], axis=0) for at in range(0, len(live) - FRAMES + 1, FRAMES)]
    used = len(live) + (card is not None)
    if card is None or not groups:
        return None, used, len(files) - used
    return _Person(card, np.stack(groups).astype(np.float32)), used, len(files) - used


def _card_vector(file: Path, models: Models) -> Vector | None:
    encoded = file.read_bytes()
    picture = decode(encoded)
    found = [] if picture is None else faces_that_count(models.detector.detect(picture))
    if len(found) != 1:
        return None
    head = found[0]
    try:
        photo = decode(card_photo(encoded, (head.x, head.y, head.width, head.height)))
    except PictureUnreadable:
        return None
    face = None if photo is None else card_face(models.detector.detect(photo))
    return None if photo is None or face is None else models.embedder.embed(models.embedder.align(photo, face))


def _live_vector(file: Path, models: Models) -> Vector | None:
    picture: Picture | None = decode(file.read_bytes())
    found = [] if picture is None else faces_that_count(models.detector.detect(picture))
    if picture is None or len(found) != 1 or pose_hint(found[0]) is not None:
        return None
    crop = models.embedder.align(picture, found[0])
    return models.embedder.embed(crop) if light_hint(measure(crop)) is None else None


def _scores(people: Sequence[_Person]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores of each person's card with their own pictures, and with everybody else's."""
    cards = np.stack([person.card for person in people])
    groups = np.concatenate([person.groups for person in people])
    owners = np.repeat(np.arange(len(people)), [len(person.groups) for person in people])
    scores: NDArray[np.float32] = (cards @ groups.T).astype(np.float32)
    own = np.arange(len(people))[:, None] == owners[None, :]
    return scores[own], scores[~own]

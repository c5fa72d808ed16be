"""A calibration on file: what was counted with which models, and so what a threshold may claim."""

from datetime import datetime
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from terminal_agent.face.bounds import upper_bound
from terminal_agent.face.policy import ABSOLUTE_FLOOR, FRAMES, MAX_ATTEMPTS

# A stranger may be taken for the holder once in ten thousand attempts (NIST SP 800-63A-4, 3.11). No errors in 30,000
# comparisons are the least that shows it.
FALSE_MATCH_TARGET: Final = 1e-4
_MAX_BYTES: Final = 1_000_000
_SHA256: Final = r"^[0-9a-f]{64}$"


class CalibrationUnusable(Exception):
    """The file is no calibration that `face calibrate` wrote."""


class CalibrationPoint(BaseModel):
    """What was counted at one threshold. The rates follow from the counts and are never read from a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(ge=-1, le=1)
    impostors: int = Field(ge=1)
    false_matches: int = Field(ge=0)
    genuine: int = Field(ge=1)
    false_non_matches: int = Field(ge=0)

    @property
    def false_match_rate(self) -> float:
        """Strangers accepted, per comparison."""
        return self.false_matches / self.impostors

    @property
    def false_match_upper(self) -> float:
        """What the false match rate does not exceed, with 95 % confidence."""
        return upper_bound(self.false_matches, self.impostors)

    @property
    def false_non_match_rate(self) -> float:
        """Holders not recognised, per comparison."""
        return self.false_non_matches / self.genuine

    @property
    def false_non_match_upper(self) -> float:
        """What the false non-match rate does not exceed, with 95 % confidence."""
        return upper_bound(self.false_non_matches, self.genuine)

    @property
    def claims_target(self) -> bool:
        """Whether the counts allow to claim one false match in ten thousand attempts."""
        return self.threshold >= ABSOLUTE_FLOOR and self.false_match_upper <= FALSE_MATCH_TARGET


class Calibration(BaseModel):
    """Counts over pictures of people who agreed to it; the bounds take comparisons for independent, which flatters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(default=1, ge=1, le=1)
    detector_sha256: str = Field(pattern=_SHA256)
    recognizer_sha256: str = Field(pattern=_SHA256)
    opencv: str
    made_at: datetime
    dataset: str
    people: int = Field(ge=2)
    pictures: int = Field(ge=2)
    gated_out: int = Field(ge=0, description="Pictures in which no face passed the gates.")
    frames: int = Field(default=FRAMES, ge=FRAMES, le=FRAMES, description="Pictures whose mean is one comparison.")
    points: tuple[CalibrationPoint, ...] = Field(min_length=1)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a calibration.

        Raises:
            CalibrationUnusable: it cannot be read, or is none.
        """
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise CalibrationUnusable
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise CalibrationUnusable from error

    def allows_alone(self, threshold: float) -> bool:
        """Tell whether a face may be accepted without staff at this threshold: a point at or below it claims enough."""
        return any(point.claims_target for point in self.points if point.threshold <= threshold)

    @property
    def recommended(self) -> CalibrationPoint | None:
        """The lowest threshold that claims enough; None where there were too few comparisons."""
        return next((point for point in sorted(self.points, key=_threshold) if point.claims_target), None)

    def summary(self) -> str:
        """Say in one sentence each what was counted, and what may be claimed."""
        counted = (
            f"{self.people} people, {self.pictures} pictures ({self.gated_out} did not pass the gates),"
            f" {self.points[0].impostors:,} impostor and {self.points[0].genuine:,} genuine comparisons"
            f" of the mean of {self.frames} pictures with a card's photo."
        )
        point = self.recommended
        if point is None:
            return (
                f"{counted}\nClaim: none. At no threshold is the upper bound of the false match rate"
                f" {FALSE_MATCH_TARGET:.0e} or less; no errors in 30,000 comparisons are the least that shows it."
                " Staff confirm every match."
            )
        return (
            f"{counted}\nClaim: at {point.threshold:.2f}, false match rate ≤ {point.false_match_upper:.1e} per attempt"
            f" (≤ {MAX_ATTEMPTS * point.false_match_upper:.1e} per visit of {MAX_ATTEMPTS} attempts), 95 % confidence,"
            " for people like those in the pictures and comparisons taken for independent."
        )


def _threshold(point: CalibrationPoint) -> float:
    return point.threshold

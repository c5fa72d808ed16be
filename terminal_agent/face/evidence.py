"""What the centre is told about a face match: how it was made, nothing of the face."""

from dataclasses import dataclass, replace
from typing import Final, Self

# A finer score would let somebody climb towards a match by trying.
SCORE_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class FaceEvidence:
    """The rounded score and its threshold, which model file was used, and who stands behind it."""

    score: float
    threshold: float
    model_sha256: str
    calibrated: bool
    confirmed_by_staff: bool = False

    @classmethod
    def of(cls, score: float, threshold: float, model_sha256: str, calibrated: bool) -> Self:
        """Round the score; the rest is as it is."""
        return cls(rounded(score), threshold, model_sha256, calibrated)

    def confirmed(self) -> Self:
        """Return the same with staff's confirmation."""
        return replace(self, confirmed_by_staff=True)


def rounded(score: float) -> float:
    """Round a score down to a twentieth, so that it never looks better than it was; 0 for what is none."""
    steps = int(score / SCORE_STEP + 1e-6) if score > 0 else 0
    return round(steps * SCORE_STEP, 2)

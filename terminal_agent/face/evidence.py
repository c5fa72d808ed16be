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
        """Round a score down to a twentieth, so that it never looks better than it was."""
        steps = int(max(score, 0.0) / SCORE_STEP + 1e-6)
        return cls(round(steps * SCORE_STEP, 2), threshold, model_sha256, calibrated)

    def confirmed(self) -> Self:
        """Return the same with staff's confirmation."""
        return replace(self, confirmed_by_staff=True)

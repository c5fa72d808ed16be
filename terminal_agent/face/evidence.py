"""What the centre is told about a face match: how it was made, nothing of the face."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from eligibility.wire import verifications as wire

# A finer score would let somebody climb towards a match by trying.
SCORE_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class FaceEvidence:
    """The rounded score and its threshold, which model file was used, and whether a calibration stands behind it."""

    score: float
    threshold: float
    model_sha256: str
    calibrated: bool

    @classmethod
    def of(cls, score: float, threshold: float, model_sha256: str, calibrated: bool) -> Self:
        """Round the score; the rest is as it is."""
        return cls(rounded(score), threshold, model_sha256, calibrated)

    def wire(self) -> wire.FaceEvidence:
        """Return what goes into a verification whose method is `face`."""
        return wire.FaceEvidence(
            score=Decimal(f"{self.score:.2f}"),
            threshold=Decimal(f"{self.threshold:.6f}"),
            model_sha256=self.model_sha256,
            calibrated=self.calibrated,
        )


def rounded(score: float) -> float:
    """Round a score down to a twentieth, so that it never looks better than it was; 0 for what is none."""
    steps = int(min(score, 1.0) / SCORE_STEP + 1e-6) if score > 0 else 0
    return round(steps * SCORE_STEP, 2)

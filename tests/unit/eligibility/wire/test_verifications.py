"""Evidence of a face match travels with its method, rounded, and with nothing else."""

from typing import Any

import pytest
from pydantic import ValidationError

from eligibility.wire.verifications import FaceEvidence, VerificationRequest

PROOF = {"challenge": "AA", "certificate": "AA", "signature": "AA"}
FACE = {"score": 0.65, "threshold": 0.362471, "model_sha256": "ab" * 32, "calibrated": True}


def _asked(**said: Any) -> VerificationRequest:
    return VerificationRequest.model_validate({"proof": PROOF} | said)


@pytest.mark.parametrize("score", [0.65, "0.65", -1, 1, 0, -0.05, 0.95])
def test_a_rounded_score_is_taken(score: object) -> None:
    assert FaceEvidence.model_validate(FACE | {"score": score})


def test_a_face_goes_with_its_method() -> None:
    face = _asked(method="face", face=FACE).face
    assert face is not None
    assert str(face.score) == "0.65"


@pytest.mark.parametrize("method", ["pin", "visual"])
def test_another_method_has_no_face(method: str) -> None:
    with pytest.raises(ValidationError):
        _asked(method=method, face=FACE)


def test_the_method_face_needs_its_evidence() -> None:
    with pytest.raises(ValidationError):
        _asked(method="face")


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 0.651}, {"score": 0.66}, {"score": 1.05}, {"score": -1.05}, {"score": "NaN"}, {"score": "Infinity"},
        {"score": None}, {"threshold": 1.1}, {"threshold": 0.1234567}, {"model_sha256": "AB" * 32},
        {"model_sha256": "ab" * 31}, {"model_sha256": ""}, {"calibrated": None}, {"embedding": [0.1, 0.2]},
        {"photo": "AA"},
    ],
)  # fmt: skip
def test_anything_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaceEvidence.model_validate(FACE | wrong)


def test_of_many_wrong_consents_the_first_is_told() -> None:
    with pytest.raises(ValidationError) as refused:
        _asked(method="pin", consents=["medication", *["x"] * 1000])
    assert [fault["loc"] for fault in refused.value.errors()] == [("consents", 1)]

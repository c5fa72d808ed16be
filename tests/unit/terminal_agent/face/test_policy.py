from dataclasses import replace
from math import nan

import pytest

from terminal_agent.face.evidence import FaceEvidence
from terminal_agent.face.policy import Attempt, Decision, Situation, before_pictures, decide, expired
from terminal_agent.face.words import Reason, Step
from tests.unit.terminal_agent.face.scripted import CALIBRATED, SHA256

PIN, NO_PIN = Situation(photo_verified=True), Situation(pin_possible=False, photo_verified=True)
UNVERIFIED = Situation(photo_verified=False)
UNCALIBRATED = replace(CALIBRATED, calibrated=False)
GOOD = Attempt((0.5, 0.6, 0.7), least_alike_frames=0.9, least_difference=3.0)


def attempt(*scores: float, **changes: object) -> Attempt:
    return replace(GOOD, scores=scores, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "number", "rules", "situation", "step", "reason", "look"),
    [
        (GOOD, 1, CALIBRATED, PIN, "accept", "alike", False),
        (GOOD, 2, CALIBRATED, PIN, "accept", "alike", False),
        (GOOD, 1, CALIBRATED, NO_PIN, "accept", "alike", False),
        (attempt(0.42, 0.42, 0.42), 1, CALIBRATED, PIN, "accept", "alike", False),
        # Alike, but something must be confirmed by a person.
        (GOOD, 1, UNCALIBRATED, PIN, "confirm", "uncalibrated", True),
        (GOOD, 1, CALIBRATED, UNVERIFIED, "confirm", "photo_unverified", True),
        (GOOD, 2, UNCALIBRATED, UNVERIFIED, "confirm", "photo_unverified", True),
        # The mean decides, not the best.
        (attempt(0.9, 0.2, 0.1), 1, CALIBRATED, PIN, "retry", "not_alike", False),
        (attempt(0.41, 0.42, 0.42), 1, CALIBRATED, PIN, "retry", "not_alike", False),
        (attempt(0.41, 0.42, 0.42), 2, CALIBRATED, PIN, "choose", "not_alike", False),
        (attempt(0.41, 0.42, 0.42), 2, CALIBRATED, NO_PIN, "staff", "not_alike", False),
        # Clearly different: staff look, and the patient is told the same as ever.
        (attempt(0.0, 0.1, -0.2), 1, CALIBRATED, PIN, "retry", "clearly_different", False),
        (attempt(0.0, 0.1, -0.2), 2, CALIBRATED, PIN, "choose", "clearly_different", True),
        (attempt(0.0, 0.1, -0.2), 2, CALIBRATED, NO_PIN, "staff", "clearly_different", True),
        # Frames that are no three frames of one living person.
        (attempt(), 1, CALIBRATED, PIN, "retry", "no_good_pictures", False),
        (attempt(0.9, 0.9), 1, CALIBRATED, PIN, "retry", "no_good_pictures", False),
        (attempt(0.9, 0.9), 2, CALIBRATED, PIN, "choose", "no_good_pictures", False),
        (attempt(0.9, 0.9, 0.9, least_difference=0.0), 1, CALIBRATED, PIN, "retry", "same_picture", False),
        (attempt(0.9, 0.9, 0.9, least_difference=0.5), 2, CALIBRATED, PIN, "choose", "same_picture", True),
        (attempt(0.9, 0.9, 0.9, least_alike_frames=0.41), 1, CALIBRATED, PIN, "retry", "person_swapped", False),
        (attempt(0.9, 0.9, 0.9, least_alike_frames=0.0), 2, CALIBRATED, NO_PIN, "staff", "person_swapped", True),
        (attempt(0.9, 0.9, 0.9, head_turned=False), 1, CALIBRATED, PIN, "retry", "head_not_turned", False),
        (attempt(0.9, 0.9, 0.9, head_turned=False), 2, CALIBRATED, PIN, "choose", "head_not_turned", False),
        # Numbers that are none never accept.
        (attempt(nan, nan, nan), 1, CALIBRATED, PIN, "retry", "not_alike", False),
        (attempt(nan, 0.9, 0.9), 2, CALIBRATED, PIN, "choose", "not_alike", False),
        (attempt(0.9, 0.9, 0.9, least_alike_frames=nan), 1, CALIBRATED, PIN, "retry", "person_swapped", False),
        (attempt(0.9, 0.9, 0.9, least_difference=nan), 1, CALIBRATED, PIN, "retry", "same_picture", False),
        (attempt(0.9, 0.9, 0.9), 1, replace(CALIBRATED, accept=nan), PIN, "retry", "person_swapped", False),
    ],
)
def test_the_decision(
    what: Attempt, number: int, rules: object, situation: Situation, step: str, reason: str, look: bool
) -> None:
    decision = decide(what, number, rules, situation)  # type: ignore[arg-type]
    assert (decision.step, decision.reason, decision.staff_should_look) == (step, reason, look)
    assert (decision.evidence is not None) == (step in ("accept", "confirm"))


@pytest.mark.parametrize("accept", [-1.0, 0.0, 0.2, 0.3629])
def test_below_the_floor_nothing_is_accepted_whatever_is_configured(accept: float) -> None:
    rules = replace(CALIBRATED, accept=accept)
    assert decide(attempt(0.36, 0.36, 0.36), 1, rules, PIN).step is Step.RETRY
    assert decide(attempt(0.37, 0.37, 0.37), 1, rules, PIN).step is Step.ACCEPT


@pytest.mark.parametrize(
    ("situation", "usable", "step", "reason"),
    [
        (PIN, True, "continue", "looking"),
        (NO_PIN, True, "continue", "looking"),
        (PIN, False, "choose", "photo_unusable"),
        (NO_PIN, False, "staff", "photo_unusable"),
        (replace(PIN, young_child=True), True, "staff", "young_child"),
        (replace(PIN, young_child=True), False, "staff", "young_child"),
    ],
)
def test_before_any_picture(situation: Situation, usable: bool, step: str, reason: str) -> None:
    decision = before_pictures(situation, usable)
    assert (decision.step, decision.reason) == (step, reason)


def test_time_that_runs_out_leaves_another_way() -> None:
    assert expired(PIN).step is Step.CHOOSE
    assert expired(NO_PIN).step is Step.STAFF


@pytest.mark.parametrize(
    ("score", "rounded"),
    [
        (0.423, 0.4),
        (0.449999, 0.4),
        (0.45, 0.45),
        (0.9999, 0.95),
        (1.0, 1.0),
        (1.0000001, 1.0),
        (-0.3, 0.0),
        (nan, 0.0),
    ],
)
def test_a_score_is_told_in_twentieths_and_never_better_than_it_was(score: float, rounded: float) -> None:
    evidence = FaceEvidence.of(score, 0.42, SHA256, calibrated=True)
    assert evidence.score == rounded
    sent = evidence.wire()
    assert (float(sent.score), float(sent.threshold), sent.model_sha256, sent.calibrated) == (
        rounded,
        0.42,
        SHA256,
        True,
    )


def test_the_patient_is_told_the_same_whatever_the_reason_was() -> None:
    told = {Decision(Step.CHOOSE, reason).words.ja for reason in Reason}
    assert len(told) == 1


def test_no_screen_speaks_of_refusal_or_shows_a_score() -> None:
    for step in Step:
        assert not any(word in step.words.ja for word in ("拒否", "不一致", "点", "スコア"))
        assert not any(character.isdigit() for character in step.words.ja + step.words.en)

from pathlib import Path

import pytest

from loadtest.bench import counter
from loadtest.bench.counter_part import NotMeasured, figures_of
from loadtest.verdict import Measured


def _run(monkeypatch: pytest.MonkeyPatch, result: Measured | NotMeasured) -> int:
    monkeypatch.setattr(counter, "PARTS", (counter.Part("face", lambda _: result),))
    return counter.main([])


def test_without_models_the_face_is_not_measured_and_keeps_no_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert counter.main(["--data", str(tmp_path), "--part", "face"]) == 1
    assert "face: not measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("measured", "code"),
    [
        (figures_of("face", "decision", [100.0, 120.0]), 0),
        (figures_of("face", "decision", [100.0, 1200.0]), 1),
        (Measured("face", "decision", 0, {"p95_ms": 1.0}), 1),
        (Measured("face", "decision", 3, {}), 1),
        (Measured("face", "decision", 3, {"p95_ms": float("nan")}), 1),
        (Measured("face", "something_else", 3, {"p95_ms": 1.0}), 1),
    ],
)
def test_a_target_that_is_missed_or_missing_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, measured: Measured, code: int
) -> None:
    assert _run(monkeypatch, measured) == code

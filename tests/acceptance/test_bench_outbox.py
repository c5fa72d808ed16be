"""The outbox's bench as `make bench-outbox` runs it, with a small queue."""

import re

import pytest

from loadtest.bench import outbox
from tests.acceptance.conftest import PATIENT


def test_a_queue_comes_back_whole_however_often_its_drain_is_killed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)
    # Slow enough to be looked at while it drains.
    assert outbox.main(["--size", "small", "--visits", "800", "--pace", "100"]) == 0
    said = capsys.readouterr().out
    assert "800 of 800 visits" in said
    for figure in ("lost", "duplicates"):
        assert re.search(rf"drain +settled +{figure} +0 +≤ 0 +✓", said)
    assert " 0 kills" not in said

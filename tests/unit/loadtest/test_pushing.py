"""What a push came to is what it said of itself; anything else is a failure."""

import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from eligibility.wire.submissions import Manifest, Submission, SubmissionKind, SubmissionState
from loadtest.pushing import Push


def _push(code: str) -> Push:
    command = [sys.executable, "-c", code]
    return Push(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


def _ended(state: SubmissionState, merged: int | None, exit_code: int) -> str:
    manifest = Manifest(
        layout="eligibility", edition=1, kind=SubmissionKind.DELTA, file_name="a.csv", content_length=1,
        content_digest=bytes(32), records=300,
    )  # fmt: skip
    submission = Submission(
        submission_id=uuid4(), state=state, received_bytes=1, manifest=manifest, created_at=datetime.now(UTC),
        finished_at=None, records=300, refused=0, merged=merged, unchanged=0, faults=0,
    )  # fmt: skip
    return f"print({submission.model_dump_json()!r}); raise SystemExit({exit_code})"


@pytest.mark.parametrize(("merged", "exit_code"), [(300, 0), (299, 1)])
def test_a_merged_file_is_its_records(merged: int, exit_code: int) -> None:
    assert _push(_ended(SubmissionState.MERGED, merged, exit_code)).wait() == (merged, "")


def test_a_file_that_waits_for_approval_is_not_merged() -> None:
    assert _push(_ended(SubmissionState.HELD, None, 3)).wait() == (0, "the file was not merged but is held")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(4)", "push ended with 4: "),
        ("raise RuntimeError('unforeseen')", "push ended with 1: "),  # the exit code of a file merged in part, too
    ],
)
def test_a_push_that_says_nothing_of_its_file_has_failed(code: str, said: str) -> None:
    rows, told = _push(code).wait()
    assert rows == 0
    assert told.startswith(said)
    assert ("unforeseen" in told) == ("unforeseen" in code)

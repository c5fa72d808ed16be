"""What a person sees while a file is sent and worked on."""

import io
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from rich.console import Console

from eligibility.wire.submissions import Manifest, Submission, SubmissionKind, SubmissionState
from payer_sync.report import meter

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MANIFEST = Manifest(
    layout="eligibility", edition=1, kind=SubmissionKind.DELTA, file_name="x", content_length=50_000,
    content_digest=bytes(32), records=1000,
)  # fmt: skip
_S = SubmissionState
PASSED = re.compile(r" 1,000 件 +[0-9]:[0-9]{2}:[0-9]{2}$")  # records, and for how long they have been worked on


def _stands(state: SubmissionState, checked: int | None = None) -> Submission:
    return Submission(
        submission_id=UUID(int=1), state=state, received_bytes=50_000, manifest=MANIFEST, created_at=NOW,
        finished_at=None, records=None, refused=None, merged=None, unchanged=None, faults=0, checked=checked,
    )  # fmt: skip


def _shown(*seen: Submission) -> list[str]:
    """Return the bars that stand there after a file was sent and its submission was seen so."""
    console = Console(file=io.StringIO(), width=200)
    with meter(console, MANIFEST.content_length) as progress:
        progress.read(50_000)
        progress.sending(MANIFEST.records)
        for received in (20_000, 50_000):
            progress.sent(received)
        for submission in seen:
            progress.waiting(submission)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_file_that_was_sent_and_not_yet_taken_up_has_a_bar_without_a_rate() -> None:
    reading, sending, waiting = _shown(_stands(_S.RECEIVED))

    assert reading.startswith("読取")
    assert sending.startswith("送信")
    assert "1,000 / 1,000 件" in sending
    assert waiting.startswith("順番待ち")
    assert PASSED.search(waiting)


def test_the_check_shows_the_records_that_the_centre_has_counted() -> None:
    *_, waiting, checking = _shown(_stands(_S.RECEIVED), _stands(_S.CHECKING), _stands(_S.CHECKING, 300))

    assert "1,000 / 1,000 件" in waiting
    assert checking.startswith("確認")
    assert "300 / 1,000 件" in checking


def test_a_merge_nobody_can_measure_shows_how_long_it_takes_and_no_rate() -> None:
    *_, checking, merging = _shown(_stands(_S.CHECKING, 990), _stands(_S.MERGING))

    assert "1,000 / 1,000 件" in checking
    assert merging.startswith("取込")
    assert "rows/s" not in merging
    assert PASSED.search(merging)


@pytest.mark.parametrize("ended", [_S.MERGED, _S.REFUSED, _S.HELD])
def test_no_bar_is_left_open_at_the_end(ended: SubmissionState) -> None:
    *_, merging = _shown(_stands(_S.MERGING), _stands(ended))

    assert merging.startswith("取込")
    assert "1,000 / 1,000 件" in merging


def test_a_load_that_begins_again_is_shown_again() -> None:
    bars = _shown(_stands(_S.CHECKING, 500), _stands(_S.MERGING), _stands(_S.CHECKING, 100))

    assert [bar[:2] for bar in bars[2:]] == ["確認", "取込", "確認"]
    assert "100 / 1,000 件" in bars[-1]


def test_a_file_without_records_has_no_bar_that_cannot_be_drawn() -> None:
    none = MANIFEST.model_copy(update={"records": 0})
    bars = _shown(*(_stands(s, 0).model_copy(update={"manifest": none}) for s in (_S.CHECKING, _S.MERGING, _S.MERGED)))

    assert [bar[:2] for bar in bars[2:]] == ["確認", "取込"]

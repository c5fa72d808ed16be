"""A UKE file checked offline: the feedback of its samples, its counts, and the command that writes them down."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from eligibility.domain.identifiers import InsurerNumber
from payer_sync.__main__ import main
from payer_sync.claims.records import MEDICAL
from payer_sync.claims.validation import ClaimValidation

SAMPLES = Path(__file__).parents[3] / "samples" / "claim_medical_1"
INSURER = InsurerNumber("06130512")


def test_the_all_wrong_sample_is_told_as_the_intake_tells_it() -> None:
    validation = ClaimValidation(SAMPLES / "all_wrong.uke", MEDICAL, INSURER, date(2026, 11, 21))
    read: list[int] = []

    lines = [line.model_dump(mode="json") for line in validation.lines(read.append)]

    expected = (SAMPLES / "all_wrong.expected.jsonl").read_text("utf-8")
    assert lines == [json.loads(line) for line in expected.splitlines()]
    assert (validation.records, validation.refused_records, sum(read)) == (47, 31, 47)
    assert not validation.file_refused


def test_a_file_that_breaks_off_is_refused_after_all_that_was_found(tmp_path: Path) -> None:
    path = tmp_path / "RECEIPTC.UKE"
    path.write_bytes((SAMPLES / "all_wrong.uke").read_bytes()[:200])
    validation = ClaimValidation(path, MEDICAL, INSURER, date(2026, 11, 21))

    codes = [line.code for line in validation.lines()]

    assert validation.file_refused
    assert codes[0] == "unknown_code"
    assert codes[-1] == "totals_missing"


@pytest.mark.parametrize(
    ("sample", "edition", "exit_code"), [("good", "1", 0), ("all_wrong", "1", 1), ("good", "2", 64)]
)
def test_the_command_ends_with_what_would_happen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sample: str, edition: str, exit_code: int
) -> None:
    path = tmp_path / "RECEIPTC.UKE"
    shutil.copyfile(SAMPLES / f"{sample}.uke", path)

    ended = main(
        ["validate", str(path), "--layout", "claim_medical", "--edition", edition, "--insurer", "06130512", "--json"]
    )

    assert ended == exit_code
    assert path.with_name(path.name + ".feedback.html").exists() == (exit_code == 1)
    assert "見本" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "checked_as", "number", "said"),
    [
        ([], "claims_reviewer", None, True),
        (["--insurer", "06130512"], "insurer", "06130512", False),
    ],
)
def test_whose_file_it_was_checked_as_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
    options: list[str], checked_as: str, number: str | None, said: bool,
) -> None:  # fmt: skip
    ask = ["validate", str(SAMPLES / "good.uke"), "--layout", "claim_medical", "--into", str(tmp_path), *options]

    assert main([*ask, "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["checked_as"], counts["insurer_number"]) == (checked_as, number)

    main(ask)
    assert ("Checked as a claims reviewer's file" in capsys.readouterr().out) == said

"""What a run refuses before it begins, and how its requests are dealt out."""

from pathlib import Path

import pytest

from loadtest.__main__ import main
from loadtest.driving.plan import Operation, Stream
from loadtest.run import by_turns, share


def test_a_scenario_that_nobody_knows_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--size", "small", "--scenarios", "limit,stedy"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "stedy" in said
    assert "limit, steady, bulk, parallel, overload" in said


def test_a_database_whose_computing_cannot_be_seen_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ELIGIBILITY_DATABASE_URL", "postgresql://elsewhere/eligibility")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--size", "small", "--site", str(tmp_path / "site")])
    assert ended.value.code == 2
    assert "unset ELIGIBILITY_DATABASE_URL" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("command", [["seed"], ["run", "--size", "small"], ["explore", "--serve"]])
def test_a_site_that_cannot_be_filled_is_no_limit_that_does_not_hold(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ELIGIBILITY_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as ended:
        main([*command, "--site", str(tmp_path / "with a space")])
    assert ended.value.code == 2
    assert (
        "The site cannot be filled: PostgreSQL cannot keep its data below a path with a space"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("count", "processes"), [(150_000, 2), (7, 2), (1, 2), (5, 1)])
def test_processes_together_send_exactly_what_was_asked_for(count: int, processes: int) -> None:
    stream = Stream(Operation.VERIFICATION, "/", count, True, 2.0, 60.0)
    shares = [share(stream, number, processes) for number in range(processes)]
    assert sum(one.count for one in shares) == count
    assert max(one.count for one in shares) - min(one.count for one in shares) <= 1
    assert {(one.drawn, one.begin_s, one.seconds) for one in shares} == {(True, 2.0, 60.0)}


def test_turns_go_there_and_back() -> None:
    assert list(by_turns(("centre", "ceiling"), 3)) == ["centre", "ceiling", "ceiling", "centre", "centre", "ceiling"]
    assert list(by_turns(("centre",), 2)) == ["centre", "centre"]

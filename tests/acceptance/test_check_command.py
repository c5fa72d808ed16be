"""`python -m terminal_agent check` as staff run it: its own process, the real centre, and a card or a lack of one."""

import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from eligibility.wire.verifications import Verification
from terminal_agent.card.pcscd import OwnPcscd
from terminal_agent.card.virtual_content import CardContent
from terminal_agent.card.virtual_files import save_card
from terminal_agent.card.vpcd import CardInVpcd
from tests.integration.eligibility.world import INSURER, World

IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # four digits in one are no PIN
PINS = re.compile(r"\b(2741|5906|KARUTA77|8364)\b")
HOLDER = {"name": "髙橋　花子", "birth_date": date(1985, 4, 12), "sex": "2"}


@pytest.fixture
def folder(content: CardContent, tmp_path: Path) -> Path:
    save_card(tmp_path / "card", content)
    return tmp_path / "card"


async def run(*arguments: str | Path, fed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(_run, *arguments, fed=fed, **environment)


def _run(*arguments: str | Path, fed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TERMINAL_")}
    result = subprocess.run(
        [sys.executable, "-m", "terminal_agent", "check", *map(str, arguments)],
        input=fed, capture_output=True, text=True, timeout=300, check=False, env=inherited | environment,
    )  # fmt: skip
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    assert not PINS.search(IDS.sub("", said))
    return result


@pytest.mark.parametrize(
    ("facts", "code", "shown"),
    [
        ({}, 0, ("有効", "valid")),
        ({"lost_on": date(2026, 1, 1), "loss_reason": "03"}, 1, ("無効(資格喪失)", "lapsed")),
        ({"viewing_suspended": True}, 1, ("閲覧停止中", "viewing suspended")),
    ],
)
async def test_the_outcome_is_the_exit_code(
    world: World, settings: Path, folder: Path, facts: dict[str, Any], code: int, shown: tuple[str, str]
) -> None:
    await world.coverage(await world.person(), **HOLDER | facts)
    done = await run("--settings", settings, "--virtual", folder, "--register", fed="2741\n5906\n")
    assert done.returncode == code, done.stderr
    assert all(word in done.stdout for word in shown)


async def test_json_is_all_there_is_on_standard_output(world: World, settings: Path, folder: Path) -> None:
    await world.coverage(await world.person(), **HOLDER)
    consents = ("--consent", "limit_certificate", "--consent", "medication", "checkup")
    options = ("--settings", settings, "--virtual", folder, "--json", "--register")
    done = await run(*options, *consents, fed="2741\n5906\n")
    answer = Verification.model_validate(json.loads(done.stdout)["verification"])
    assert answer.outcome == "valid"
    assert {c.consent_class for c in answer.consents} == {"limit_certificate", "medication", "checkup"}


async def test_an_unknown_card_is_registered_when_told_to(world: World, settings: Path, folder: Path) -> None:
    await world.coverage(await world.person(), **HOLDER)
    refused = await run("--settings", settings, "--virtual", folder, "--json", fed="2741\n")
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["trouble"]["code"] == "card_not_registered"
    assert await world.owner.fetchval("select count(*) from card") == 0
    done = await run("--settings", settings, "--virtual", folder, "--register", fed="2741\n5906\n")
    assert done.returncode == 0, done.stderr
    assert [kind for kind, _ in await world.events()][-2:] == ["registration", "verification"]
    again = await run("--settings", settings, "--virtual", folder, fed="2741\n")
    assert again.returncode == 0, again.stderr


async def test_a_card_of_nobody_insured_is_not_registered(world: World, settings: Path, folder: Path) -> None:
    done = await run("--settings", settings, "--virtual", folder, "--register", fed="2741\n5906\n")
    _said(done, 2, "一致する資格が見つかりません", "No insured person matches")


async def test_a_wrong_pin_counts_down_and_blocks_from_one_run_to_the_next(
    world: World, settings: Path, folder: Path
) -> None:
    for code, shown in (
        ("pin_wrong", "あと 2 回"), ("pin_wrong", "あと 1 回"), ("pin_blocked", "ロック"), ("pin_blocked", "ロック"),
    ):  # fmt: skip
        done = await run("--settings", settings, "--virtual", folder, "--json", fed="8364\n")
        trouble = json.loads(done.stdout)["trouble"]
        assert (done.returncode, trouble["code"]) == (3, code)
        assert shown in trouble["happened"]["ja"]
    assert await world.events() == []  # the centre never hears of a PIN


async def test_the_insured_number_needs_no_card(world: World, settings: Path) -> None:
    await world.coverage(await world.person(), **HOLDER)
    number = ("--settings", settings, "--number", INSURER, "12", "345", "01")
    assert (await run(*number, "--birth-date", "1985-04-12")).returncode == 0
    assert (await run(*number, "--birth-date", "1985-04-13")).returncode == 1
    without = await run(*number)
    assert without.returncode == 64
    assert "--birth-date" in without.stderr
    too_long = ("--settings", settings, "--number", "061394630", "", "1", "", "--birth-date", "1985-04-12")
    assert (await run(*too_long)).returncode == 64


async def test_a_refusal_is_shown_in_both_languages(world: World, settings: Path, folder: Path) -> None:
    await world.owner.execute("update terminal set revoked_at = now()")
    done = await run("--settings", settings, "--virtual", folder, fed="2741\n")
    _said(done, 2, "端末の証明書が確認できません", "certificate could not be confirmed")


async def test_trouble_of_the_centre_is_told_from_a_refusal(world: World, settings: Path) -> None:
    await world.owner.execute("revoke select on coverage from eligibility_counter")
    number = ("--settings", settings, "--number", INSURER, "12", "345", "01", "--birth-date", "1985-04-12")
    assert (await run(*number)).returncode == 4


def _said(done: subprocess.CompletedProcess[str], code: int, japanese: str, english: str) -> None:
    assert done.returncode == code, done.stderr
    shown = " ".join(done.stderr.split())
    assert japanese in shown.replace(" ", "")
    assert english in shown


async def test_nobody_listening_is_the_centre_away(settings: Path, folder: Path) -> None:
    done = await run(
        "--virtual", folder, "--settings", settings, TERMINAL_CENTRE_URL="https://127.0.0.1:9", fed="2741\n"
    )
    _said(done, 4, "接続できません", "cannot be reached")


async def test_a_centre_of_another_authority_is_not_trusted(world: World, settings: Path, folder: Path) -> None:
    authority = str(world.folder / "terminal_authority.crt")
    done = await run("--settings", settings, "--virtual", folder, TERMINAL_CENTRE_AUTHORITY=authority, fed="2741\n")
    _said(done, 4, "通信を止めました", "could not be trusted")


async def test_a_terminal_of_another_authority_is_not_accepted(world: World, settings: Path, folder: Path) -> None:
    certificate, key = world.authorities.enrolment.insurer(INSURER, datetime.now(UTC)).write(world.folder, "insurer")
    own = {"TERMINAL_CERTIFICATE": str(certificate), "TERMINAL_KEY": str(key)}
    done = await run("--settings", settings, "--virtual", folder, fed="2741\n", **own)
    _said(done, 4, "証明書", "TERMINAL_CERTIFICATE")


async def test_missing_credentials_are_named(settings: Path, folder: Path, tmp_path: Path) -> None:
    done = await run("--settings", settings, "--virtual", folder, TERMINAL_KEY=str(tmp_path / "none"))
    _said(done, 64, "読めません", "TERMINAL_KEY")


async def test_missing_settings_are_named(folder: Path) -> None:
    _said(await run("--virtual", folder), 64, "TERMINAL_CENTRE_URL", "TERMINAL_KEY")
    _said(await run("--settings", folder / "none"), 64, "設定ファイルを読めません", "cannot be read")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--bogus",),
        ("--day", "yesterday"),
        ("--consent", "everything"),
        ("--language", "fr"),
        ("--virtual", "a", "--reader", "b"),
        ("--number", "1"),
        ("--pin", "1234"),
    ],
)
async def test_wrong_usage_has_its_own_code(arguments: tuple[str, ...]) -> None:
    done = await run(*arguments)
    assert done.returncode == 64
    assert "usage" in done.stderr


async def test_a_folder_without_a_card_is_said(settings: Path, tmp_path: Path) -> None:
    _said(
        await run("--settings", settings, "--virtual", tmp_path),
        3,
        "仮想カードがありません",
        "does not hold a virtual card",
    )


async def test_nothing_entered_uses_no_try(settings: Path, folder: Path) -> None:
    _said(await run("--settings", settings, "--virtual", folder), 3, "入力されませんでした", "No try was used")


@pytest.mark.pcsc
async def test_a_service_that_is_down_is_said(settings: Path, tmp_path: Path, pcscd: OwnPcscd) -> None:
    done = await run("--settings", settings, PCSCLITE_CSOCK_NAME=str(tmp_path / "nobody"))
    _said(done, 3, "動いていません", "is not running")


@pytest.mark.pcsc
async def test_a_reader_with_another_name_is_said(settings: Path, pcscd: OwnPcscd) -> None:
    _said(await run("--settings", settings, "--reader", "none"), 3, "見つかりません", "No card reader")


@pytest.mark.pcsc
async def test_an_empty_reader_is_said(settings: Path, pcscd: OwnPcscd) -> None:
    _said(await run("--settings", settings), 3, "置かれませんでした", "No card was put")


@pytest.mark.pcsc
async def test_a_card_in_the_reader_is_checked(world: World, settings: Path, inserted: CardInVpcd) -> None:
    await world.coverage(await world.person(), **HOLDER)
    done = await run("--settings", settings, "--reader", "virtual", "--register", fed="2741\n5906\n")
    assert done.returncode == 0, done.stderr
    assert "有効" in done.stdout


async def test_without_pyscard_the_terminal_runs_and_says_what_is_missing(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "smartcard.py").write_text("raise ImportError\n")
    done = await run("--settings", settings, PYTHONPATH=f"{tmp_path}:{Path.cwd()}")
    _said(done, 3, "pyscard", "no card reader support")

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eligibility.wire.problems import Problem, Sentence
from eligibility.wire.verifications import Challenges
from loadtest.pki import Jpki
from terminal_agent import probing
from terminal_agent.__main__ import main
from terminal_agent.card.errors import ReaderServiceDown, ReaderSupportMissing
from terminal_agent.client import Centre, Refused
from terminal_agent.face.mode import FaceMode
from terminal_agent.face.state import FaceState, OffReason
from terminal_agent.health import CertificateProbe, Level, Part, Probes, judge, worst
from terminal_agent.probing import examine
from terminal_agent.settings import TerminalSettings

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OFF = FaceState(OffReason.NOT_ENABLED)


def certificate(days: float = 300, **changes: Any) -> CertificateProbe:
    made = CertificateProbe("TERMINAL_CERTIFICATE", NOW - timedelta(days=60), NOW + timedelta(days=days))
    return replace(made, **changes)


WELL = Probes(
    service=None,
    reader=None,
    readers=("Counter Reader 00 00",),
    certificates=(certificate(), certificate(3000, name="TERMINAL_CENTRE_AUTHORITY")),
    centre=None,
    centre_said=None,
    clock_offset_s=0.4,
    face=FaceState(calibrated=True),
    camera=None,
    bridge_set=True,
    bridge=None,
    outbox_set=True,
    outbox=None,
    outbox_aside=(),
)


def test_a_terminal_that_is_well_is_said_to_be() -> None:
    findings = judge(WELL, NOW)
    assert [finding.part for finding in findings] == list(Part)
    assert {finding.level for finding in findings} == {Level.FINE}
    assert all(finding.mend is None for finding in findings)
    assert worst(findings) is Level.FINE
    assert "Counter Reader" in findings[1].happened.en


@pytest.mark.parametrize(
    ("changes", "part", "level"),
    [
        ({"service": "reader_service_down"}, "service", "broken"),
        ({"service": "reader_support_missing"}, "service", "broken"),
        ({"service": "reader_service_down"}, "reader", "unused"),
        ({"reader": "reader_missing"}, "reader", "broken"),
        ({"certificates": (certificate(-1),)}, "certificates", "broken"),
        ({"certificates": (certificate(0),)}, "certificates", "broken"),
        ({"certificates": (certificate(29),)}, "certificates", "warning"),
        ({"certificates": (certificate(31),)}, "certificates", "fine"),
        ({"certificates": (certificate(), certificate(5))}, "certificates", "warning"),
        ({"certificates": (certificate(not_before=NOW + timedelta(hours=1)),)}, "certificates", "broken"),
        ({"certificates": (certificate(), CertificateProbe("TERMINAL_CENTRE_AUTHORITY"))}, "certificates", "broken"),
        ({"certificates": (certificate(fits_key=False),)}, "certificates", "broken"),
        ({"centre": "centre_away"}, "centre", "broken"),
        ({"centre": "centre_not_trusted"}, "centre", "broken"),
        ({"centre": "terminal_not_accepted"}, "centre", "broken"),
        ({"centre": "terminal_revoked", "centre_said": Sentence(ja="失効。", en="Revoked.")}, "centre", "broken"),
        ({"clock_offset_s": None}, "clock", "unused"),
        ({"clock_offset_s": 4.9}, "clock", "fine"),
        ({"clock_offset_s": 5.0}, "clock", "warning"),
        ({"clock_offset_s": -59.0}, "clock", "warning"),
        ({"clock_offset_s": -60.0}, "clock", "broken"),
        ({"clock_offset_s": 86_400.0}, "clock", "broken"),
        ({"face": OFF}, "face", "unused"),
        ({"face": FaceState(OffReason.MODEL_DIFFERS, "recognizer")}, "face", "warning"),
        ({"face": FaceState()}, "face", "fine"),
        ({"face": OFF, "camera": "camera_missing"}, "camera", "unused"),
        ({"camera": "camera_missing"}, "camera", "warning"),
        ({"bridge_set": False}, "bridge", "unused"),
        ({"bridge": "bridge_folder_missing"}, "bridge", "warning"),
        ({"bridge": "bridge_folder_unusable"}, "bridge", "warning"),
        ({"bridge": "bridge_folder_silent"}, "bridge", "warning"),
        ({"bridge": "bridge_not_running"}, "bridge", "warning"),
        ({"bridge": "bridge_not_started"}, "bridge", "warning"),
        ({"bridge": "MemoryError"}, "bridge", "warning"),
        ({"bridge": "bridge_port_taken"}, "bridge", "warning"),
        ({"outbox_set": False}, "outbox", "unused"),
        ({"outbox": "outbox_damaged"}, "outbox", "warning"),
        ({"outbox": "outbox_key_wrong"}, "outbox", "warning"),
        ({"outbox": "outbox_not_open"}, "outbox", "warning"),
        ({"outbox_aside": ("outbox.db.damaged-20261120T233000Z",)}, "outbox", "warning"),
    ],
)
def test_each_trouble_is_found_at_its_part_with_how_to_mend_it(changes: dict[str, Any], part: str, level: str) -> None:
    findings = {finding.part: finding for finding in judge(replace(WELL, **changes), NOW)}
    found = findings[Part(part)]
    assert found.level == level
    for sentence in (found.happened, found.mend):
        if sentence is not None:
            assert any(character > "぀" for character in sentence.ja)
            assert sentence.en.replace("—", "-").isascii()
    if level in ("warning", "broken"):
        assert found.mend is not None


@pytest.mark.parametrize("code", ["a_code_of_tomorrow", "centre_hung_up"])
def test_a_code_nobody_knows_is_still_told(code: str) -> None:
    findings = judge(replace(WELL, centre=code), NOW)
    assert worst(findings) is Level.BROKEN


@pytest.mark.parametrize(
    ("said", "offset"),
    [
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW + timedelta(seconds=7), usegmt=True), -7),
        (None, None),
        ("yesterday", None),
    ],
)
def test_the_clock_is_compared_with_the_centres_answer(said: str | None, offset: float | None) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content) == {"count": 1}
        body = Challenges(challenges=(b"x",), expires_at=NOW).model_dump_json()
        return httpx.Response(200, content=body, headers={} if said is None else {"Date": said})

    http = httpx.Client(base_url="https://centre.test", transport=httpx.MockTransport(answer))
    with Centre(http, 4, lambda: NOW) as centre:
        assert centre.clock_offset_s() == offset


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names = ["Counter Reader 00 00"]
    monkeypatch.setattr(probing, "reader_names", lambda: names)
    return names


def levels(settings: TerminalSettings, face: FaceMode | None = None, **options: bool) -> dict[str, str]:
    findings = examine(settings, face or FaceMode(OFF), **options)
    return {finding.part.value: finding.level.value for finding in findings}


def test_a_centre_that_is_away_leaves_the_rest_examined(settings: TerminalSettings, readers: list[str]) -> None:
    assert levels(settings) == {
        "service": "fine", "reader": "fine", "certificates": "fine", "centre": "broken", "clock": "unused",
        "face": "unused", "camera": "unused", "bridge": "unused",
        "outbox": "unused",
    }  # fmt: skip


def test_another_reader_than_the_wanted_one_is_none(settings: TerminalSettings, readers: list[str]) -> None:
    assert levels(settings.model_copy(update={"reader": "window"}))["reader"] == "broken"
    assert levels(settings.model_copy(update={"reader": "COUNTER"}))["reader"] == "fine"
    readers.clear()
    assert levels(settings)["reader"] == "broken"


@pytest.mark.parametrize("error", [ReaderServiceDown, ReaderSupportMissing])
def test_the_service_is_asked_first(
    settings: TerminalSettings, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def away() -> list[str]:
        raise error

    monkeypatch.setattr(probing, "reader_names", away)
    found = levels(settings)
    assert (found["service"], found["reader"]) == ("broken", "unused")


@pytest.mark.parametrize("file", ["certificate", "key", "centre_authority"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_files_that_cannot_be_read_are_broken_certificates(
    settings: TerminalSettings, readers: list[str], file: str, content: bytes | None
) -> None:
    path: Path = getattr(settings, file)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    found = levels(settings)
    assert (found["certificates"], found["centre"]) == ("broken", "broken")


def test_a_key_of_another_certificate_is_found(settings: TerminalSettings, readers: list[str], jpki: Jpki) -> None:
    other = jpki.issue_auth("0010", datetime.now(UTC)).key
    settings.key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert levels(settings)["certificates"] == "broken"


@pytest.mark.parametrize("try_camera", [True, False])
def test_the_camera_is_looked_for_when_faces_are_compared(
    settings: TerminalSettings, readers: list[str], tmp_path: Path, try_camera: bool
) -> None:
    for camera in ("97", "/dev/nothing", f"folder:{tmp_path}/nowhere"):
        mode = FaceMode(FaceState(), camera=camera)
        assert levels(settings, mode, try_camera=try_camera)["camera"] == "warning"


def test_a_refusal_is_told_in_the_centres_own_words(
    settings: TerminalSettings, readers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Sentence(ja="この端末は停止されています。", en="This terminal was revoked.")
    problem = Problem(
        type="urn:eligibility:problem:terminal_revoked",
        title="Revoked",
        status=403,
        code="terminal_revoked",
        staff=said,
        vendor=said,
    )

    def refuse(_: Centre) -> float:
        raise Refused(problem)

    monkeypatch.setattr(Centre, "clock_offset_s", refuse)
    found = next(finding for finding in examine(settings, FaceMode(OFF)) if finding.part is Part.CENTRE)
    assert found.happened == problem.staff
    assert found.mend is not None
    assert "terminal_revoked" in found.mend.en


def _environment(settings: TerminalSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("centre_url", "centre_authority", "certificate", "key"):
        monkeypatch.setenv(f"TERMINAL_{name.upper()}", str(getattr(settings, name)))


def test_the_command_ends_with_1_when_a_part_is_broken(
    settings: TerminalSettings,
    readers: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _environment(settings, monkeypatch)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "✘" in printed
    assert "→" in printed
    monkeypatch.setattr(Centre, "clock_offset_s", lambda _: 0.0)
    assert main(["doctor", "--language", "en"]) == 0
    assert "Valid until" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["part"] for finding in findings] == [part.value for part in Part]


def test_settings_that_are_missing_are_said_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TERMINAL_CENTRE_URL", raising=False)
    assert main(["doctor", "--json"]) == 64
    assert json.loads(capsys.readouterr().out)["trouble"]["code"] == "settings_incomplete"

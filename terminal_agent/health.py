"""What is wrong with a terminal and how to mend it: a finding for each part, a pure function of what was probed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from eligibility.wire.problems import Sentence
from terminal_agent.face.state import FaceState, OffReason
from terminal_agent.messages import ADVICE

CLOCK_WARNING_S: Final = 5.0
CLOCK_BROKEN_S: Final = 60.0  # a challenge lives for 120 s
CERTIFICATE_WARNING: Final = timedelta(days=30)


class Part(StrEnum):
    """A part of a terminal, in the order they are shown."""

    SERVICE = "service"
    READER = "reader"
    CERTIFICATES = "certificates"
    CENTRE = "centre"
    CLOCK = "clock"
    FACE = "face"
    CAMERA = "camera"
    BRIDGE = "bridge"
    OUTBOX = "outbox"

    @property
    def words(self) -> Sentence:
        """The part's name."""
        return _PARTS[self]


class Level(StrEnum):
    """How a part is."""

    FINE = "fine"
    UNUSED = "unused"  # not asked for, or nothing to judge it by
    WARNING = "warning"  # the counter goes on; somebody should look
    BROKEN = "broken"  # no card can be checked


@dataclass(frozen=True, slots=True)
class Finding:
    """How a part is, in words, and how to mend it."""

    part: Part
    level: Level
    happened: Sentence
    mend: Sentence | None = None


@dataclass(frozen=True, slots=True)
class CertificateProbe:
    """When one of the terminal's certificates is valid; both None where the file cannot be read."""

    name: str
    not_before: datetime | None = None
    not_after: datetime | None = None
    fits_key: bool = True


@dataclass(frozen=True, slots=True)
class Probes:
    """What was found out; codes are those of the errors met, None where there was none."""

    service: str | None
    reader: str | None
    readers: tuple[str, ...]
    certificates: tuple[CertificateProbe, ...]
    centre: str | None
    centre_said: Sentence | None  # of a centre that refused
    clock_offset_s: float | None  # this machine's clock less the centre's
    face: FaceState
    camera: str | None
    bridge_set: bool
    bridge: str | None
    outbox_set: bool
    outbox: str | None
    outbox_aside: tuple[str, ...]  # damaged files that nobody has taken away yet


def judge(probes: Probes, now: datetime) -> tuple[Finding, ...]:
    """Return a finding for every part, in their order."""
    return (
        _service(probes),
        _reader(probes),
        _certificates(probes.certificates, now),
        _centre(probes),
        _clock(probes.clock_offset_s),
        _face(probes.face),
        _camera(probes),
        _bridge(probes),
        _outbox(probes),
    )


def worst(findings: tuple[Finding, ...]) -> Level:
    """Return the most serious level."""
    levels = list(Level)
    return max((finding.level for finding in findings), key=levels.index)


def _say(ja: str, en: str) -> Sentence:
    return Sentence(ja=ja, en=en)


_PARTS: Final = {
    Part.SERVICE: _say("カードサービス", "Card service"),
    Part.READER: _say("カードリーダー", "Card reader"),
    Part.CERTIFICATES: _say("端末の証明書", "Certificates"),
    Part.CENTRE: _say("資格確認センター", "Eligibility centre"),
    Part.CLOCK: _say("時計", "Clock"),
    Part.FACE: _say("顔照合", "Face match"),
    Part.CAMERA: _say("カメラ", "Camera"),
    Part.BRIDGE: _say("院内システム連携", "Clinic's software"),
    Part.OUTBOX: _say("回線の不通時の記録", "Visits of a line that is down"),
}


def _service(probes: Probes) -> Finding:
    if probes.service is not None:
        return _advised(Part.SERVICE, Level.BROKEN, probes.service)
    return Finding(Part.SERVICE, Level.FINE, _say("pcscd が動いています。", "pcscd is running."))


def _reader(probes: Probes) -> Finding:
    if probes.service is not None:
        unknown = _say("カードサービスが動くまで分かりません。", "Not known until the card service runs.")
        return Finding(Part.READER, Level.UNUSED, unknown)
    if probes.reader is not None:
        return _advised(Part.READER, Level.BROKEN, probes.reader)
    names = ", ".join(probes.readers)
    return Finding(Part.READER, Level.FINE, _say(f"接続されています: {names}", f"Connected: {names}"))


def _certificates(found: tuple[CertificateProbe, ...], now: datetime) -> Finding:
    broken = [one for one in found if one.not_before is None or one.not_after is None or not one.fits_key]
    if broken:
        return _advised(Part.CERTIFICATES, Level.BROKEN, "credentials_unreadable")
    spans = [(one.name, one.not_before or now, one.not_after or now) for one in found]
    for name, not_before, _ in spans:
        if now < not_before:
            return Finding(
                Part.CERTIFICATES,
                Level.BROKEN,
                _say(f"{name} の有効期間がまだ始まっていません。", f"{name} is not valid yet."),
                _say("この端末の日付と時刻を確かめてください。", "Check this machine's date and time."),
            )
    name, _, not_after = min(spans, key=lambda span: span[2])
    days = (not_after - now).days
    renew = _say(
        "システム管理者が新しい証明書を発行・登録してください。",
        "A system administrator enrols this terminal again for a new certificate.",
    )
    if not_after <= now:
        expired = _say(f"{name} の有効期限が切れています。", f"{name} has expired.")
        return Finding(Part.CERTIFICATES, Level.BROKEN, expired, renew)
    if not_after - now <= CERTIFICATE_WARNING:
        soon = _say(f"{name} の有効期限まであと {days} 日です。", f"{name} expires in {days} days.")
        return Finding(Part.CERTIFICATES, Level.WARNING, soon, renew)
    until = f"{not_after:%Y-%m-%d}"
    return Finding(Part.CERTIFICATES, Level.FINE, _say(f"{until} まで有効です。", f"Valid until {until}."))


def _centre(probes: Probes) -> Finding:
    if probes.centre is None:
        return Finding(Part.CENTRE, Level.FINE, _say("応答しています。", "It answers this terminal."))
    if probes.centre_said is not None:
        ask = _say(
            f"システム管理者に伝えてください (コード {probes.centre})。",
            f"Tell your system administrator (code {probes.centre}).",
        )
        return Finding(Part.CENTRE, Level.BROKEN, probes.centre_said, ask)
    return _advised(Part.CENTRE, Level.BROKEN, probes.centre)


def _clock(offset_s: float | None) -> Finding:
    if offset_s is None:
        unknown = _say("センターに接続できないため比べられません。", "Nothing to compare with: the centre is away.")
        return Finding(Part.CLOCK, Level.UNUSED, unknown)
    seconds = abs(offset_s)
    ja, en = ("進んで", "ahead") if offset_s > 0 else ("遅れて", "behind")
    off = _say(f"センターの時計より {seconds:.0f} 秒{ja}います。", f"{seconds:.0f} s {en} of the centre's clock.")
    mend = _say(
        "管理者が「timedatectl set-ntp true」で時刻の自動合わせを有効にしてください。",
        "An administrator turns time synchronisation on: `timedatectl set-ntp true`.",
    )
    if seconds >= CLOCK_BROKEN_S:
        return Finding(Part.CLOCK, Level.BROKEN, off, mend)
    if seconds >= CLOCK_WARNING_S:
        return Finding(Part.CLOCK, Level.WARNING, off, mend)
    return Finding(Part.CLOCK, Level.FINE, _say("センターの時計と合っています。", "It agrees with the centre's."))


def _face(state: FaceState) -> Finding:
    # PIN and staff go on without it, so it is never more than a warning.
    level = Level.FINE if state.ready else Level.UNUSED if state.off is OffReason.NOT_ENABLED else Level.WARNING
    detail = f" [{state.detail}]" if state.detail else ""
    return Finding(Part.FACE, level, _say(state.words.ja + detail, state.words.en + detail), state.mend)


def _camera(probes: Probes) -> Finding:
    if not probes.face.ready:
        return Finding(Part.CAMERA, Level.UNUSED, _say("顔照合を使わないため不要です。", "Not needed: no face match."))
    if probes.camera is not None:
        return _advised(Part.CAMERA, Level.WARNING, probes.camera)
    return Finding(Part.CAMERA, Level.FINE, _say("接続されています。", "Connected."))


def _bridge(probes: Probes) -> Finding:
    if not probes.bridge_set:
        return Finding(Part.BRIDGE, Level.UNUSED, _say("設定されていません。", "Neither a folder nor a port is set."))
    if probes.bridge is not None:
        return _advised(Part.BRIDGE, Level.WARNING, probes.bridge)
    usable = _say("フォルダやポートを使えます。", "Its folder and port, as far as they are set, can be used.")
    return Finding(Part.BRIDGE, Level.FINE, usable)


def _outbox(probes: Probes) -> Finding:
    if not probes.outbox_set:
        return Finding(Part.OUTBOX, Level.UNUSED, _say("設定されていません。", "No file is set."))
    if probes.outbox is not None:
        return _advised(Part.OUTBOX, Level.WARNING, probes.outbox)
    if probes.outbox_aside:
        names = ", ".join(probes.outbox_aside)
        return Finding(
            Part.OUTBOX,
            Level.WARNING,
            _say(
                f"壊れたファイルを保管しました: {names}。読めた来院は引き継いであります。",
                f"A damaged file was put aside: {names}. The visits that could be read were taken over.",
            ),
            _say(
                "「回線の不通時」の一覧にない来院は、紙の控えから「番号で確認」で入力してください。"
                "済んだら、システム管理者がディスクを調べ、ファイルを別のフォルダに移してください。",
                "Enter visits that the page Line down does not list from paper, at Check by number. Then a system "
                "administrator checks the disk and moves the file to another folder.",
            ),
        )
    return Finding(Part.OUTBOX, Level.FINE, _say("来院を記録できます。", "Visits can be journalled."))


def _advised(part: Part, level: Level, code: str) -> Finding:
    advice = ADVICE.get(code, ADVICE["unexpected"].filled({"kind": code}))
    return Finding(part, level, advice.happened, advice.next_step)

"""A card, its photo, a camera and the models: a whole visit, with the tiny models and where present the real ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from loadtest.cards import with_photo
from terminal_agent.card.errors import CardCopied, CardDataForged, CardPhotoMissing, NumberBWrong
from terminal_agent.card.pins import NumberB
from terminal_agent.card.virtual import VirtualCard
from terminal_agent.card.virtual_content import CardContent, CardHolder
from terminal_agent.card.virtual_photo import Box, blank_images, card_photo
from terminal_agent.card.virtual_surface import AUTHORITY_ID, VisualIssuer, new_key
from terminal_agent.face.faces import Picture
from terminal_agent.face.gates import pose_hint
from terminal_agent.face.looking import look
from terminal_agent.face.matching import FaceMatcher
from terminal_agent.face.mode import FaceMode, open_face
from terminal_agent.face.opencv import decode
from terminal_agent.face.opencv_camera import FolderCamera
from terminal_agent.face.policy import Decision, MatchRules
from terminal_agent.face.settings import FaceSettings
from terminal_agent.face.words import Hint, Reason, Step
from tests.cards import HOLDER
from tests.unit.terminal_agent.face.networks import scene
from tests.unit.terminal_agent.face.scripted import Clock

NUMBER_B = NumberB.parse("60041220348123")
TODAY = date(2026, 11, 21)


def png(picture: Picture) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1])


def card_of(
    content: CardContent, issuer: VisualIssuer, picture: bytes, head: Box | None = None, holder: CardHolder = HOLDER
) -> VirtualCard:
    return VirtualCard(with_photo(replace(content, holder=holder), issuer, picture, head))


def pinned(settings: FaceSettings, issuer: VisualIssuer, folder: Path) -> FaceSettings:
    pem = issuer.authority.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    folder.mkdir()
    (folder / f"{AUTHORITY_ID.hex()}.pem").write_bytes(pem)
    return settings.model_copy(update={"card_authorities": folder})


def as_if_calibrated(mode: FaceMode, clock: Clock) -> FaceMode:
    """Give the mode a clock of the test's, and rules as a calibration would have made them."""
    assert mode.matcher is not None
    rules: MatchRules = replace(mode.matcher.rules, calibrated=True)
    matcher = mode.matcher
    return replace(mode, matcher=FaceMatcher(matcher.detector, matcher.embedder, rules, clock))


def watch(mode: FaceMode, card: VirtualCard, pictures: Path, clock: Clock, noise: float = 1.0) -> Decision:
    """Make a visit with one attempt, before the pictures of a folder."""

    def pause(seconds: float) -> None:
        clock.now += seconds

    camera = FolderCamera(pictures, noise, clock, pause)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("terminal_agent.face.opencv_camera.FolderCamera", lambda _: camera)
        with mode.visit(card, NUMBER_B, pin_possible=True, today=TODAY) as session:
            return look(session, f"folder:{pictures}", lambda _: None, Event())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tiny(tiny_settings: Callable[..., FaceSettings], issuer: VisualIssuer, tmp_path: Path, clock: Clock) -> FaceMode:
    return as_if_calibrated(open_face(pinned(tiny_settings(threshold=0.9), issuer, tmp_path / "keys")), clock)


def show(folder: Path, seed: int) -> Path:
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), scene((6, 9), seed=seed, noise=number + 1))
    return folder


def test_the_holder_is_accepted_and_a_stranger_offered_another_way(
    tiny: FaceMode, content: CardContent, issuer: VisualIssuer, tmp_path: Path, clock: Clock
) -> None:
    card = card_of(content, issuer, png(scene((4, 3), size=(320, 240))))
    holder, stranger = show(tmp_path / "holder", 7), show(tmp_path / "stranger", 8)
    decision = watch(tiny, card, holder, clock)
    assert (decision.step, decision.reason) == (Step.ACCEPT, Reason.ALIKE)
    assert watch(tiny, card, stranger, clock).step is Step.RETRY


def test_a_photo_of_an_unknown_authority_is_never_accepted_alone(
    tiny: FaceMode, content: CardContent, issuer: VisualIssuer, tmp_path: Path, clock: Clock
) -> None:
    card = card_of(content, issuer, png(scene((4, 3), size=(320, 240))))
    decision = watch(replace(tiny, authorities={}), card, show(tmp_path / "holder", 7), clock)
    assert (decision.step, decision.reason) == (Step.CONFIRM, Reason.PHOTO_UNVERIFIED)


def test_a_forgers_card_with_his_own_face_does_not_get_to_the_camera(
    tiny: FaceMode, content: CardContent, issuer: VisualIssuer
) -> None:
    forger = VisualIssuer(new_key(), new_key())
    card = card_of(content, forger, png(scene((4, 3), size=(320, 240))))
    with pytest.raises(CardDataForged):
        tiny.visit(card, NUMBER_B, pin_possible=True, today=TODAY)


def test_a_copied_card_does_not_either(tiny: FaceMode, content: CardContent, issuer: VisualIssuer) -> None:
    visual = issuer.issue(HOLDER, card_photo(png(scene((4, 3), size=(320, 240)))), blank_images())
    with pytest.raises(CardCopied):
        tiny.visit(
            VirtualCard(replace(content, visual=replace(visual, key=new_key()))),
            NUMBER_B,
            pin_possible=True,
            today=TODAY,
        )


def test_a_wrong_number_b_and_a_card_without_photo_are_told(tiny: FaceMode, content: CardContent) -> None:
    with pytest.raises(NumberBWrong):
        tiny.visit(VirtualCard(content), NumberB.parse("0" * 14), pin_possible=True, today=TODAY)
    with pytest.raises(CardPhotoMissing):
        tiny.visit(VirtualCard(content), NUMBER_B, pin_possible=True, today=TODAY)


@pytest.mark.parametrize(
    ("birth_date", "step"),
    [(date(2020, 11, 22), "staff"), (date(2020, 11, 21), "continue"), (date(2026, 11, 20), "staff")],
)
def test_children_under_six_go_to_staff(
    tiny: FaceMode, content: CardContent, issuer: VisualIssuer, birth_date: date, step: str
) -> None:
    child = replace(HOLDER, birth_date=birth_date)
    card = card_of(content, issuer, png(scene((4, 3), size=(320, 240))), holder=child)
    with tiny.visit(card, NumberB.parse(child.number_b), pin_possible=True, today=TODAY) as session:
        assert session.result().step == step


def test_a_photo_without_a_face_leads_to_staff_or_pin(
    tiny: FaceMode, content: CardContent, issuer: VisualIssuer
) -> None:
    card = card_of(content, issuer, png(scene(size=(320, 240))))
    for pin_possible, step in ((True, Step.CHOOSE), (False, Step.STAFF)):
        with tiny.visit(card, NUMBER_B, pin_possible=pin_possible, today=TODAY) as session:
            assert session.result().step is step


def test_nothing_of_a_face_is_written_or_logged(
    tiny: FaceMode,
    content: CardContent,
    issuer: VisualIssuer,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    card = card_of(content, issuer, png(scene((4, 3), size=(320, 240))))
    pictures = show(tmp_path / "holder", 7)
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(own)
    monkeypatch.setenv("TMPDIR", str(own))
    before = set(tmp_path.rglob("*"))
    with capture_logs() as logs:
        watch(tiny, card, pictures, clock)
        watch(replace(tiny, authorities={}), card, show(tmp_path / "stranger", 8), clock)
    assert set(tmp_path.rglob("*")) - before == {
        tmp_path / "stranger",
        *(tmp_path / "stranger" / f"{number}.png" for number in range(3)),
    }
    assert [entry["event"] for entry in logs] == ["face_decided", "face_decided"]
    for entry in logs:
        assert entry.keys() == {"event", "log_level", "step", "reason", "attempt", "model", "score", "gates"}
        assert len(entry["model"]) == 8
        assert entry["score"] * 20 == int(entry["score"] * 20)
    said = repr(logs) + "".join(capfd.readouterr())
    for secret in ("1985", NUMBER_B.secret.decode(), "array", "Picture", HOLDER.name):
        assert secret not in said


def test_faces_are_wiped_when_the_visit_ends(
    tiny: FaceMode, content: CardContent, issuer: VisualIssuer, clock: Clock
) -> None:
    card = card_of(content, issuer, png(scene((4, 3), size=(320, 240))))
    session = replace(tiny, authorities={}).visit(card, NUMBER_B, pin_possible=True, today=TODAY)
    for number in range(6):
        clock.now += 0.2
        session.add_frame(scene((6, 9), noise=number + 1))
    assert session.result().step is Step.CONFIRM
    shown = session.pictures()
    assert shown is not None
    assert shown.card.any()
    assert shown.live.any()
    assert "***" in repr(shown)
    kept = [value for name in ("_photo", "_live", "_card") if (value := getattr(session, name)) is not None]
    assert len(kept) == 3
    session.close()
    assert not any(value.any() for value in kept)
    assert session.pictures() is None


class TestRealWeights:
    """The measured models on real pictures: two of each of two people. Skipped, visibly, where they are absent."""

    @pytest.fixture
    def real(self, real_settings: FaceSettings, issuer: VisualIssuer, tmp_path: Path, clock: Clock) -> FaceMode:
        return as_if_calibrated(open_face(pinned(real_settings, issuer, tmp_path / "keys")), clock)

    def head(self, real: FaceMode, picture: bytes) -> Box:
        decoded = decode(picture)
        assert decoded is not None
        assert real.matcher is not None
        (found,) = real.matcher.detector.detect(decoded)
        return found.x, found.y, found.width, found.height

    def folder(self, place: Path, *pictures: Path) -> Path:
        """Return a camera's folder in which a person moves a little."""
        place.mkdir()
        for number, shift in enumerate((0, 3, 6)):
            picture = cv2.imread(str(pictures[number % len(pictures)]))
            assert picture is not None
            cv2.imwrite(str(place / f"{number}.png"), np.roll(picture, shift, axis=1))
        return place

    @pytest.mark.parametrize(
        ("card", "before_the_camera", "step"),
        [
            ("a_2", "a_1", "accept"),
            ("b_1", "b_2", "accept"),
            ("b_2", "b_1", "accept"),
            ("a_2", "b_2", "retry"),
            ("b_1", "a_1", "retry"),
            ("b_2", "a_1", "retry"),
        ],
    )
    def test_a_person_is_matched_with_their_own_photo_only(
        self,
        real: FaceMode,
        shared_data: Path,
        content: CardContent,
        issuer: VisualIssuer,
        tmp_path: Path,
        clock: Clock,
        card: str,
        before_the_camera: str,
        step: str,
    ) -> None:
        picture = (shared_data / "faces" / f"{card}.jpg").read_bytes()
        made = card_of(content, issuer, picture, self.head(real, picture))
        pictures = self.folder(tmp_path / "camera", shared_data / "faces" / f"{before_the_camera}.jpg")
        decision = watch(real, made, pictures, clock)
        assert decision.step == step, decision
        if step == "retry":
            assert decision.reason is Reason.CLEARLY_DIFFERENT

    def test_two_people_before_the_camera_taking_turns_are_noticed(
        self,
        real: FaceMode,
        shared_data: Path,
        content: CardContent,
        issuer: VisualIssuer,
        tmp_path: Path,
        clock: Clock,
    ) -> None:
        faces = shared_data / "faces"
        picture = (faces / "a_2.jpg").read_bytes()
        made = card_of(content, issuer, picture, self.head(real, picture))
        pictures = self.folder(tmp_path / "camera", faces / "a_1.jpg", faces / "b_2.jpg")
        assert watch(real, made, pictures, clock).reason is Reason.PERSON_SWAPPED

    def test_a_face_turned_too_far_is_asked_to_look_straight(self, real: FaceMode, shared_data: Path) -> None:
        assert real.matcher is not None
        picture = decode((shared_data / "faces" / "a_2.jpg").read_bytes())
        assert picture is not None
        (found,) = real.matcher.detector.detect(picture)
        assert pose_hint(found) is Hint.LOOK_STRAIGHT

    def test_the_real_detector_finds_one_face_in_each_picture(self, real: FaceMode, shared_data: Path) -> None:
        for path in sorted((shared_data / "faces").glob("*.jpg")):
            self.head(real, path.read_bytes())

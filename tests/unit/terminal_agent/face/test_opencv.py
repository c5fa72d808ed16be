import cv2
import numpy as np
import pytest

from terminal_agent.face.opencv import OpencvError, SfaceEmbedder, YunetDetector, decode, encode_jpeg
from terminal_agent.face.quality import measure
from tests.unit.terminal_agent.face import networks
from tests.unit.terminal_agent.face.networks import scene


@pytest.fixture(scope="module")
def detector() -> YunetDetector:
    return YunetDetector(networks.detector())


@pytest.fixture(scope="module")
def embedder() -> SfaceEmbedder:
    return SfaceEmbedder(networks.embedder())


@pytest.mark.parametrize("cells", [[], [(6, 9)], [(6, 5), (6, 14)]])
def test_each_face_is_found_once(detector: YunetDetector, cells: list[tuple[int, int]]) -> None:
    assert len(detector.detect(scene(*cells))) == len(cells)


def test_the_faces_points_are_where_they_are(detector: YunetDetector) -> None:
    (found,) = detector.detect(scene((6, 9)))
    assert (found.right_eye, found.left_eye, found.nose) == ((272, 176), (336, 176), (304, 208))
    assert (found.eye_distance, found.yaw_ratio, found.roll_degrees) == (64, 0, 0)
    assert found.score == 1


def test_a_wide_picture_is_searched_smaller_and_answered_in_its_own_pixels(detector: YunetDetector) -> None:
    wide = np.asarray(cv2.resize(scene((6, 9)), (1280, 960), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    (found,) = detector.detect(wide)
    assert found.eye_distance == pytest.approx(128, abs=0.1)
    assert found.centre == pytest.approx((608, 416), abs=1)


def test_sizes_may_change_from_picture_to_picture(detector: YunetDetector) -> None:
    for size in ((320, 240), (480, 640), (321, 243), (96, 64)):
        assert detector.detect(scene(size=size)) == []
    assert len(detector.detect(scene((4, 4), size=(320, 240)))) == 1


def test_the_same_face_elsewhere_has_the_same_vector_and_another_has_another(
    detector: YunetDetector, embedder: SfaceEmbedder
) -> None:
    pictures = [scene((6, 9)), scene((7, 12)), scene((6, 9), seed=8)]
    here, there, other = (embedder.embed(embedder.align(one, detector.detect(one)[0])) for one in pictures)
    assert float(np.linalg.norm(here)) == pytest.approx(1)
    assert float(here @ there) == pytest.approx(1, abs=1e-5)
    assert float(here @ other) < 0.9


def test_a_vector_is_not_overwritten_by_the_next(detector: YunetDetector, embedder: SfaceEmbedder) -> None:
    one, other = scene((6, 9)), scene((6, 9), seed=8)
    first = embedder.embed(embedder.align(one, detector.detect(one)[0]))
    kept = first.copy()
    embedder.embed(embedder.align(other, detector.detect(other)[0]))
    assert np.array_equal(first, kept)


def test_a_network_that_gives_something_else_is_not_believed() -> None:
    crop = np.zeros((112, 112, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="no vector"):
        SfaceEmbedder(networks.short_embedder()).embed(crop)
    with pytest.raises(OpencvError):
        SfaceEmbedder(networks.detector()).embed(crop)


@pytest.mark.parametrize("model", [b"", b"version https://git-lfs.github.com/spec/v1\n", networks.embedder()[:300]])
def test_what_is_no_network_is_not_loaded(model: bytes) -> None:
    with pytest.raises(OpencvError):
        SfaceEmbedder(model)
    with pytest.raises(OpencvError):
        YunetDetector(model)


@pytest.mark.parametrize("raw", [b"", b"garbage", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_decodes_to_none(raw: bytes) -> None:
    assert decode(raw) is None


def test_a_picture_for_the_staffs_screen_is_a_jpeg() -> None:
    picture = scene((6, 9))
    shown = decode(encode_jpeg(picture))
    assert shown is not None
    assert shown.shape == picture.shape


@pytest.mark.parametrize(("change", "compared"), [("blurred", "sharpness"), ("moved", "edges"), ("dark", "mean_grey")])
def test_quality_falls_with_what_spoils_a_picture(change: str, compared: str) -> None:
    crop = scene((2, 1), size=(112, 112))
    spoilt = {
        "blurred": cv2.GaussianBlur(crop, (0, 0), 4),
        "moved": cv2.blur(crop, (1, 25)),
        "dark": (crop * 0.2).astype(np.uint8),
    }[change]
    assert getattr(measure(np.asarray(spoilt)), compared) < getattr(measure(crop), compared) / 2


def test_quality_is_what_opencv_measures() -> None:
    crop = scene((2, 1), size=(112, 112))
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)[1:-1, 1:-1].var()
    assert measure(crop).sharpness == pytest.approx(laplacian, rel=0.02)

import os
from hashlib import sha256
from pathlib import Path

import pytest

from terminal_agent.face import models
from terminal_agent.face.models import KNOWN_MODELS, KnownModel, ModelSpec, ModelTrouble, install, read_model
from terminal_agent.face.state import OffReason

CONTENT = b"the bytes of a network"
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    return ModelSpec("recognizer", tmp_path / "place" / "model.onnx", DIGEST)


def put(spec: ModelSpec, content: bytes) -> None:
    spec.path.parent.mkdir(exist_ok=True)
    spec.path.write_bytes(content)


def test_the_bytes_that_were_checked_are_returned(spec: ModelSpec) -> None:
    put(spec, CONTENT)
    assert read_model(spec) == CONTENT


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "recognizer (empty)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "recognizer (a git-lfs pointer, not"),
        (CONTENT[:-1], "recognizer"),
        (CONTENT + b"\n", "recognizer"),
        (b"another valid network", "recognizer"),
    ],
)
def test_another_file_is_never_used(spec: ModelSpec, content: bytes, detail: str) -> None:
    put(spec, content)
    with pytest.raises(ModelTrouble) as trouble:
        read_model(spec)
    assert trouble.value.reason is OffReason.MODEL_DIFFERS
    assert trouble.value.detail.startswith(detail)


def test_a_missing_file_and_a_folder_in_its_place_are_missing(spec: ModelSpec) -> None:
    for make in (lambda: None, lambda: spec.path.mkdir(parents=True)):
        make()
        with pytest.raises(ModelTrouble) as trouble:
            read_model(spec)
        assert trouble.value.reason is OffReason.MODEL_MISSING


def test_a_file_that_is_too_long_is_not_read(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_BYTES", 10)
    put(spec, CONTENT)
    with pytest.raises(ModelTrouble, match="too long"):
        read_model(spec)


def test_installing_puts_the_wanted_file_in_its_place_read_only(spec: ModelSpec, tmp_path: Path) -> None:
    source = tmp_path / "downloaded.onnx"
    source.write_bytes(CONTENT)
    assert install([source], [spec]) == [spec]
    assert read_model(spec) == CONTENT
    assert spec.path.stat().st_mode & 0o777 == 0o444
    assert os.listdir(spec.path.parent) == ["model.onnx"]
    install([source], [spec])
    assert read_model(spec) == CONTENT


@pytest.mark.parametrize("content", [b"", b"another", b"version https://git-lfs.github.com/spec/v1\n"])
def test_nothing_is_installed_when_one_file_is_not_wanted(spec: ModelSpec, tmp_path: Path, content: bytes) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(CONTENT)
    bad.write_bytes(content)
    put(spec, b"the old one")
    with pytest.raises(ModelTrouble) as trouble:
        install([good, bad], [spec])
    assert sha256(content).hexdigest() in trouble.value.detail
    assert spec.path.read_bytes() == b"the old one"


def test_a_source_that_is_not_there_is_named(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ModelTrouble, match="nowhere"):
        install([tmp_path / "nowhere"], [spec])


def test_a_known_digest_has_its_published_size(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN_MODELS, DIGEST, KnownModel("a test", len(CONTENT) + 1, "none"))
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    with pytest.raises(ModelTrouble):
        install([source], [spec])


def test_an_interrupted_installation_leaves_the_old_file(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    put(spec, b"the old one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        install([source], [spec])
    assert spec.path.read_bytes() == b"the old one"
    assert os.listdir(spec.path.parent) == ["model.onnx"]

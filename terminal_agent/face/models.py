"""The model files: named by path and SHA-256, read and checked at the start, installed by an explicit command."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from terminal_agent.face.state import OffReason

MAX_BYTES: Final = 256 * 1024 * 1024  # the recogniser the field talks about has 38.7 MB
_LFS_POINTER: Final = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which file is meant: OpenCV takes any valid network without a word, so only the digest tells them apart."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A published file: what it is, and how many bytes it has."""

    what: str
    size: int
    licence: str


# By SHA-256. A file that is not here may be used all the same; its settings then vouch for it alone.
KNOWN_MODELS: Final = {
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4": KnownModel(
        "YuNet 2023-03, the detector FaceDetectorYN documents", 232_589, "Apache-2.0"
    ),
    "0fe838d0428ea190ced10eacac8c632338adccb160a1b986d8a6b8fb40f1d4e6": KnownModel(
        "MobileFaceNet, a recogniser FaceRecognizerSF can drive", 3_998_130, "Apache-2.0"
    ),
}


class ModelTrouble(Exception):
    """A model file cannot be used; `reason` says why and `detail` which."""

    def __init__(self, reason: OffReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def read_model(spec: ModelSpec) -> bytes:
    """Read a model file and make sure that it is the one its digest names; the very bytes checked are returned.

    Raises:
        ModelTrouble: it is missing, too long, or another file.
    """
    try:
        if spec.path.stat().st_size > MAX_BYTES:
            raise ModelTrouble(OffReason.MODEL_DIFFERS, f"{spec.name}: too long")
        content = spec.path.read_bytes()
    except OSError as error:
        raise ModelTrouble(OffReason.MODEL_MISSING, spec.name) from error
    if sha256(content).hexdigest() != spec.sha256:
        raise ModelTrouble(OffReason.MODEL_DIFFERS, f"{spec.name}{_what_it_is(content)}")
    return content


def install(sources: Sequence[Path], specs: Sequence[ModelSpec]) -> list[ModelSpec]:
    """Put files where the settings expect them; each must be one of `specs`, by digest. Return which were installed.

    Nothing is installed unless every file is wanted; each then takes its place in one step (a rename).

    Raises:
        ModelTrouble: a file cannot be read, is none of those wanted, or has another size than published.
        OSError: the place cannot be written.
    """
    wanted = {spec.sha256: spec for spec in specs}
    found: list[tuple[ModelSpec, bytes]] = []
    for source in sources:
        try:
            content = source.read_bytes() if source.stat().st_size <= MAX_BYTES else b""
        except OSError as error:
            raise ModelTrouble(OffReason.MODEL_MISSING, source.name) from error
        digest = sha256(content).hexdigest()
        known = KNOWN_MODELS.get(digest)
        if digest not in wanted or (known is not None and known.size != len(content)):
            raise ModelTrouble(OffReason.MODEL_DIFFERS, f"{source.name}{_what_it_is(content)}: sha256 {digest}")
        found.append((wanted[digest], content))
    for spec, content in found:
        _replace(spec.path, content)
    return [spec for spec, _ in found]


def _what_it_is(content: bytes) -> str:
    if not content:
        return " (empty)"
    return " (a git-lfs pointer, not the file)" if content.startswith(_LFS_POINTER) else ""


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o444)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

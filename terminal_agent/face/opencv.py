"""The detector and the embedder behind OpenCV, and the pictures it decodes: the only place that computes with it."""

from threading import Lock
from typing import Any, Final

import cv2
import numpy as np

from terminal_agent.face.faces import Face, Picture, Vector

CROP_SIDE: Final = 112  # of the aligned face, in pixels: what FaceRecognizerSF wants
DIMENSIONS: Final = 128
MAX_DETECTION_WIDTH: Final = 640  # wider pictures are made smaller for finding, never for aligning
THREADS: Final = 2

_SCORE: Final = 0.8
_NMS: Final = 0.3
_NO_CONFIG: Final = np.zeros(0, dtype=np.uint8)

# OpenCV 5 warns of its own defaults each time a network is made, and writes about pictures it cannot read.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
cv2.setNumThreads(THREADS)

OpencvError: Final = cv2.error
VERSION: Final = str(cv2.__version__)


class YunetDetector:
    """YuNet, or a network with the same outputs, through `FaceDetectorYN`."""

    def __init__(self, model: bytes) -> None:
        size = (MAX_DETECTION_WIDTH, MAX_DETECTION_WIDTH)
        self._network: Any = cv2.FaceDetectorYN.create("onnx", _buffer(model), _NO_CONFIG, size, _SCORE, _NMS)
        self._lock = Lock()  # the network keeps the size of its input

    def detect(self, picture: Picture) -> list[Face]:
        """Return the faces of a picture, in its own pixels."""
        rows, columns = picture.shape[:2]
        scale = min(1.0, MAX_DETECTION_WIDTH / columns)
        small = picture
        if scale < 1:
            size = (MAX_DETECTION_WIDTH, max(1, round(rows * scale)))
            small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        with self._lock:
            self._network.setInputSize((small.shape[1], small.shape[0]))
            _, found = self._network.detect(small)
        return [] if found is None else [_face(row / scale, float(row[14])) for row in found]


class SfaceEmbedder:
    """SFace, or a network with the same input and output, through `FaceRecognizerSF`."""

    def __init__(self, model: bytes) -> None:
        self._network: Any = cv2.FaceRecognizerSF.create("onnx", _buffer(model), _NO_CONFIG)
        self._lock = Lock()

    def align(self, picture: Picture, face: Face) -> Picture:
        """Cut the face from the whole picture, upright, 112 x 112; no other cutting will do (docs/face.md)."""
        with self._lock:
            return np.asarray(self._network.alignCrop(picture, _row(face)), dtype=np.uint8)

    def embed(self, crop: Picture) -> Vector:
        """Return the unit vector of an aligned face, of 128 numbers.

        Raises:
            ValueError: the network gave another shape, no finite numbers, or nothing at all.
        """
        with self._lock:
            # Copied: the next call writes into the same buffer (opencv#23949).
            feature = np.array(self._network.feature(crop), dtype=np.float32).ravel()
        length = float(np.linalg.norm(feature))
        if feature.size != DIMENSIONS or not np.isfinite(length) or length == 0:
            raise ValueError("the network gave no vector of a face")
        vector: Vector = feature / np.float32(length)
        return vector


def decode(encoded: bytes) -> Picture | None:
    """Decode a picture to blue, green, red; None where OpenCV cannot. The bytes are to be trusted (`card_photo`)."""
    if not encoded:
        return None
    # A grey codestream without the boxes around it decodes to grey only.
    for mode in (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE):
        try:
            read = cv2.imdecode(_buffer(encoded), mode)
        except cv2.error:
            return None
        if read is not None:
            picture = np.asarray(read, dtype=np.uint8)
            return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    return None


def encode_jpeg(picture: Picture) -> bytes:
    """Encode a picture for the staff's screen; it stays in memory."""
    return bytes(cv2.imencode(".jpg", picture)[1])


def _buffer(content: bytes) -> Any:
    return np.frombuffer(content, dtype=np.uint8)


def _face(row: Any, score: float) -> Face:
    x, y, width, height, *points = (float(value) for value in row[:14])
    right_eye, left_eye, nose, right_mouth, left_mouth = zip(points[::2], points[1::2], strict=True)
    return Face(x, y, width, height, right_eye, left_eye, nose, right_mouth, left_mouth, score)


def _row(face: Face) -> Any:
    points = (face.right_eye, face.left_eye, face.nose, face.right_mouth, face.left_mouth)
    numbers = (face.x, face.y, face.width, face.height, *(value for point in points for value in point), face.score)
    return np.array(numbers, dtype=np.float32)

"""Two tiny networks written as ONNX by hand, so that OpenCV's real classes run where the real weights are absent.

They know nothing about faces. The detector, shaped like YuNet, "finds" a face around every bright 32 x 32 cell of its
grid; the embedder, shaped like SFace, gives brightness and slant of 8 x 8 fields. No `onnx` package is needed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terminal_agent.face.faces import Picture

CELL = 32
BRIGHT = 250


def embedder() -> bytes:
    """Return an embedder: 112 x 112 in, 128 numbers out."""
    side = 14
    weights = np.zeros((2, 3, side, side), dtype=np.float32)
    weights[0] = 1 / (3 * side * side)
    weights[1, :, :, : side // 2], weights[1, :, :, side // 2 :] = 1 / (3 * side * side), -1 / (3 * side * side)
    tensors = [_tensor("w", weights), _tensor("b", np.array([-100, 0], dtype=np.float32)), _tensor("shape", [1, 128])]
    nodes = [
        _node("Conv", ["data", "w", "b"], ["fields"], kernel_shape=[side, side], strides=[side, side]),
        _node("Reshape", ["fields", "shape"], ["fc1"]),
    ]
    return _model(nodes, tensors, [_value("data", [1, 3, 112, 112])], [_value("fc1", [1, 128])])


def constant_embedder() -> bytes:
    """Return an embedder that gives the same vector for everything, as a broken network may."""
    tensors = [
        _tensor("w", np.zeros((128, 3, 112, 112), dtype=np.float32)),
        _tensor("b", np.ones(128, dtype=np.float32)),
        _tensor("shape", [1, 128]),
    ]
    nodes = [
        _node("Conv", ["data", "w", "b"], ["c"], kernel_shape=[112, 112], strides=[1, 1]),
        _node("Reshape", ["c", "shape"], ["fc1"]),
    ]
    return _model(nodes, tensors, [_value("data", [1, 3, 112, 112])], [_value("fc1", [1, 128])])


def short_embedder() -> bytes:
    """Return a valid network of another use: 64 numbers instead of 128."""
    weights = np.full((1, 3, 14, 14), 1 / 588, dtype=np.float32)
    tensors = [_tensor("w", weights), _tensor("shape", [1, 64])]
    nodes = [
        _node("Conv", ["data", "w"], ["fields"], kernel_shape=[14, 14], strides=[14, 14]),
        _node("Reshape", ["fields", "shape"], ["fc1"]),
    ]
    return _model(nodes, tensors, [_value("data", [1, 3, 112, 112])], [_value("fc1", [1, 64])])


def detector() -> bytes:
    """Return a detector with YuNet's twelve outputs; only those of stride 32 ever fire."""
    nodes: list[bytes] = []
    tensors: list[bytes] = []
    names = []
    # Of each cell: a box of 5.4 by 7 cells around its middle, eyes 2 cells apart, nose and mouth below.
    box = [0.5, 0.5, float(np.log(5.4)), float(np.log(7.0))]
    points = [-0.5, -0.5, 1.5, -0.5, 0.5, 0.5, -0.2, 1.3, 1.2, 1.3]
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            name = f"{kind}_{stride}"
            names.append(name)
            weights = np.zeros((width, 3, stride, stride), dtype=np.float32)
            bias = np.array({"bbox": box, "kps": points}.get(kind, [0.0]), dtype=np.float32)
            if width == 1 and stride == CELL:
                weights[:] = 1 / (3 * stride * stride * 20)
                bias[:] = -(BRIGHT - 20) / 20
            tensors += [_tensor(f"{name}.w", weights), _tensor(f"{name}.b", bias)]
            tensors.append(_tensor(f"{name}.shape", [1, -1, width]))
            inputs = ["input", f"{name}.w", f"{name}.b"]
            nodes.append(_node("Conv", inputs, [f"{name}.c"], kernel_shape=[stride, stride], strides=[stride, stride]))
            nodes.append(_node("Relu", [f"{name}.c"], [f"{name}.r"]) if width == 1 else b"")
            last = f"{name}.r" if width == 1 else f"{name}.c"
            nodes.append(_node("Transpose", [last], [f"{name}.t"], perm=[0, 2, 3, 1]))
            nodes.append(_node("Reshape", [f"{name}.t", f"{name}.shape"], [name]))
    outputs = [_value(name, [1, "n", "k"]) for name in names]
    return _model([node for node in nodes if node], tensors, [_value("input", [1, 3, "height", "width"])], outputs)


def scene(*cells: tuple[int, int], seed: int = 7, size: tuple[int, int] = (480, 640), noise: int = 0) -> Picture:
    """Return a picture with a "face" at each cell (row, column): a pattern by seed, its cell bright."""
    rows, columns = size
    picture = np.full((rows, columns, 3), 90, dtype=np.int16)
    for row, column in cells:
        pattern = np.random.default_rng(seed).integers(40, 180, (14, 12, 3))
        patch = np.kron(pattern, np.ones((16, 16, 1))).astype(np.int16)
        top, left = row * CELL - 96, column * CELL - 80
        target = picture[max(top, 0) : top + 224, max(left, 0) : left + 192]
        target[:] = patch[max(-top, 0) :, max(-left, 0) :][: target.shape[0], : target.shape[1]]
        picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = BRIGHT + 5
    if noise:
        picture += np.random.default_rng(noise).integers(-6, 7, picture.shape, dtype=np.int16)
        for row, column in cells:
            picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = BRIGHT + 5
    return np.clip(picture, 0, 255).astype(np.uint8)


def _model(
    nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]
) -> bytes:
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"graph")
    graph += b"".join(_bytes(5, tensor) for tensor in tensors)
    graph += b"".join(_bytes(11, value) for value in inputs) + b"".join(_bytes(12, value) for value in outputs)
    return _number(1, 7) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, 11))


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: list[int]) -> bytes:
    node = b"".join(_bytes(1, name.encode()) for name in inputs)
    node += b"".join(_bytes(2, name.encode()) for name in outputs)
    node += _bytes(3, f"{outputs[0]}.node".encode()) + _bytes(4, kind.encode())
    for name, values in attributes.items():
        ints = b"".join(_number(8, value) for value in values)
        node += _bytes(5, _bytes(1, name.encode()) + ints + _number(20, 7))
    return node


def _tensor(name: str, values: NDArray[np.float32] | list[int]) -> bytes:
    array = np.array(values, dtype=np.int64) if isinstance(values, list) else values
    kind = 7 if isinstance(values, list) else 1
    dims = b"".join(_number(1, size) for size in array.shape)
    return dims + _number(2, kind) + _bytes(8, name.encode()) + _bytes(9, array.tobytes())


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, dim) if isinstance(dim, int) else _bytes(2, dim.encode())) for dim in shape)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = b""
    value &= (1 << 64) - 1
    while value >= 0x80:
        encoded += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return encoded + bytes((value,))

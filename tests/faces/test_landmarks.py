"""The landmark backends: their geometry, a hand-made ONNX model, and errors with a remedy."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.lib.demo.face import MIRROR
from stages.lib.errors import InputError
from stages.lib.faces.crop import crop_square
from stages.lib.faces.haar import detect_face
from stages.lib.faces.landmarks import canonical_face, haar_landmarks, make_landmarker
from tests.helpers.videos import portrait


def test_canonical_face_is_symmetric_and_normalised():
    face = canonical_face()
    assert face.shape == (68, 2)
    np.testing.assert_allclose(face[MIRROR] * (-1, 1), face, atol=1e-12)
    left, right = face[36:42].mean(axis=0), face[42:48].mean(axis=0)
    np.testing.assert_allclose(right - left, [1, 0], atol=0.01)
    np.testing.assert_allclose((left + right) / 2, [0, 0], atol=0.01)


def test_haar_landmarks_lie_near_the_hand_placed_ones(portrait_landmarks):
    found = haar_landmarks(portrait(), detect_face(portrait()))
    eye_distance = np.linalg.norm(portrait_landmarks[42:48].mean(axis=0) - portrait_landmarks[36:42].mean(axis=0))
    assert np.linalg.norm(found - portrait_landmarks, axis=1).mean() / eye_distance < 0.2


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor_type(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_field(1, _field(1, n)) for n in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def write_onnx(path: Path, bias: np.ndarray) -> Path:
    """A minimal ONNX file, by the format's own wire encoding: GlobalAveragePool, then Gemm with zero weights and
    ``bias``.
    """

    def initializer(name: str, array: np.ndarray) -> bytes:
        dims = b"".join(_field(1, n) for n in array.shape)
        return dims + _field(2, 1) + _field(8, name) + _field(9, array.astype("<f4").tobytes())

    pool = _field(1, "x") + _field(2, "p") + _field(3, "pool") + _field(4, "GlobalAveragePool")
    flat = _field(1, "p") + _field(2, "f") + _field(3, "flat") + _field(4, "Flatten")
    gemm = b"".join(_field(1, n) for n in ("f", "w", "b")) + _field(2, "y") + _field(3, "gemm") + _field(4, "Gemm")
    graph = b"".join(_field(1, node) for node in (pool, flat, gemm)) + _field(2, "g")
    graph += _field(5, initializer("w", np.zeros((3, bias.size)))) + _field(5, initializer("b", bias))
    graph += _field(11, _tensor_type("x", (1, 3, 112, 112))) + _field(12, _tensor_type("y", (1, bias.size)))
    path.write_bytes(_field(1, 7) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 11)))
    return path


def test_onnx_outputs_are_fractions_of_the_enlarged_box(tmp_path):
    fractions = np.random.default_rng(0).random((68, 2))
    landmarks = make_landmarker(str(write_onnx(tmp_path / "m.onnx", fractions.ravel())))
    box = np.array([50.0, 40.0, 100.0, 100.0])
    left, top, side = crop_square(box, 1.1)
    expected = fractions * side + (left, top)
    np.testing.assert_allclose(landmarks(np.zeros((240, 320, 3), np.uint8), box), expected, atol=1e-3)


def test_an_onnx_model_of_other_outputs_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has outputs of \[10\] values, expected one of 136"):
        make_landmarker(str(write_onnx(tmp_path / "m.onnx", np.zeros(10))))


@pytest.mark.parametrize("name", ["none.onnx", "lbfmodel.yaml"])
def test_a_missing_model_says_where_to_get_it_and_how_to_check_it(tmp_path, name):
    with pytest.raises(InputError, match=r"no file .*github.com.*lbfmodel.yaml.*Check it by"):
        make_landmarker(str(tmp_path / name))


@pytest.mark.parametrize("name", ["m.onnx", "m.yaml"])
def test_a_file_that_is_no_model_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(struct.pack("<16f", *range(16)))
    with pytest.raises(InputError, match=r"is not an (ONNX|LBF) model"):
        make_landmarker(str(tmp_path / name))


def test_an_unknown_backend_names_the_choices():
    with pytest.raises(
        InputError, match="faces.landmarks is 'dlib', expected `mesh`, `haar` or a path ending in .onnx, .yaml, .yml"
    ):
        make_landmarker("dlib")


def test_the_lbf_adapter_hands_box_and_points_through(tmp_path, monkeypatch):
    # A 68-point LBF model cannot be had here; the adapter's own work is tested with a stand-in for OpenCV's class.
    points = np.arange(136, dtype=np.float32).reshape(1, 68, 2)

    class Facemark:
        def loadModel(self, path):
            assert Path(path).is_file()

        def fit(self, frame, boxes):
            assert boxes.dtype == np.int32
            assert boxes.tolist() == [[1, 2, 30, 40]]
            return True, [points]

    monkeypatch.setattr(cv2.face, "createFacemarkLBF", Facemark)
    (tmp_path / "stand_in.yaml").write_text("%YAML:1.0")
    found = make_landmarker(str(tmp_path / "stand_in.yaml"))(
        np.zeros((99, 99, 3), np.uint8), np.array([1.0, 2.0, 30.0, 40.0])
    )
    np.testing.assert_array_equal(found, points[0])

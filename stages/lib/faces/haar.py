"""OpenCV's Haar cascades, the paper's face detector (section 4.1): frontal faces, the largest first, and eyes."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

DETECTION_SIDE = 480  # px: detection shrinks frames to this long side; 2 to 6 times faster, and as many faces found
_SMALLEST_FACE = (0.3, 0.1)  # of the frame's short side, tried in this order; smaller "faces" are texture
_FACE_CASCADE = "haarcascade_frontalface_alt2.xml"
_EYE_CASCADE = "haarcascade_eye.xml"


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    folder = cv2.data.haarcascades  # type: ignore[attr-defined]  # OpenCV's stub lacks it
    cascade = cv2.CascadeClassifier(str(Path(folder) / name))
    if cascade.empty():
        raise RuntimeError(
            f"OpenCV has no {name}: install opencv-contrib-python-headless as pinned in requirements.txt"
        )
    return cascade


def detect_face(frame: np.ndarray, detection_side: int = DETECTION_SIDE) -> np.ndarray | None:
    """The box of the largest frontal face of a BGR uint8 frame, or None.

    Returns float64 (4,): x, y, width, height in frame pixels. Large faces are looked for first, which is several times
    cheaper: only where there is none are smaller ones, so the answer is the largest face all the same.
    """
    gray, scale = _for_detection(frame, detection_side)
    for share in _SMALLEST_FACE:
        if len(found := _detect(gray, share)):
            return np.asarray(found[0] / scale)
    return None


def detect_faces(frame: np.ndarray, detection_side: int = DETECTION_SIDE) -> np.ndarray:
    """The boxes of all frontal faces of a BGR uint8 frame, float64 (n, 4) as in :func:`detect_face`, the largest
    first.
    """
    gray, scale = _for_detection(frame, detection_side)
    return _detect(gray, min(_SMALLEST_FACE)) / scale


def _for_detection(frame: np.ndarray, detection_side: int) -> tuple[np.ndarray, float]:
    """The frame in grey, shrunk to a long side of at most ``detection_side``, and the factor."""
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    scale = min(1.0, detection_side / max(gray.shape))
    if scale < 1.0:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return gray, scale


def _detect(gray: np.ndarray, share: float) -> np.ndarray:
    """Boxes (n, 4) of the faces whose side is at least ``share`` of the image's short side, the largest first."""
    smallest = max(20, int(share * min(gray.shape)))
    found = _cascade(_FACE_CASCADE).detectMultiScale(
        gray, scaleFactor=1.1, minNeighbors=4, minSize=(smallest, smallest)
    )
    # Ties are broken by position, so that the order does not depend on the detector's own.
    boxes = sorted(np.asarray(found).reshape(-1, 4).tolist(), key=lambda box: (-box[2] * box[3], box))
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def detect_eyes(frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Centres of the two eyes of a face, or None unless exactly one plausible candidate stands out on each side.

    ``box`` is the detector's box (4,). Returns float64 (2, 2): x, y in frame pixels, the image-left eye first.
    """
    x, y, width, height = box
    top, bottom = int(max(y + 0.2 * height, 0)), int(y + 0.58 * height)
    centres = []
    for left, right in ((x + 0.08 * width, x + 0.5 * width), (x + 0.5 * width, x + 0.92 * width)):
        region = frame[top:bottom, int(max(left, 0)) : int(right)]
        if min(region.shape[:2]) < 12:
            return None
        gray = cv2.cvtColor(region, cv2.COLOR_BGR2GRAY)
        scale = 80.0 / gray.shape[1]  # the cascade's smallest eye is 20 px wide
        gray = cv2.equalizeHist(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR))
        found, _, weights = _cascade(_EYE_CASCADE).detectMultiScale3(
            gray, 1.08, 3, minSize=(28, 28), outputRejectLevels=True
        )
        if len(found) == 0:
            return None
        ex, ey, ew, eh = found[int(np.argmax(weights))] / scale
        centres.append((int(max(left, 0)) + ex + ew / 2, top + ey + eh / 2))
    eyes = np.asarray(centres)
    distance, tilt = np.linalg.norm(eyes[1] - eyes[0]) / width, abs(eyes[1, 1] - eyes[0, 1]) / width
    return eyes if 0.28 < distance < 0.52 and tilt < 0.15 else None

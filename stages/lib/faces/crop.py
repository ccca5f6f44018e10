"""The face crop (section 4.1): the face's box enlarged, a square, no alignment."""

import cv2
import numpy as np


def crop_square(box: np.ndarray, enlarge: float) -> np.ndarray:
    """The square about a box's centre whose side is ``enlarge`` times the box's longer side.

    Returns float64 (3,): left, top, side in frame pixels; it may reach beyond the frame.
    """
    x, y, width, height = box
    side = enlarge * max(width, height)
    return np.array([x + (width - side) / 2, y + (height - side) / 2, side])


def crop_face(frame: np.ndarray, square: np.ndarray, size: int) -> np.ndarray:
    """The square of a frame resized to ``size`` x ``size``, BGR in and RGB uint8 (size, size, 3) out.

    What lies beyond the frame repeats its edge. This is the one crop of the project.
    """
    left, top, side = square
    x0, y0, n = int(round(left)), int(round(top)), max(int(round(side)), 1)
    height, width = frame.shape[:2]
    inside = frame[max(y0, 0) : min(y0 + n, height), max(x0, 0) : min(x0 + n, width)]
    border = (max(-y0, 0), max(y0 + n - height, 0), max(-x0, 0), max(x0 + n - width, 0))
    if any(border):
        inside = cv2.copyMakeBorder(inside, *border, cv2.BORDER_REPLICATE)
    interpolation = cv2.INTER_AREA if n > size else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(inside, (size, size), interpolation=interpolation), cv2.COLOR_BGR2RGB)


def to_crop(points: np.ndarray, square: np.ndarray, size: int) -> np.ndarray:
    """Frame pixels (n, 2) as pixels of the crop of :func:`crop_face`."""
    result: np.ndarray = (points - np.round(square[:2])) * (size / max(round(square[2]), 1))
    return result

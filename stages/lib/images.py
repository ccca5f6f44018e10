"""Operations on pictures that know nothing of what they show."""

import cv2
import numpy as np


def hull_mask(points: np.ndarray, side: int) -> np.ndarray:
    """The convex hull of points (n, 2), in pixels: float32 (side, side), 0 or 1."""
    mask = np.zeros((side, side), np.float32)
    hull = cv2.convexHull(points.astype(np.float32))
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 1.0, shift=4)
    return mask


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """A square uint8 image (h, h, …) as (side, side, …): by area when it shrinks, linear when it grows."""
    interpolation = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_LINEAR
    return image if image.shape[0] == side else cv2.resize(image, (side, side), interpolation=interpolation)


def encode_jpeg(image: np.ndarray, quality: int = 85) -> bytes:
    """A BGR uint8 image (h, w, 3) as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()

"""Parts of a face crop by its landmarks."""

import cv2
import numpy as np


def hull_mask(points: tuple[int, ...], landmarks: np.ndarray, side: int) -> np.ndarray:
    """The convex hull of some of the landmarks: float32 (side, side), 0 or 1."""
    mask = np.zeros((side, side), np.float32)
    hull = cv2.convexHull(landmarks[list(points)].astype(np.float32))
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 1.0, shift=4)
    return mask

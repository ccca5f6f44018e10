"""What a face looks like in a few numbers: colour and detail of the face, of its border, and of what surrounds it.

No network and no training. Frame by frame such numbers say little about forgery; how they *change* from frame to frame
does: in a real video one cause (motion, light, focus, compression) changes face, border and surround together.
"""

import cv2
import numpy as np

from stages.lib.images import hull_mask

BORDER = 21 / 224  # width of the band around the face's outline, in crop sides
SCALES = (1.0, 2.0, 4.0, 8.0)  # pixels at a crop of 224: between them lie the bands of detail


def face_regions(landmarks: np.ndarray, side: int) -> np.ndarray:
    """The inside of the face, a band along its outline, and the surround: uint8 (3, side, side), 0 or 255.

    The outline is the convex hull of landmarks (68, 2). A region with no pixel is the whole crop.
    """
    hull = (hull_mask(landmarks, side) * 255).astype(np.uint8)
    width = max(round(BORDER * side) | 1, 3)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    inside, covered = cv2.erode(hull, brush), cv2.dilate(hull, brush)
    regions = np.stack([inside, covered - inside, 255 - covered])
    regions[~regions.any(axis=(1, 2))] = 255
    return regions


def appearance(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Colour and detail of a face crop, RGB uint8 (h, h, 3), by region: float32 (54,).

    In each of the three regions, for each channel of CIELAB (8 bit): the mean in units of 20 levels, the logarithm of
    the deviation, and the logarithms of the mean magnitude of four bands of detail, from fine to coarse.
    """
    lab = cv2.cvtColor(face, cv2.COLOR_RGB2LAB).astype(np.float32)
    bands: list[np.ndarray] = []
    blurred: np.ndarray = lab
    for scale in SCALES:
        smoother = cv2.GaussianBlur(lab, (0, 0), scale * face.shape[0] / 224)
        bands.append(np.abs(blurred - smoother))
        blurred = smoother
    values = []
    for region in face_regions(landmarks, face.shape[0]):
        mean, deviation = (value.ravel() for value in cv2.meanStdDev(lab, mask=region))
        detail = [np.log(np.array(cv2.mean(band, mask=region)[:3]) + 0.01) for band in bands]
        values += [mean / 20, np.log(deviation + 0.1), *detail]
    return np.concatenate(values).astype(np.float32)

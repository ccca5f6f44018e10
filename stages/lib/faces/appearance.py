"""What a face looks like in a few numbers: colour and detail of the face, of its border, and of what surrounds it.

No network and no training. Frame by frame such numbers say little about forgery; how they *change* from frame to frame
does: in a real video one cause (motion, light, focus, compression) changes face, border and surround together.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from stages.lib.images import hull_mask

BORDER = 21 / 224  # width of the band around the face's outline, in crop sides
SCALES = (1.0, 2.0, 4.0, 8.0)  # pixels at a crop of 224: between them lie the bands of detail
_SMOOTH = 2.0  # pixels: what is blurred so far is blurred further at half its size


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


def _bands(lab: np.ndarray, regions: np.ndarray) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """The magnitude of each band of detail, float32 (s, s, 3), from fine to coarse, with the regions at its size."""
    picture, already = lab, 0.0  # what is blurred, and how far it is blurred already
    finer, parts = lab, list(regions)
    for scale in SCALES:
        coarser = cv2.GaussianBlur(picture, (0, 0), (scale**2 - already**2) ** 0.5 * len(picture) / 224)
        yield cv2.absdiff(finer, coarser), parts
        finer = coarser
        if scale * len(finer) / 224 >= _SMOOTH:
            # A quarter of the pixels hold it, and the next blur is that much cheaper. By area, no region vanishes.
            half = (len(finer) // 2,) * 2
            finer, *parts = (cv2.resize(one, half, interpolation=cv2.INTER_AREA) for one in (finer, *parts))
            picture, already = finer, scale


def appearance(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Colour and detail of a face crop, RGB uint8 (h, h, 3), by region: float32 (54,).

    In each of the three regions, for each channel of CIELAB (8 bit): the mean in units of 20 levels, the logarithm of
    the deviation, and the logarithms of the mean magnitude of four bands of detail, from fine to coarse.
    """
    lab = cv2.cvtColor(face, cv2.COLOR_RGB2LAB).astype(np.float32)
    regions = face_regions(landmarks, face.shape[0])
    values = np.empty((len(regions), 2 + len(SCALES), 3))
    for of, region in zip(values, regions, strict=True):
        mean, deviation = (value.ravel() for value in cv2.meanStdDev(lab, mask=region))
        of[0], of[1] = mean / 20, np.log(deviation + 0.1)
    for at, (band, parts) in enumerate(_bands(lab, regions), start=2):
        for of, region in zip(values, parts, strict=True):
            of[at] = np.log(np.array(cv2.mean(band, mask=region)[:3]) + 0.01)
    return values.ravel().astype(np.float32)

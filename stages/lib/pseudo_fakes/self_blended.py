"""Self-blended images as their authors make them (SBI, Shiohara and Yamasaki, CVPR 2022, section 3 and their code).

The paper of this project takes their idea under its own four masks (:mod:`stages.lib.pseudo_fakes.synthesis`).
"""

import cv2
import numpy as np

from stages.lib.images import hull_mask
from stages.lib.pseudo_fakes.forgery import Donor, Forgery
from stages.lib.pseudo_fakes.forging import outline
from stages.lib.pseudo_fakes.synthesis import (
    BLEND_RATIOS,
    DOWNSCALE,
    RGB_SHIFT,
    SHARPEN,
    blend,
    deform_mask,
    downscale,
    saturated,
    sharpen,
)

MASKS = ("face", "forehead", "features", "lower")  # one is drawn for each picture
_TRANSLATE = (0.03, 0.015)  # of the image, across and down
_RESIZE = (0.95, 1 / 0.95)
_CONTRAST = {"source": 0.1, "whole": 0.3}  # and brightness
_OFTEN = 0.3  # each change of the whole picture
_FEATURES = (range(17, 48), range(48, 68))  # brows, eyes and nose; the mouth


def face_mask(landmarks: np.ndarray, kind: str, side: int) -> np.ndarray:
    """One of ``MASKS`` of a face before it is deformed, float32 (side, side), 0 or 1."""
    if kind == "features":
        first, second = (hull_mask(landmarks[list(points)], side) for points in _FEATURES)
        both: np.ndarray = np.maximum(first, second)
        return both
    points = {"face": landmarks, "forehead": outline(landmarks, 0.4), "lower": landmarks[[*range(17), 30, 33]]}
    return hull_mask(points[kind], side)


def self_blended(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
    """A face laid over itself: one of the two is changed in colour and detail, the source is moved a little, its mask
    deformed; then the colours of the whole picture are changed, of the real face and the pseudo-fake alike. A donor
    isn't used.
    """
    mask = face_mask(landmarks, str(rng.choice(MASKS)), face.shape[0])
    transformed = "source" if rng.random() < 0.5 else "target"
    changed = _source_transform(face, rng)
    source, target = (changed, face) if transformed == "source" else (face, changed)
    source, mask = _moved(source, mask, rng)
    ratio = float(rng.choice(BLEND_RATIOS))
    mask = deform_mask(mask, rng) * np.float32(ratio)
    # Their JPEG is left to the compression that every scheme goes through (synthesis.crf).
    real, fake = _coloured([target, blend(source, target, mask)], "whole", rng.random(3) < _OFTEN, rng)
    return Forgery(real, fake, mask, ratio, transformed)


def _source_transform(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour, then less detail or more: what makes source and target statistically inconsistent."""
    (image,) = _coloured([image], "source", rng.random(3) < (_OFTEN, 1, 1), rng)
    factor, intensity = int(rng.choice(DOWNSCALE)), rng.uniform(*SHARPEN)
    return downscale(image, factor) if rng.random() < 0.5 else sharpen(image, intensity)


def _moved(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both shifted and resized about the middle, alike."""
    side = image.shape[0]
    shift = rng.uniform(-1, 1, 2) * _TRANSLATE * side
    scale = rng.uniform(*_RESIZE)
    matrix = np.column_stack([scale * np.eye(2), (1 - scale) * side / 2 + shift])
    moved = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return moved, cv2.warpAffine(mask, matrix, (side, side))


def _coloured(images: list[np.ndarray], what: str, done: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """An RGB shift, other hue, saturation and value, other brightness and contrast, each or not (``done``)."""
    levels = np.arange(256, dtype=np.float64)
    shift, gains = rng.uniform(-RGB_SHIFT, RGB_SHIFT, 3) * done[0], rng.uniform(-1, 1, (2,)) * _CONTRAST[what] * done[2]
    hue, saturation, value = rng.uniform(-0.3, 0.3, 3) * done[1]
    table = saturated((np.clip(levels[:, None] + shift, 0, 255)) * (1 + gains[0]) + 255 * gains[1])
    hues = np.floor((levels + np.rad2deg(hue) / 2) % 180)
    of_hsv = saturated(np.stack([hues, levels + 255 * saturation, levels + 255 * value], axis=1))
    images = [cv2.LUT(image, table) for image in images]
    if not done[1]:
        return images
    return [cv2.cvtColor(cv2.LUT(cv2.cvtColor(one, cv2.COLOR_RGB2HSV), of_hsv), cv2.COLOR_HSV2RGB) for one in images]

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
    HSV_SHIFT,
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
_CONTRAST = 0.1  # and brightness, a fraction
_RGB_SHIFTED = 0.3  # how often
_FEATURES = (range(17, 48), range(48, 68))  # brows, eyes and nose; the mouth


def face_mask(landmarks: np.ndarray, kind: str, side: int) -> np.ndarray:
    """One of ``MASKS`` of a face before it is deformed, float32 (side, side), 0 or 1."""
    if kind == "features":
        first, second = (hull_mask(landmarks[list(points)], side) for points in _FEATURES)
        both: np.ndarray = np.maximum(first, second)
        return both
    points = {"face": landmarks, "forehead": outline(landmarks, 0.4), "lower": landmarks[[*range(3, 14), 30, 33]]}
    return hull_mask(points[kind], side)


def self_blended(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
    """A face laid over itself: one of the two is changed in colour and detail, the source is moved a little, its mask
    deformed. A donor isn't used. Their last step, colours and JPEG of the whole picture, is left to what every scheme
    goes through: ``synthesis.crf`` and ``train.augment``.
    """
    mask = face_mask(landmarks, str(rng.choice(MASKS)), face.shape[0])
    transformed = "source" if rng.random() < 0.5 else "target"
    changed = _source_transform(face, rng)
    source, target = (changed, face) if transformed == "source" else (face, changed)
    source, mask = _moved(source, mask, rng)
    ratio = float(rng.choice(BLEND_RATIOS))
    mask = deform_mask(mask, rng) * np.float32(ratio)
    return Forgery(target, blend(source, target, mask), mask, ratio, transformed, source)


def _source_transform(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An RGB shift now and then, another hue, saturation and value, another brightness and contrast; then less detail
    or more: what makes source and target statistically inconsistent.
    """
    levels = np.arange(256, dtype=np.float64)
    shift = rng.uniform(-RGB_SHIFT, RGB_SHIFT, 3) * (rng.random() < _RGB_SHIFTED)
    contrast, brightness = rng.uniform(-_CONTRAST, _CONTRAST, 2)
    hue, saturation, value = rng.uniform(-HSV_SHIFT, HSV_SHIFT, 3)
    hues = np.floor((levels + np.rad2deg(hue) / 2) % 180)  # OpenCV's have 2 degrees per step
    of_hsv = saturated(np.stack([hues, levels + 255 * saturation, levels + 255 * value], axis=1))
    shifted = cv2.LUT(image, saturated(levels[:, None] + shift))
    other = cv2.cvtColor(cv2.LUT(cv2.cvtColor(shifted, cv2.COLOR_RGB2HSV), of_hsv), cv2.COLOR_HSV2RGB)
    image = cv2.LUT(other, saturated(levels * (1 + contrast) + 255 * brightness))
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

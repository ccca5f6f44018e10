"""Self-blended pseudo-fakes (section 3.1): a real face pasted onto itself through a mask, with small inconsistencies.

Faces are RGB uint8 (h, w, 3), masks float32 (h, w) in [0, 1], landmarks float64 (68, 2) in pixels of the face.
"""

import cv2
import numpy as np

from stages.lib.pseudo_fakes.forgery import Donor, Forgery

BLEND_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)  # as in self-blended images [50], full strength half of the time

# Ranges of section 4.1.
RGB_SHIFT = 20.0  # of 255
HSV_SHIFT = 0.3  # saturation and value: fraction of full scale; hue: radians
BRIGHTNESS_CONTRAST = 0.3  # fraction
SHARPEN = (0.2, 0.5)
DOWNSCALE = (2, 4)
TRANSLATE = 0.03  # of the image
RESIZE = 0.05

_HUES = 180  # OpenCV's 8-bit hue has 2 degrees per step
_LEVELS = np.arange(256, dtype=np.float64)


def deform_mask(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Elastic deformation and Gaussian smoothing of a mask, of random strength; values stay in [0, 1]."""
    side = mask.shape[0]
    cells = int(rng.integers(4, 9))
    offsets: np.ndarray = rng.normal(0, side * rng.uniform(0.01, 0.05), (cells, cells, 2)).astype(np.float32)
    offsets = cv2.resize(offsets, (side, side), interpolation=cv2.INTER_LINEAR)
    axis = np.arange(side, dtype=np.float32)
    mask = cv2.remap(mask, axis[None, :] + offsets[..., 0], axis[:, None] + offsets[..., 1], cv2.INTER_LINEAR)
    # Smoothing at half size is the same blur at a quarter of the cost.
    half = cv2.resize(mask, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    half = cv2.GaussianBlur(half, (0, 0), side / 224 * rng.uniform(1.0, 5.0))
    return np.clip(cv2.resize(half, (side, side), interpolation=cv2.INTER_LINEAR), 0, 1)


def saturated(table: np.ndarray) -> np.ndarray:
    """A table of values for levels 0 to 255, (256,) or (256, 3), as OpenCV looks them up: uint8 (256, 1, channels)."""
    return np.clip(np.round(table), 0, 255).astype(np.uint8).reshape(256, 1, -1)


def shift_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each with probability 1/2: RGB shift, brightness and contrast, HSV shift (transformations 1 to 3)."""
    table = np.repeat(_LEVELS[:, None], 3, axis=1)
    if rng.random() < 0.5:
        table = np.clip(table + rng.uniform(-RGB_SHIFT, RGB_SHIFT, 3), 0, 255)
    if rng.random() < 0.5:
        contrast, brightness = rng.uniform(-BRIGHTNESS_CONTRAST, BRIGHTNESS_CONTRAST, 2)
        table = table * (1 + contrast) + 255 * brightness
    image = cv2.LUT(image, saturated(table))
    if rng.random() < 0.5:
        hue, saturation, value = rng.uniform(-HSV_SHIFT, HSV_SHIFT, 3)
        hues = (_LEVELS + np.rad2deg(hue) * _HUES / 360) % _HUES
        table = saturated(np.stack([np.floor(hues), _LEVELS + 255 * saturation, _LEVELS + 255 * value], axis=1))
        image = cv2.cvtColor(cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table), cv2.COLOR_HSV2RGB)
    return image


def sharpen(image: np.ndarray, intensity: float) -> np.ndarray:
    """The image mixed with its sharpened self by ``intensity`` in [0, 1] (transformation 4)."""
    kernel = np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32) * intensity
    kernel[1, 1] += 1 - intensity
    return cv2.filter2D(image, -1, kernel)


def downscale(image: np.ndarray, factor: int) -> np.ndarray:
    """The image shrunk by ``factor`` and resized back (transformation 5)."""
    side = image.shape[0]
    small = cv2.resize(image, (side // factor, side // factor), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)


def source_target_transform(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random draw of the source-target transformations of section 4.1."""
    image = shift_colour(image, rng)
    if rng.random() < 0.5:
        return sharpen(image, rng.uniform(*SHARPEN))
    return downscale(image, int(rng.choice(DOWNSCALE)))


def jitter_affine(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Translate within 3 % and resize within 5 % of the image about its centre (section 4.1, the source only)."""
    side = image.shape[0]
    shift, scale = rng.uniform(-TRANSLATE, TRANSLATE, 2) * side, rng.uniform(1 - RESIZE, 1 + RESIZE, 2)
    matrix = np.column_stack([np.diag(scale), (1 - scale) * side / 2 + shift])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def blend(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Equation 1: source * mask + target * (1 - mask), rounded to uint8."""
    return cv2.blendLinear(source, target, mask, 1 - mask)


def align_donor(donor: Donor, landmarks: np.ndarray, side: int) -> np.ndarray:
    """The donor's face shifted, turned and scaled so that its landmarks lie on ``landmarks``: uint8 (side, side, 3)."""
    matrix, _ = cv2.estimateAffinePartial2D(donor.landmarks, landmarks, method=cv2.LMEDS)
    return cv2.warpAffine(donor.face, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def match_colour(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The source with the target's mean and deviation of colour inside the mask, in CIELAB (Reinhard's transfer)."""
    lab, inside = [cv2.cvtColor(image, cv2.COLOR_RGB2LAB) for image in (source, target)], (mask > 0.5).astype(np.uint8)
    (mean, deviation), (wanted_mean, wanted) = [[x.ravel() for x in cv2.meanStdDev(i, mask=inside)] for i in lab]
    gain = wanted / np.maximum(deviation, 1)
    table = saturated((_LEVELS[:, None] - mean) * gain + wanted_mean)
    return cv2.cvtColor(cv2.LUT(lab[0], table), cv2.COLOR_LAB2RGB)


def blended(
    face: np.ndarray, landmarks: np.ndarray, mask: np.ndarray, rng: np.random.Generator, donor: Donor | None
) -> Forgery:
    """The paper's pseudo-fake (figure 3): a transformed source or target, blended under a mask that is deformed.

    The source is the face itself (self-blending [50]) or another person's face laid over it, its colour matched half of
    the time (Face X-ray [35]).
    """
    ratio, mask = float(rng.choice(BLEND_RATIOS)), deform_mask(mask, rng)
    source = face
    if donor is not None:
        source = align_donor(donor, landmarks, face.shape[0])
        source = match_colour(source, face, mask) if rng.random() < 0.5 else source
    transformed = "source" if rng.random() < 0.5 else "target"
    source = source_target_transform(source, rng) if transformed == "source" else source
    target = source_target_transform(face, rng) if transformed == "target" else face
    mask = mask * np.float32(ratio)
    source = jitter_affine(source, rng)
    return Forgery(target, blend(source, target, mask), mask, ratio, transformed, source)

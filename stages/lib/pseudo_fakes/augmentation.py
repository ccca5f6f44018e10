"""Changes that keep the label: applied with the same draw to a real face and its pseudo-fake, so only blending
differs.
"""

import cv2
import numpy as np

from stages.lib.images import encode_jpeg

MIN_CROP = 0.8  # of the side
GAIN, CHANNEL_GAIN, BIAS, GAMMA = (0.8, 1.25), (0.9, 1.1), (-20.0, 20.0), (0.7, 1.4)
GREY = 0.15  # how often colour is taken away


def degrade_alike(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """What cameras and platforms do to a whole frame: blur, sensor noise, JPEG, each at random.

    RGB uint8 (h, w, 3) in and out. It keeps the backbone from taking a poor picture for a fake one.
    """
    if rng.random() < 0.4:
        deviation = rng.uniform(0.4, 1.6)
        images = [cv2.GaussianBlur(image, (0, 0), deviation) for image in images]
    if rng.random() < 0.3:
        noise = rng.normal(0, 255 * rng.uniform(0.003, 0.025), images[0].shape).astype(np.int16)
        images = [np.clip(image + noise, 0, 255).astype(np.uint8) for image in images]
    if rng.random() < 0.5:
        quality = int(rng.integers(40, 96))
        images = [_through_jpeg(image, quality) for image in images]
    return images


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """An RGB image as JPEG of that quality leaves it."""
    decoded = cv2.imdecode(
        np.frombuffer(encode_jpeg(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality), np.uint8), cv2.IMREAD_COLOR_RGB
    )
    assert decoded is not None  # it was encoded a moment ago
    return decoded


def flip_alike(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Mirror all images or none, each half of the time."""
    return [image[:, ::-1] for image in images] if rng.random() < 0.5 else images


def crop_alike(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """The same square part of each image, of 0.8 to 1 of its side, anywhere in it."""
    side = images[0].shape[0]
    part = int(np.ceil(side * rng.uniform(MIN_CROP, 1)))
    top, left = rng.integers(0, side - part + 1, 2)
    return [image[top : top + part, left : left + part] for image in images]


def recolour_alike(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Exposure, white balance and gamma of another camera; now and then none of its colour."""
    gain = rng.uniform(*GAIN) * rng.uniform(*CHANNEL_GAIN, 3)
    curve = 255 * (np.arange(256)[:, None] / 255) ** rng.uniform(*GAMMA) * gain + rng.uniform(*BIAS)
    table = np.clip(curve, 0, 255).astype(np.uint8).reshape(256, 1, 3)
    images = [cv2.LUT(np.ascontiguousarray(image), table) for image in images]
    if rng.random() < GREY:
        images = [cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for image in images]
    return images

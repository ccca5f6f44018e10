"""Changes that keep the label: applied with the same draw to a real face and its pseudo-fake, so only blending
differs.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.lib.images import encode_jpeg

MIN_CROP = 0.8  # of the side
GAIN, CHANNEL_GAIN, BIAS, GAMMA = (0.8, 1.25), (0.9, 1.1), (-20.0, 20.0), (0.7, 1.4)
_COARSE = 8  # px, about: the grid on which a patch's place is drawn
GREY = 0.15  # how often colour is taken away


@dataclass(frozen=True)
class Degradation:
    """What a camera and a platform do to a whole frame: blur, sensor noise, JPEG, each by its strength or not (None).

    It keeps the backbone from taking a poor picture for a fake one.
    """

    blur: float | None
    noise: float | None
    jpeg: int | None

    def apply(self, images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """The images, RGB uint8 (h, w, 3), all with the same noise, which ``rng`` draws."""
        if self.blur is not None:
            images = [cv2.GaussianBlur(image, (0, 0), self.blur) for image in images]
        if self.noise is not None:
            noise = rng.normal(0, self.noise, images[0].shape).astype(np.int16)
            images = [np.clip(image + noise, 0, 255).astype(np.uint8) for image in images]
        if self.jpeg is not None:
            images = [_through_jpeg(image, self.jpeg) for image in images]
        return images


def draw_degradation(rng: np.random.Generator) -> Degradation:
    """Each kind now and then, at a random strength."""
    blurred, noisy, compressed = rng.random(3) < (0.4, 0.3, 0.5)
    blur, noise, jpeg = rng.uniform(0.4, 1.6), 255 * rng.uniform(0.003, 0.025), int(rng.integers(40, 96))
    return Degradation(blur if blurred else None, noise if noisy else None, jpeg if compressed else None)


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


def patch_alike(
    images: list[np.ndarray], mask: np.ndarray, patch: int, scale: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """The same patch of each image, (patch, patch, …), seen ``scale`` times as large, where something was changed.

    ``mask``: uint8 (h, h), 255 where the pseudo-fake is forged. Patches about the boundary are likeliest, those without
    any change unlikely.
    """
    side = mask.shape[0]
    part, cells = min(round(patch / scale), side), side // _COARSE
    changed = cv2.resize(mask, (cells, cells), interpolation=cv2.INTER_AREA) / 255
    reach = 2 * (part // (4 * _COARSE)) + 1  # odd, else the weights would be shifted
    weight = cv2.blur(boundary_of(changed) + 0.2 * changed + 1e-3, (reach, reach)) ** 2
    # The middle of the patch must lie so that the whole of it is inside.
    middles = (np.arange(cells) + 0.5) * side / cells
    allowed = (middles >= part / 2) & (middles <= side - part / 2)
    weight = weight * allowed[:, None] * allowed[None, :]
    if not weight.any():  # hardly smaller than the image
        weight[cells // 2, cells // 2] = 1.0
    at = np.divmod(rng.choice(weight.size, p=weight.ravel() / weight.sum()), cells)
    top, left = (int(np.clip(round(middles[cell] - part / 2), 0, side - part)) for cell in at)
    parts = [image[top : top + part, left : left + part] for image in images]
    interpolation = cv2.INTER_AREA if part > patch else (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(2))]
    return [one if part == patch else cv2.resize(one, (patch, patch), interpolation=interpolation) for one in parts]


def boundary_of(mask: np.ndarray) -> np.ndarray:
    """Where a soft mask in [0, 1] is neither 0 nor 1: 4 m (1 - m), 1 on the boundary itself (Face X-ray [35])."""
    result: np.ndarray = 4 * mask * (1 - mask)
    return result


def recolour_alike(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Exposure, white balance and gamma of another camera; now and then none of its colour."""
    gain = rng.uniform(*GAIN) * rng.uniform(*CHANNEL_GAIN, 3)
    curve = 255 * (np.arange(256)[:, None] / 255) ** rng.uniform(*GAMMA) * gain + rng.uniform(*BIAS)
    table = np.clip(curve, 0, 255).astype(np.uint8).reshape(256, 1, 3)
    images = [cv2.LUT(np.ascontiguousarray(image), table) for image in images]
    if rng.random() < GREY:
        images = [cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for image in images]
    return images

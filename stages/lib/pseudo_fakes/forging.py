"""Pseudo-fakes as the tools of today make fakes: a face laid exactly onto another, resynthesised and softly pasted.

Beside the clip that it was made from, a genuine face swap loses fine detail in a band along the face's outline and
hardly anywhere else: it follows pose and expression exactly, its colours are matched, and its mask is soft
(docs/results.md has the curve, ``python -m benchmarks.pseudo_fakes`` draws it).

Faces are RGB uint8 (h, h, 3), masks float32 (h, h) in [0, 1], landmarks float64 (68, 2) in pixels of the face.
Lengths are in parts of the face's height, from the root of the nose to the chin. Each draw is made whatever the face
looks like, so that equal generators forge the frames of a video alike.
"""

import cv2
import numpy as np

from stages.lib.images import hull_mask
from stages.lib.pseudo_fakes.forgery import Donor, Forgery
from stages.lib.pseudo_fakes.synthesis import blend, match_colour

_MOUTH = (*range(4, 13), 31, 33, 35, *range(48, 68))
_BROWS, _CHIN, _NOSE_ROOT = range(17, 27), 8, 27
_CELLS = 16  # of the grid on which a warp is computed
_STIFFNESS = 1e-3  # of the warp: it may miss a landmark by a little
_ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def face_height(landmarks: np.ndarray) -> float:
    """The distance from the root of the nose to the chin, in pixels."""
    return float(np.linalg.norm(landmarks[_NOSE_ROOT] - landmarks[_CHIN]))


def outline(landmarks: np.ndarray, forehead: float) -> np.ndarray:
    """The landmarks and the brows moved up by ``forehead`` face heights: points (78, 2) whose hull is the face."""
    up = landmarks[_BROWS].mean(axis=0) - landmarks[_CHIN]
    return np.concatenate([landmarks, landmarks[_BROWS] + up / np.linalg.norm(up) * forehead * face_height(landmarks)])


def _wavy(deviation: float, cells: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth random displacement of every pixel, float32 (side, side, 2), in pixels."""
    offsets = rng.normal(0, 1, (cells, cells, 2)).astype(np.float32) * np.float32(deviation)
    return cv2.resize(offsets, (side, side), interpolation=cv2.INTER_CUBIC)


def _displaced(image: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The image (h, h, …) with each pixel taken from where ``offsets`` (h, h, 2) point."""
    axis = np.arange(image.shape[0], dtype=np.float32)
    x, y = axis[None, :] + offsets[..., 0], axis[:, None] + offsets[..., 1]
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def soft_mask(
    points: np.ndarray,
    height: float,
    side: int,
    rng: np.random.Generator,
    softness: tuple[float, float] = (0.03, 0.18),
    growth: tuple[float, float] = (-0.10, 0.06),
) -> np.ndarray:
    """The hull of points (n, 2), deformed, shrunk or grown by ``growth`` and blurred by ``softness`` face heights."""
    offsets = _wavy(rng.uniform(0, 0.03) * height, 5, side, rng)
    mask = _displaced(hull_mask(points, side), offsets)
    grown, blur = rng.uniform(*growth) * height, max(rng.uniform(*softness) * height, 0.8)
    width = 2 * int(abs(grown)) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    mask = cv2.erode(mask, brush) if grown < 0 else cv2.dilate(mask, brush)
    half = cv2.resize(mask, (side // 2, side // 2), interpolation=cv2.INTER_AREA)  # the same blur at less cost
    half = cv2.GaussianBlur(half, (0, 0), blur / 2)
    return np.clip(cv2.resize(half, (side, side), interpolation=cv2.INTER_LINEAR), 0, 1)


def warp_onto(donor: Donor, landmarks: np.ndarray, side: int) -> np.ndarray:
    """The donor's face bent so that its landmarks lie on ``landmarks``, a thin-plate spline: uint8 (side, side, 3).

    Pose and expression are then those of the face that it is laid onto, as a swap tool's network sees to.
    """
    wanted, given = landmarks / side, donor.landmarks / donor.face.shape[0]
    n = len(wanted)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _spline(wanted, wanted) + _STIFFNESS * np.eye(n)
    system[:n, n:] = np.column_stack([np.ones(n), wanted])
    system[n:, :n] = system[:n, n:].T
    weights = np.linalg.solve(system, np.concatenate([given, np.zeros((3, 2))]))
    axis = np.linspace(0, 1, _CELLS + 1)
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    source = _spline(nodes, wanted) @ weights[:n] + np.column_stack([np.ones(len(nodes)), nodes]) @ weights[n:]
    grid = (source * donor.face.shape[0]).reshape(_CELLS + 1, _CELLS + 1, 2)
    # Linear between the nodes. OpenCV would round to a 32nd of a cell, which shows as steps.
    between = np.maximum(0, 1 - np.abs(np.arange(side)[:, None] / side * _CELLS - np.arange(_CELLS + 1)))
    x, y = ((between @ grid[..., axis] @ between.T).astype(np.float32) for axis in (0, 1))
    return cv2.remap(donor.face, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _spline(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """r² log r between points (n, 2) and centres (m, 2): (n, m)."""
    distance = np.linalg.norm(points[:, None] - centres[None], axis=2)
    result: np.ndarray = distance**2 * np.log(distance + 1e-9)
    return result


def resample(face: np.ndarray, factor: float, shrinking: int, enlarging: int) -> np.ndarray:
    """The face shrunk by ``factor`` in (0, 1] and enlarged again, by OpenCV's interpolations of those codes."""
    side = face.shape[0]
    small = max(round(side * factor), 16)
    shrunk = cv2.resize(face, (small, small), interpolation=shrinking)
    result: np.ndarray = cv2.resize(shrunk, (side, side), interpolation=enlarging)
    return result


def unsharp(face: np.ndarray, amount: float, deviation: float) -> np.ndarray:
    """The face with ``amount`` of what a blur of that deviation takes away added once more."""
    return cv2.addWeighted(face, 1 + amount, cv2.GaussianBlur(face, (0, 0), deviation), -amount, 0)


def resynthesize(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face as a generator leaves it: detail lost to a smaller picture, a blur or smoothed skin, then sharpened.

    Each step is drawn; now and then the grain that is added to hide the loss.
    """
    kind, sharpened, grainy = rng.random(3)
    factor, deviation, skin = rng.uniform(0.5, 1.0), rng.uniform(0.3, 1.0), rng.uniform(10, 40)
    amount, width, grain = rng.uniform(0.2, 1.2), rng.uniform(0.8, 2.0), rng.uniform(1, 5)
    shrinking, enlarging = (codes[int(rng.integers(3))] for codes in (_SHRINKING, _ENLARGING))
    if kind < 0.55:
        face = resample(face, factor, shrinking, enlarging)
    elif kind < 0.75:
        face = cv2.GaussianBlur(face, (0, 0), deviation)
    elif kind < 0.85:
        face = cv2.bilateralFilter(face, 5, skin, 3)
    if sharpened < 0.5:
        face = unsharp(face, amount, width)
    if grainy < 0.15:
        face = _as_pixels(face + rng.normal(0, grain, face.shape))
    return face


def _as_pixels(picture: np.ndarray) -> np.ndarray:
    # Rounded: cut off, half a level of brightness would tell every forgery.
    pixels: np.ndarray = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return pixels


def recolour(face: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The face with another white balance, exposure and contrast; ``strength`` 1 is what a careless tool leaves."""
    gain, bias = rng.uniform(-0.08, 0.08, 3), rng.uniform(-10, 10, 3)
    contrast, exposure = rng.uniform(-0.12, 0.12), rng.uniform(-10, 10)
    picture = face * (1 + strength * gain) + strength * bias
    mean = picture.mean(axis=(0, 1))
    picture = (picture - mean) * (1 + strength * contrast) + mean + strength * exposure
    return _as_pixels(picture)


def match_shading(source: np.ndarray, target: np.ndarray, deviation: float) -> np.ndarray:
    """The source with the target's coarse light and colour: its blur of that deviation, in pixels."""
    side = source.shape[0]
    step = 8

    def coarse(image: np.ndarray) -> np.ndarray:
        small = cv2.resize(image.astype(np.float32), (side // step, side // step), interpolation=cv2.INTER_AREA)
        return cv2.resize(cv2.GaussianBlur(small, (0, 0), deviation / step), (side, side))

    return _as_pixels(source + coarse(target) - coarse(source))


def paste(source: np.ndarray, face: np.ndarray, mask: np.ndarray, opacity: float = 1.0) -> Forgery:
    """The source pasted onto a real face under a mask."""
    mask = mask * np.float32(opacity)
    return Forgery(face, blend(source, face, mask), mask, opacity, "source", source)


def swap(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
    """A face swap: the donor's face, or without one the face itself redrawn, with or without the forehead."""
    side, height = face.shape[0], face_height(landmarks)
    forehead = rng.uniform(0.25, 0.55) if rng.random() < 0.75 else 0.0
    points = outline(landmarks, forehead)
    mask = soft_mask(points, height, side, rng)
    opacity = rng.uniform(0.7, 1) if rng.random() < 0.2 else 1.0
    moved, recoloured, matched, shaded = rng.random(4)
    offsets = _wavy(rng.uniform(0.5, 3) * side / 224 * (moved < 0.7), 6, side, rng)
    deviation = rng.uniform(0.05, 0.13) * side
    source = _displaced(face, offsets) if donor is None else warp_onto(donor, landmarks, side)
    source = resynthesize(source, rng)
    if donor is not None and matched < 0.9:
        source = match_colour(source, face, hull_mask(points, side))
    if donor is not None and shaded < 0.4:
        source = match_shading(source, face, deviation)
    if recoloured < (0.6 if donor is None else 0.3):
        source = recolour(source, 1.0 if donor is None else 0.5, rng)
    return paste(source, face, mask, opacity)


def lips(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
    """The mouth and chin redrawn, as a lip-sync tool does: the face's own, or a donor's, under a small soft mask."""
    side = face.shape[0]
    mask = soft_mask(landmarks[list(_MOUTH)], face_height(landmarks), side, rng, (0.02, 0.08), (-0.08, 0.06))
    moved, recoloured = rng.random(2)
    offsets = _wavy(rng.uniform(0.5, 3) * side / 224 * (moved < 0.7), 6, side, rng)
    source = _displaced(face, offsets) if donor is None else warp_onto(donor, landmarks, side)
    source = resynthesize(source, rng)
    if donor is not None:
        source = match_colour(source, face, hull_mask(landmarks, side))
    elif recoloured < 0.4:
        source = recolour(source, 0.7, rng)
    return paste(source, face, mask)


def animated(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
    """The head, or the whole picture, bent smoothly and redrawn by a generator, as one that animates a photo does.

    A donor is of no use here. Where the whole picture is redrawn there is no boundary, and the mask is 1 everywhere.
    """
    side, height = face.shape[0], face_height(landmarks)
    offsets = _wavy(rng.uniform(1, 5) * side / 224, 5, side, rng)
    whole, sharpened, smoothed = rng.random(3)
    factor, amount, width, skin = rng.uniform(0.35, 0.9), rng.uniform(0.3, 1.5), rng.uniform(0.8, 2), rng.uniform(8, 30)
    shrinking, enlarging = (codes[int(rng.integers(3))] for codes in (_SHRINKING, _ENLARGING))
    mask = soft_mask(outline(landmarks, 0.6), height, side, rng, (0.05, 0.15), (0.1, 0.4))
    source = resample(_displaced(face, offsets), factor, shrinking, enlarging)
    if sharpened < 0.6:
        source = unsharp(source, amount, width)
    if smoothed < 0.3:
        source = cv2.bilateralFilter(source, 5, skin, 3)
    return paste(source, face, np.ones_like(mask) if whole < 0.6 else mask)

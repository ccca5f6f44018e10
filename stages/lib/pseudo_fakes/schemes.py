"""Mask schemes by name (section 3.1): which part of a face is blended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Mask = Callable[["np.ndarray", int], "np.ndarray"]


@dataclass(frozen=True)
class Scheme:
    """A mask scheme: ``mask`` of landmarks (68, 2), in pixels, and the image's side is float32 (side, side) in [0,
    1].
    """

    mask: Mask
    description: str


def hull_of(*points: int) -> Mask:
    """The mask that is the convex hull of some of the iBUG landmarks."""

    def mask(landmarks: np.ndarray, side: int) -> np.ndarray:
        from stages.lib.images import hull_mask  # OpenCV, which checking params.yaml has no need of

        return hull_mask(landmarks[list(points)], side)

    return mask


SCHEMES: dict[str, Scheme] = {
    "global": Scheme(hull_of(*range(68)), "the whole face"),
    "eyes": Scheme(hull_of(*range(17, 29), *range(36, 48)), "brows, eyes and the bridge of the nose"),
    "mouth": Scheme(hull_of(*range(4, 13), 30, *range(31, 36), *range(48, 68)), "mouth, chin and the tip of the nose"),
    "jawline": Scheme(hull_of(*range(17), 30, 33), "from ear to ear below the nose"),
}

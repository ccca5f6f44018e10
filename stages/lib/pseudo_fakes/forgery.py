"""What a pseudo-fake is made of, and what comes of it, whatever its scheme."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Donor:
    """Another person's face, RGB uint8 (h, w, 3), with its landmarks float64 (68, 2)."""

    face: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class Forgery:
    """A pseudo-fake beside the real face it must be told from.

    ``real`` went through every transformation that touched the whole of ``fake``, so that only the forgery tells them
    apart. ``mask``: how much of each pixel is forged; its greatest value is about ``blend_ratio``. ``transformed``:
    which of the two was transformed, "source" or "target". ``source``: what was pasted, the whole of it, where it lies
    on ``real``.
    """

    real: np.ndarray
    fake: np.ndarray
    mask: np.ndarray
    blend_ratio: float
    transformed: str
    source: np.ndarray

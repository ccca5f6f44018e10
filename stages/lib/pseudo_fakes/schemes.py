"""The kinds of pseudo-fakes by name: the paper's mask schemes (section 3.1), and forgeries as today's tools make
them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.lib.pseudo_fakes.forgery import Donor, Forgery

# (face, landmarks (68, 2) in its pixels, draws, another person's face or None) -> the forgery
Forge = Callable[[np.ndarray, np.ndarray, np.random.Generator, Donor | None], Forgery]


@dataclass(frozen=True)
class Scheme:
    """A kind of pseudo-fake: ``forge`` makes one; ``family`` is the kind of genuine fake that it stands for.

    ``own_face``: whether it redraws the face itself, and has no use for a donor.
    """

    forge: Forge
    family: str
    description: str
    own_face: bool = False


def hull_of(*points: int) -> Forge:
    """A blend, as in the paper, under the convex hull of some of the iBUG landmarks."""

    def forge(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
        # OpenCV, which checking params.yaml has no need of
        from stages.lib.images import hull_mask
        from stages.lib.pseudo_fakes.synthesis import blended

        return blended(face, landmarks, hull_mask(landmarks[list(points)], face.shape[0]), rng, donor)

    return forge


def _tool(name: str) -> Forge:
    """A function of :mod:`stages.lib.pseudo_fakes.forging`, imported when it is first called."""

    def forge(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
        from stages.lib.pseudo_fakes import forging

        made: Forgery = getattr(forging, name)(face, landmarks, rng, donor)
        return made

    return forge


def _self_blended(face: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, donor: Donor | None) -> Forgery:
    from stages.lib.pseudo_fakes.self_blended import self_blended

    return self_blended(face, landmarks, rng, donor)


SCHEMES: dict[str, Scheme] = {
    "global": Scheme(hull_of(*range(68)), "other", "a blend of the whole face (the paper's)"),
    "eyes": Scheme(
        hull_of(*range(17, 29), *range(36, 48)),
        "other",
        "a blend of brows, eyes and the bridge of the nose (the paper's)",
    ),
    "mouth": Scheme(
        hull_of(*range(4, 13), 30, *range(31, 36), *range(48, 68)),
        "other",
        "a blend of mouth, chin and the tip of the nose (the paper's)",
    ),
    "jawline": Scheme(hull_of(*range(17), 30, 33), "other", "a blend from ear to ear below the nose (the paper's)"),
    "self_blended": Scheme(
        _self_blended,
        "other",
        "self-blended images as their authors make them, with their own masks (SBI)",
        own_face=True,
    ),
    "swap": Scheme(_tool("swap"), "swap", "a face swap: aligned, its colours matched, resynthesised, softly pasted"),
    "lips": Scheme(_tool("lips"), "lips", "mouth and chin redrawn under a small soft mask"),
    "animated": Scheme(_tool("animated"), "animated", "head or whole picture bent smoothly and redrawn", own_face=True),
}

"""How the features of two faces become one vector (section 3.2), by the name that ``fusion`` gives it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Features:
    """What is known of n faces, float32: ``embedding`` (n, d), the classifier's ``logit`` (n,), ``appearance`` (n,
    54).
    """

    embedding: np.ndarray
    logit: np.ndarray
    appearance: np.ndarray

    def take(self, rows: np.ndarray) -> "Features":
        """The features of some of the faces."""
        return Features(self.embedding[rows], self.logit[rows], self.appearance[rows])


def difference(a: Features, b: Features) -> np.ndarray:
    """A - B (equation 4)."""
    result: np.ndarray = a.embedding - b.embedding
    return result


def joint(a: Features, b: Features) -> np.ndarray:
    """What the pair shares beside how it differs: the mean and the absolute difference of the embeddings, (n, 2 d)."""
    return np.concatenate([(a.embedding + b.embedding) / 2, np.abs(difference(a, b))], axis=1)


def appearance(a: Features, b: Features) -> np.ndarray:
    """How colour and detail of the face, its border and its surround change, beside the classifier's logit, (n, 56).

    The difference (equation 4) of what :mod:`stages.lib.faces.appearance` measures and of the fake logit, and the
    pair's mean logit. Whatever both frames share (person, camera, light, resolution) cancels, all but the mean logit.
    Made for pairs that lie close in time (``pairs.max_gap``): the shorter the time, the less changes by nature.
    """
    logits = np.column_stack([a.logit - b.logit, (a.logit + b.logit) / 2])
    return np.concatenate([a.appearance - b.appearance, logits], axis=1)


def both(a: Features, b: Features) -> np.ndarray:
    """Both embeddings, (n, 2 d)."""
    return np.concatenate([a.embedding, b.embedding], axis=1)


@dataclass(frozen=True)
class Fusion:
    """A registered fusion: ``fuse`` gives one vector for each pair of faces A, B, float32 (n, d).

    ``learned``: the anomaly model begins by learning what to make of it.
    """

    fuse: Callable[[Features, Features], np.ndarray]
    description: str
    learned: bool = False


# Equations 3 to 6, the paper's baseline (section 4.2), and the steps beyond it.
FUSIONS: dict[str, Fusion] = {
    "abs": Fusion(lambda a, b: np.abs(difference(a, b)), "absolute difference of the embeddings (equation 3)"),
    "sub": Fusion(difference, "difference of the embeddings (equation 4)"),
    "sub2": Fusion(lambda a, b: difference(a, b) ** 2, "squared difference (equation 5)"),
    "sub3": Fusion(lambda a, b: difference(a, b) ** 3, "cubed difference (equation 6)"),
    "single": Fusion(lambda a, b: a.embedding, "A's embedding alone (the paper's baseline)"),
    "joint": Fusion(joint, "mean of the embeddings beside their absolute difference"),
    "appearance": Fusion(
        appearance,
        "change of colour and detail of the face, its border and its surround, with the classifier's logit",
    ),
    "learned": Fusion(
        both, "both embeddings, of which `fit_anomaly_model` learns what is likeliest of real pairs (section 5)", True
    ),
}


def fuse(features: Features, pairs: np.ndarray, fusion: str) -> np.ndarray:
    """The vectors of pairs, int64 (m, 2) rows of ``features``, under a fusion of that name: float32 (m, d)."""
    a, b = pairs.T
    return FUSIONS[fusion].fuse(features.take(a), features.take(b)).astype(np.float32)

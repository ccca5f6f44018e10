"""Pairs of frames of one video, and how their two embeddings become one vector (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stages.lib.config import Pairs


@dataclass(frozen=True)
class Features:
    """What is known of n faces, float32: ``embedding`` (n, d), the classifier's ``logit`` (n,), ``appearance`` (n, 54)."""

    embedding: np.ndarray
    logit: np.ndarray
    appearance: np.ndarray

    def take(self, rows: np.ndarray) -> Features:
        """The features of some of the faces."""
        return Features(self.embedding[rows], self.logit[rows], self.appearance[rows])


def difference(a: Features, b: Features) -> np.ndarray:
    """A - B (equation 4)."""
    return a.embedding - b.embedding


def joint(a: Features, b: Features) -> np.ndarray:
    """What the pair shares beside how it differs: the mean and the absolute difference of the embeddings, (n, 2 d)."""
    return np.concatenate([(a.embedding + b.embedding) / 2, np.abs(difference(a, b))], axis=1)


def appearance(a: Features, b: Features) -> np.ndarray:
    """How colour and detail of the face, its border and its surround change, beside the classifier's logit, (n, 56).

    The difference (equation 4) of what :mod:`stages.lib.appearance` measures and of the fake logit, and the pair's mean
    logit. Whatever both frames share (person, camera, light, resolution) cancels, all but the mean logit. Made for pairs
    that lie close in time (``pairs.max_gap``): the shorter the time, the less changes by nature.
    """
    logits = np.column_stack([a.logit - b.logit, (a.logit + b.logit) / 2])
    return np.concatenate([a.appearance - b.appearance, logits], axis=1)


# Each gives one vector per pair of faces A, B. Equations 3 to 6, the paper's baseline (section 4.2: a single frame's
# embedding), and the steps beyond it.
FUSIONS: dict[str, Callable[[Features, Features], np.ndarray]] = {
    "abs": lambda a, b: np.abs(difference(a, b)),
    "sub": difference,
    "sub2": lambda a, b: difference(a, b) ** 2,
    "sub3": lambda a, b: difference(a, b) ** 3,
    "single": lambda a, b: a.embedding,
    "joint": joint,
    "appearance": appearance,
}


def draw_pairs(times: np.ndarray, n_pairs: int, settings: Pairs, seed: int) -> np.ndarray:
    """Random pairs of a video's faces that lie so far apart in time as ``settings`` say, without repetition.

    ``times`` is float64 (n,), in seconds, rising. A pair lies from ``min_gap`` to ``max_gap`` apart, in parts of the time
    between the first and the last face; the order within it is random. The paper wants pairs far apart, so that pose and
    expression change (section 3.2). Neighbours are never too far apart. Returns int64 (m, 2), m = ``n_pairs`` or as many
    as there are; none where there are fewer than ``min_faces``.

    The draw comes from the seed and the times, not from the video's name: renamed, a video keeps its score.
    """
    if len(times) < max(settings.min_faces, 2):
        return np.empty((0, 2), np.int64)
    first, second = np.triu_indices(len(times), 1)
    part = (times[second] - times[first]) / max(times[-1] - times[0], 1e-9)
    near_enough = (part <= settings.max_gap) | (second - first == 1)
    rng = np.random.default_rng([seed, *np.asarray(times, np.float64).view(np.uint32).tolist()])
    chosen = rng.permutation(np.flatnonzero((part >= settings.min_gap) & near_enough))[:n_pairs]
    pairs = np.column_stack([first[chosen], second[chosen]])
    swap = rng.random(len(pairs)) < 0.5
    pairs[swap] = pairs[swap, ::-1]
    return pairs

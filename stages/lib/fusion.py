"""Pairs of frames of one video, and how their two embeddings become one vector (section 3.2)."""

from collections.abc import Callable

import numpy as np

# Each takes embeddings A and B, float32 (n, d), and gives float32 (n, d'). Equations 3 to 6, then the paper's baseline
# (section 4.2: a single frame's embedding) and what the pair shares beside how it differs.
FUSIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "abs": lambda a, b: np.abs(a - b),
    "sub": lambda a, b: a - b,
    "sub2": lambda a, b: (a - b) ** 2,
    "sub3": lambda a, b: (a - b) ** 3,
    "single": lambda a, b: a,
    "joint": lambda a, b: np.concatenate([(a + b) / 2, np.abs(a - b)], axis=1),
}


def draw_pairs(times: np.ndarray, n_pairs: int, min_gap: float, rng: np.random.Generator) -> np.ndarray:
    """Random pairs of a video's frames that lie apart in time, without repetition.

    ``times`` is float64 (n,), in seconds. A pair lies at least ``min_gap`` (a fraction of the time between the first
    and the last frame) apart, so that pose and expression change (section 3.2); its order is random. Returns int64
    (m, 2), m = ``n_pairs`` or as many as there are.
    """
    first, second = np.triu_indices(len(times), 1)
    gap = np.abs(times[second] - times[first])
    apart = np.flatnonzero(gap >= min_gap * (times.max() - times.min())) if len(times) > 1 else np.empty(0, np.int64)
    chosen = rng.permutation(apart)[:n_pairs]
    pairs = np.column_stack([first[chosen], second[chosen]])
    swap = rng.random(len(pairs)) < 0.5
    pairs[swap] = pairs[swap, ::-1]
    return pairs

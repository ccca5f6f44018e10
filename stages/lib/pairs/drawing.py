"""Which pairs of a video's faces are compared (section 3.2)."""

import numpy as np

from stages.lib.pairs.settings import PairSettings


def draw_pairs(times: np.ndarray, n_pairs: int, settings: PairSettings, seed: int) -> np.ndarray:
    """Random pairs of a video's faces that lie so far apart in time as ``settings`` say, without repetition.

    ``times`` is float64 (n,), in seconds, rising. A pair lies from ``min_gap`` to ``max_gap`` apart, in parts of the
    time between the first and the last face; the order within it is random. The paper wants pairs far apart, so that
    pose and expression change (section 3.2). Neighbours are never too far apart. Returns int64 (m, 2), m = ``n_pairs``
    or as many as there are; none where there are fewer than ``min_faces``.

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

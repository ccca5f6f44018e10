"""Confidence intervals that resample people, not clips: clips of one person are no independent witnesses.

Clips are rows with scores and a ``person`` (:func:`stages.lib.datasets.folds.people`). Each resample draws as many
people as there are, with replacement, and counts each clip as often as its person was drawn: a person's reals and fakes
come and go together. All intervals are of 95 %, lists of two floats; where no two people are to be had, there is none
(None). They are percentiles of what the resamples give, less its bias: a person who was drawn twice is compared with
themselves four times, and where that comparison is the easiest, as between a fake and its own original, the resamples
give more than the clips do.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

N_RESAMPLES = 1000
_AT_ONCE = 10**6  # clips, counted in each resample: what is in memory, however many clips there are


def auc_interval(reals: pd.DataFrame, fakes: pd.DataFrame, score: str, seed: int) -> list[float] | None:
    """Interval of the AUC of a column ``score``; None for fewer than two people among the reals, or the fakes."""
    if not _enough(reals, fakes):
        return None
    return interval(resampled_aucs(reals, fakes, score, seed), _auc(reals, fakes, score))


def difference_interval(
    reals: pd.DataFrame, fakes: pd.DataFrame, score: str, other: str, seed: int
) -> list[float] | None:
    """Interval of the AUC of ``score`` less that of ``other``, both from the same resamples; None as
    :func:`auc_interval`.
    """
    if not _enough(reals, fakes):
        return None
    drawn = resampled_aucs(reals, fakes, score, seed) - resampled_aucs(reals, fakes, other, seed)
    return interval(drawn, _auc(reals, fakes, score) - _auc(reals, fakes, other), least=-1.0)


def mean_interval(values: np.ndarray, people: pd.Series, seed: int) -> list[float] | None:
    """Interval of the mean of ``values`` (n,), one for each clip of ``people``; None for fewer than two people."""
    if people.nunique() < 2:
        return None
    drawn = [weights @ values / weights.sum(axis=1) for weights in _weights(people, seed)]
    return interval(np.concatenate(drawn), float(values.mean()))


def balanced_mean_interval(reals: pd.DataFrame, fakes: pd.DataFrame, column: str, seed: int) -> list[float] | None:
    """Interval of the mean of two means of a column of values from 0 up, that of the reals and that of the fakes; None
    as :func:`auc_interval`.
    """
    if not _enough(reals, fakes):
        return None
    real, fake, drawn = reals[column].to_numpy(), fakes[column].to_numpy(), []
    for weights in _weights(pd.concat([reals["person"], fakes["person"]]), seed):
        of_real, of_fake = weights[:, : len(real)], weights[:, len(real) :]
        with np.errstate(invalid="ignore"):  # a resample without reals, or fakes
            drawn.append((of_real @ real / of_real.sum(axis=1) + of_fake @ fake / of_fake.sum(axis=1)) / 2)
    estimate = float(reals[column].mean() + fakes[column].mean()) / 2
    return interval(np.concatenate(drawn), estimate, most=np.inf)


def interval(drawn: np.ndarray, estimate: float, least: float = 0.0, most: float = 1.0) -> list[float]:
    """The middle 95 % of what was ``drawn``, NaN aside, moved by what its mean lacks of the ``estimate``; cut off at
    ``least`` and ``most``.
    """
    bounds = np.nanpercentile(drawn, (2.5, 97.5)) + estimate - np.nanmean(drawn)
    low, high = np.clip(bounds, least, most)
    return [float(low), float(high)]


def resampled_aucs(reals: pd.DataFrame, fakes: pd.DataFrame, score: str, seed: int) -> np.ndarray:
    """The AUC of each resample of the people, (N_RESAMPLES,); NaN for one without reals, or fakes.

    The resamples depend on the seed and the people alone, so those of two scores of the same clips belong together.
    """
    real, fake = reals[score].to_numpy(), fakes[score].to_numpy()
    weights = _weights(pd.concat([reals["person"], fakes["person"]]), seed)
    return np.concatenate([weighted_aucs(real, fake, one[:, : len(real)], one[:, len(real) :]) for one in weights])


def weighted_aucs(real: np.ndarray, fake: np.ndarray, real_weights: np.ndarray, fake_weights: np.ndarray) -> np.ndarray:
    """The AUC where scores (n,) and (m,) count as often as each row of the weights, (b, n) and (b, m), says: (b,).

    A tie counts half. NaN where all weights of reals, or of fakes, are 0.
    """
    order = np.argsort(real)
    below = np.zeros((len(real_weights), len(real) + 1))  # the weight of the k lowest reals
    np.cumsum(real_weights[:, order], axis=1, out=below[:, 1:])
    left, right = (np.searchsorted(real[order], fake, side) for side in ("left", "right"))
    won = (fake_weights * (below[:, left] + below[:, right]) / 2).sum(axis=1)
    total = below[:, -1] * fake_weights.sum(axis=1)
    result: np.ndarray = np.divide(won, total, out=np.full(len(won), np.nan), where=total > 0)
    return result


def _auc(reals: pd.DataFrame, fakes: pd.DataFrame, score: str) -> float:
    once = (np.ones((1, len(clips))) for clips in (reals, fakes))
    return float(weighted_aucs(reals[score].to_numpy(), fakes[score].to_numpy(), *once)[0])


def _enough(reals: pd.DataFrame, fakes: pd.DataFrame) -> bool:
    return bool(reals["person"].nunique() >= 2 and fakes["person"].nunique() >= 2)


def _weights(people: pd.Series, seed: int) -> Iterator[np.ndarray]:
    """How often each clip counts in each resample: batches (b, n) of N_RESAMPLES rows in all."""
    who, names = pd.factorize(people, sort=True)
    rng, each = np.random.default_rng(seed), np.full(len(names), 1 / len(names))
    size = min(max(_AT_ONCE // len(who), 1), N_RESAMPLES)
    for start in range(0, N_RESAMPLES, size):
        yield rng.multinomial(len(names), each, min(size, N_RESAMPLES - start))[:, who]

"""Likelihood ratios: how many times as likely a score is for forgeries of one family as for real videos.

They rest on test videos of the training dataset, which no model, no choice of an epoch and no threshold has seen: its
fakes, by family, and its reals, often of the same people. The thresholds of verdicts rest on reals alone
(:mod:`stages.lib.calibration.thresholds`); nothing here touches them.

The logarithm of the ratio is a rising line over the score, by logistic regression with equal priors, as is usual in
forensic science (Morrison, Australian Journal of Forensic Sciences 45, 2013, 173-197). Where a family scores no higher
than reals do, the line is flat and the ratio 1. It is cut off at the empirical bounds of Vergeer et al. (Science &
Justice 56, 2016, 482-491), beyond which it would rest on extrapolation. Each person counts once in all of this, however
many videos there are of them: clips of one person are no independent witnesses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from stages.lib.calibration.bundle import Family, Measured
from stages.lib.records import FAKE, REAL

ByPerson = Sequence[Sequence[float]]  # the scores of each person's videos

# The reals of n people can't show a ratio of n + 1, however far away the fakes are: fewer than 10 people on either side
# could never say as much as ten to one.
FEWEST_PEOPLE = 10
_FARTHEST = 4.0  # deviations of the reals beyond which a score doesn't count as farther: a few wrong faces give fifty
_IQR_OF_NORMAL = 1.349


@dataclass(frozen=True)
class LikelihoodRatio:
    """From scores to natural logarithms of likelihood ratios, which rise with the score from ``least`` to ``greatest``.

    Between those the logarithm is ``offset + slope * deviations``: of the score from ``centre``, in units of
    ``spread``. ``slope`` and ``greatest`` are at least 0, ``least`` at most.
    """

    centre: float
    spread: float
    slope: float
    offset: float
    least: float
    greatest: float

    def log(self, scores: np.ndarray | float) -> np.ndarray:
        """The logarithms of the ratios of scores of any shape."""
        deviations = _deviations(scores, self.centre, self.spread)
        result: np.ndarray = np.clip(self.offset + self.slope * deviations, self.least, self.greatest)
        return result


@dataclass(frozen=True)
class FamilyRatio:
    """What a score says for forgeries of one family against real videos, and what that rests on.

    ``methods``: {method: how many of its fakes}. ``ratio`` and its ``bounds`` are None where there are too few people.
    """

    family: str
    methods: dict[str, int]
    people_fake: int
    dataset: str
    n_real: int
    people_real: int
    ratio: float | None = None
    bounds: tuple[float, float] | None = None

    @property
    def n_fake(self) -> int:
        """How many fakes it rests on."""
        return sum(self.methods.values())


def enough(reals: ByPerson, fakes: ByPerson) -> bool:
    """Whether there are enough people on both sides for a likelihood ratio."""
    return min(len(reals), len(fakes)) >= FEWEST_PEOPLE


def fit_likelihood_ratio(reals: ByPerson, fakes: ByPerson) -> LikelihoodRatio:
    """The likelihood ratio of fakes against reals by their scores (higher: more anomalous), some of each."""
    real, fake = (np.concatenate([np.asarray(own, np.float64) for own in people]) for people in (reals, fakes))
    low, centre, high = np.quantile(real, (0.25, 0.5, 0.75))
    spread = (high - low) / _IQR_OF_NORMAL or np.std(real) or 1.0
    of_real, of_fake = (_deviations(scores, centre, spread) for scores in (real, fake))
    weights = _once_each(reals), _once_each(fakes)
    # Each class weighs half, so that the odds are the likelihood ratio. The usual penalty of the slope pulls the ratio
    # of few towards 1, and gives one where reals and fakes don't overlap.
    half = (len(reals) + len(fakes)) / 2
    model = LogisticRegression(tol=1e-8).fit(
        np.concatenate([of_real, of_fake])[:, None],
        np.repeat([0, 1], [len(real), len(fake)]),
        np.concatenate([own * half / own.sum() for own in weights]),
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        return LikelihoodRatio(float(centre), float(spread), 0.0, 0.0, 0.0, 0.0)
    least, greatest = empirical_bounds(offset + slope * of_real, offset + slope * of_fake, *weights)
    return LikelihoodRatio(float(centre), float(spread), slope, offset, least, greatest)


def _deviations(scores: np.ndarray | float, centre: float, spread: float) -> np.ndarray:
    return np.clip((np.asarray(scores, np.float64) - centre) / spread, -_FARTHEST, _FARTHEST)


def _once_each(people: ByPerson) -> np.ndarray:
    """The weight of each score: 1 for each person in all."""
    return np.concatenate([np.full(len(own), 1 / len(own)) for own in people])


def empirical_bounds(
    real: np.ndarray, fake: np.ndarray, real_weights: np.ndarray, fake_weights: np.ndarray
) -> tuple[float, float]:
    """The least and the greatest logarithm of a likelihood ratio that the data support (Vergeer et al. 2016).

    ``real``, ``fake``: the logarithms (n,) and (m,) of videos that count as much as the weights say. The greatest is
    the largest t such that a ratio above t is at least t times as frequent among fakes as among reals, after one more
    real of an infinite ratio and one more fake of a ratio of 0 have been put to them; the least likewise. So ratios
    stay below the number of reals plus 1, and above 1 over that of fakes plus 1.
    """
    least = -_greatest(-fake, -real, fake_weights, real_weights)
    return least + 0.0, _greatest(real, fake, real_weights, fake_weights)  # no negative zero


def _greatest(real: np.ndarray, fake: np.ndarray, real_weights: np.ndarray, fake_weights: np.ndarray) -> float:
    found = np.concatenate([real, fake])
    starts = np.unique(np.append(found[found > 0], 0.0))  # between two of them nothing changes
    hits, alarms = _above(fake, fake_weights, starts), _above(real, real_weights, starts) + 1
    with np.errstate(divide="ignore"):
        supported = np.log(hits / (fake_weights.sum() + 1)) - np.log(alarms / (real_weights.sum() + 1))
    reached = np.minimum(supported, np.append(starts[1:], np.inf))
    return float(reached[supported >= starts].max(initial=0.0))


def _above(values: np.ndarray, weights: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The weight of the values above each of the starts."""
    order = np.argsort(values)
    below = np.append(0.0, np.cumsum(weights[order]))
    # What is left by rounding must not look like a hit.
    left = below[-1] - below[np.searchsorted(values[order], starts, "right")]
    return np.where(left < 1e-9, 0.0, left)


def by_person(videos: pd.DataFrame, score: str) -> list[list[float]]:
    """The scores of each person, rising, in an order that names nobody; ``videos``: with the ``person`` of each."""
    return sorted(sorted(own) for _, own in videos.groupby("person")[score])


def measured_on(videos: pd.DataFrame, dataset: str) -> Measured | None:
    """What likelihood ratios rest on; None where no fake has a score.

    ``videos``: ``SCORES`` of the dataset's test split with the ``person`` of each.
    """
    scored = videos.dropna(subset=["anomaly_score"])
    reals, fakes = scored[scored["label"] == REAL], scored[scored["label"] == FAKE]
    families = {
        str(family): Family(
            methods={str(method): int(n) for method, n in own["method"].value_counts().sort_index().items()},
            scores=by_person(own, "anomaly_score"),
        )
        for family, own in fakes.groupby("family")
    }
    return Measured(dataset=dataset, reals=by_person(reals, "anomaly_score"), families=families) if families else None


def likelihood_ratios(measured: Measured | None, score: float) -> list[FamilyRatio]:
    """What a score says for each family that was measured, in the order of the families' names."""
    if measured is None:
        return []
    reals, ratios = measured.reals, []
    for family, fakes in sorted(measured.families.items()):
        ratio = bounds = None
        if enough(reals, fakes.scores):
            fitted = fit_likelihood_ratio(reals, fakes.scores)
            ratio, bounds = math.exp(fitted.log(score)), (math.exp(fitted.least), math.exp(fitted.greatest))
        counts = (len(fakes.scores), measured.dataset, sum(map(len, reals)), len(reals))
        ratios.append(FamilyRatio(family, fakes.methods, *counts, ratio, bounds))
    return ratios

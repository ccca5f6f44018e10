"""From the scores of real videos that no model was fitted to, to what another video's score means.

Everything is derived from the scores of validation reals: the threshold at a wanted false-alarm rate, a score's p-value
(the false-alarm rate at which it would just be called anomalous), its percentile, and how far the true rate may lie
from the wanted one. No fake is used. With many reals the threshold is one of their scores (split conformal prediction:
whatever the scores' distribution, a new real video is called anomalous with at most the wanted probability). Fewer than
1 / rate - 1 reals have no such score; then theirs are taken as normally distributed, and the threshold is the normal
prediction limit, which widens with few reals.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, chi2, norm, percentileofscore, t

Scores = np.ndarray | Sequence[float]  # (n,), of validation reals

FEWEST_REALS = 2
_CONFIDENCE = 0.95
_GRID = 2000


def basis(n: int, rate: float) -> Literal["rank", "normal"] | None:
    """What a threshold at ``rate`` rests on with n reals: their ranks, their normal distribution, or None (too few)."""
    if n < FEWEST_REALS:
        return None
    return "rank" if _rank(n, rate) <= n else "normal"


def _rank(n: int, rate: float) -> int:
    """Which of n rising scores is the conformal threshold; n + 1 or more where none is."""
    return math.ceil(round((1 - rate) * (n + 1), 9))


def _limit_factor(n: int, rate: float) -> float:
    """The normal prediction limit of one more value, in deviations of the n above their mean."""
    return float(t.isf(rate, n - 1) * math.sqrt(1 + 1 / n))


def threshold(reals: Scores, rate: float) -> float | None:
    """The score above which a video is anomalous: of real videos, ``rate`` (in (0, 1)) on average lie above it.

    ``reals``: scores (n,) of validation reals. None for fewer than two.
    """
    kind = basis(len(reals), rate)
    if kind is None:
        return None
    if kind == "rank":
        return float(np.sort(reals)[_rank(len(reals), rate) - 1])
    return float(np.mean(reals) + _limit_factor(len(reals), rate) * np.std(reals, ddof=1))


def p_value(reals: Scores, score: float, rate: float) -> float | None:
    """The false-alarm rate at which ``score`` would just be called anomalous; None for fewer than two reals.

    It rests on what the threshold at ``rate`` rests on, so that it is at most ``rate`` exactly where the score is
    anomalous.
    """
    n, kind = len(reals), basis(len(reals), rate)
    if kind is None:
        return None
    if kind == "rank":
        return float((1 + np.sum(np.asarray(reals) >= score)) / (n + 1))
    above, spread = score - np.mean(reals), np.std(reals, ddof=1) * math.sqrt(1 + 1 / n)
    return float(t.sf(above / spread, n - 1)) if spread > 0 else float(above <= 0)


def percentile(reals: Scores, score: float) -> float:
    """The share of ``reals`` (n,) that score lower, in %, equal ones counted half."""
    return float(percentileofscore(reals, score, kind="mean"))


def rate_interval(n: int, rate: float) -> tuple[float, float] | None:
    """95 % interval of the true false-alarm rate of a threshold set at ``rate`` on n reals; None for fewer than two.

    On average over all the sets of n reals that might have been drawn it is ``rate``; this is how far one such set may
    be from it. Exact for ranks; for the normal limit as exact as the scores are normal.
    """
    kind, tails = basis(n, rate), ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2)
    if kind is None:
        return None
    if kind == "rank":
        rank = _rank(n, rate)
        low, high = beta.ppf(tails, n + 1 - rank, rank)
        return float(low), float(high)
    # Where mean + factor * deviation of n values lies in a standard normal population, averaged over the deviation's
    # quantiles.
    middles = (np.arange(_GRID) + 0.5) / _GRID
    above = _limit_factor(n, rate) * np.sqrt(chi2.ppf(middles, n - 1) / (n - 1))
    high, low = (
        norm.sf(brentq(lambda z, tail=tail: norm.cdf(math.sqrt(n) * (z - above)).mean() - tail, -100, 100))
        for tail in tails
    )
    return float(low), float(high)

"""How each detector does on each family of fakes, and by how much the default differs from the others."""

from typing import Any

import pandas as pd

from stages.lib.evaluation.detectors import named_detectors
from stages.lib.evaluation.intervals import difference_interval
from stages.lib.evaluation.metrics import auc, by_group, group_metrics


def family_metrics(videos: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """{detector: {family or ``all``: AUC, its interval over people, number of reals and fakes}} on test videos.

    ``videos``: ``SCORES`` with the ``person`` of each.
    """
    return {
        name: {
            family: group_metrics(reals, fakes, detector.score, seed)
            for family, (reals, fakes) in by_group(videos, detector.score, "family").items()
        }
        for name, detector in named_detectors(videos).items()
    }


def comparisons(videos: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """{"default - other": {family or ``all``: difference of their AUCs, its interval over people, counts}}.

    Both are taken on the videos that both score, and on the same resamples: the interval is of the difference, and
    much narrower than those of the two AUCs would suggest. ``videos`` as in :func:`family_metrics`.
    """
    default, *others = named_detectors(videos).items()
    score = default[1].score
    return {
        f"{default[0]} - {name}": {
            family: {
                "difference": auc_difference(reals, fakes, score, other.score),
                "ci95": difference_interval(reals, fakes, score, other.score, seed),
                "n_real": len(reals),
                "n_fake": len(fakes),
            }
            for family, (reals, fakes) in by_group(videos.dropna(subset=[other.score]), score, "family").items()
        }
        for name, other in others
    }


def auc_difference(reals: pd.DataFrame, fakes: pd.DataFrame, score: str, other: str) -> float | None:
    """The AUC of a column ``score`` less that of ``other``, on the same videos; None where a class has none."""
    ours, theirs = (auc(reals[column].to_numpy(), fakes[column].to_numpy()) for column in (score, other))
    return None if ours is None or theirs is None else ours - theirs

"""False alarms by group: of a camera, a platform, a skin type, or whatever the manifest's column ``group`` names."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from stages.lib.calibration.ratios import FEWEST_PEOPLE
from stages.lib.evaluation.detectors import DEFAULT
from stages.lib.evaluation.metrics import group_metrics
from stages.lib.records import FAKE, REAL

NO_GROUP = "(no group)"  # videos of which the manifest names none, where it does of others


def false_alarms_by_group(groups: pd.Series, scores: pd.Series, threshold: float | None) -> dict[str, dict[str, Any]]:
    """{group: how many real videos it has, how many of them lie above a threshold, their share, its 95 % interval}.

    ``groups``, ``scores``: of real videos, aligned; those without a score are left out, and those without a group
    counted under ``NO_GROUP``. Nothing where no video has a group. ``ci95``: Wilson's interval over videos. Where there
    is no threshold, what depends on it is None.
    """
    if not (groups != "").any():
        return {}
    known = scores.notna()
    return {
        name: _false_alarms(own.to_numpy(), threshold)
        for name, own in scores[known].groupby(_named(groups)[known], sort=True)
    }


def _named(groups: pd.Series) -> pd.Series:
    return groups.where(groups != "", NO_GROUP)


def _false_alarms(scores: np.ndarray, threshold: float | None) -> dict[str, Any]:
    if threshold is None:
        return {"n_real": len(scores), "alarms": None, "false_alarm_rate": None, "ci95": None}
    alarms = int(np.sum(scores > threshold))
    interval = binomtest(alarms, len(scores)).proportion_ci(method="wilson")
    return {
        "n_real": len(scores),
        "alarms": alarms,
        "false_alarm_rate": alarms / len(scores),
        "ci95": [float(interval.low), float(interval.high)],
    }


def group_alarms(videos: pd.DataFrame, threshold: float | None, seed: int) -> dict[str, dict[str, Any]]:
    """:func:`false_alarms_by_group` of the reals among test videos, with each group's fakes: their number, the share
    that is found, and the AUC against the group's reals, with its interval, where both show enough people.

    ``videos``: ``SCORES`` with the ``person`` of each. Nothing where no video has a group.
    """
    if not (videos["group"] != "").any():
        return {}
    scored = videos.assign(group=_named(videos["group"])).dropna(subset=[DEFAULT.score])
    found = {}
    for name, own in scored.groupby("group", sort=True):
        reals, fakes = own[own["label"] == REAL], own[own["label"] == FAKE]
        of_reals = false_alarms_by_group(reals["group"], reals[DEFAULT.score], threshold)
        few = min(reals["person"].nunique(), fakes["person"].nunique()) < FEWEST_PEOPLE
        measured = {"auc": None, "auc_ci95": None} if few else group_metrics(reals, fakes, DEFAULT.score, seed)
        found[str(name)] = of_reals.get(name, _NO_REALS) | {
            "n_fake": len(fakes),
            "found": None if threshold is None or fakes.empty else float((fakes[DEFAULT.score] > threshold).mean()),
            "auc": measured["auc"],
            "auc_ci95": measured["auc_ci95"],
        }
    return found


_NO_REALS = {"n_real": 0, "alarms": 0, "false_alarm_rate": None, "ci95": None}

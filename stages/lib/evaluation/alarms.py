"""False alarms: how many of the test reals, and of the fakes, lie above the threshold of a calibration."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import binomtest

from stages.lib.anomaly.evidence import Reference, combined_score
from stages.lib.anomaly.settings import ScoringSettings
from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.thresholds import basis, rate_interval, threshold
from stages.lib.evaluation.metrics import ALL
from stages.lib.records import REAL

# {dataset: {method: (scores of reals, scores of fakes)}}, as evaluation.metrics.by_method gives a dataset's
Scores = Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]


def alarms(scores: Scores, calibration: Calibration) -> dict[str, Any]:
    """The achieved false-alarm rate on each dataset's test reals beside the nominal one, and the share of fakes that
    are found.

    ``scores``: {dataset: :func:`stages.lib.evaluation.metrics.by_method` of its test videos}. Where there is no
    threshold, or there are no videos, a rate is None. ``achieved_ci95``: Wilson's interval.
    """
    rate, validation = calibration.false_alarm_rate, calibration.validation.scores
    limit = threshold(validation, rate)

    def share(values: np.ndarray) -> float | None:
        return None if limit is None or len(values) == 0 else float(np.mean(values > limit))

    datasets = {}
    for name, methods in scores.items():
        real = methods[ALL][0]
        known = limit is not None and len(real) > 0
        interval = binomtest(int(np.sum(real > limit)), len(real)).proportion_ci(method="wilson") if known else None
        datasets[name] = {
            "achieved": share(real),
            "achieved_ci95": [float(interval.low), float(interval.high)] if interval else None,
            "n_real": len(real),
            "found": {method: share(fakes) for method, (_, fakes) in methods.items()},
        }
    return {
        "nominal": rate,
        "threshold": limit,
        "basis": basis(len(validation), rate),
        "validation_reals": len(validation),
        "expected_ci95": rate_interval(len(validation), rate),
        "datasets": datasets,
    }


def alarm_rows(scores: Scores, calibration: Calibration) -> list[dict[str, object]]:
    """Rows of a plot: dataset, method (or ``real``), nominal false-alarm rate, share of the test videos called
    anomalous.
    """
    rows = []
    for dataset, methods in scores.items():
        groups = {REAL: methods[ALL][0]} | {method: fakes for method, (_, fakes) in methods.items() if method != ALL}
        for rate in np.arange(1, 51) / 100:
            limit = threshold(calibration.validation.scores, rate)
            rows += [
                {"dataset": dataset, "method": method, "nominal": rate, "share": float(np.mean(values > limit))}
                for method, values in groups.items()
                if limit is not None and len(values)
            ]
    return rows


def cross_fitted_alarms(reals: Reference, people: Mapping[str, str], scoring: ScoringSettings, rate: float) -> int:
    """How many of the real videos are called anomalous, each by reference and threshold of the other people's.

    ``people``: {video_id: whose it is}. Each of the others is, for the threshold, judged without itself. Where there is
    no threshold, nothing is called anomalous.
    """
    owners, found = np.array([people[video_id] for video_id in reals.video_ids]), 0
    for person in sorted(set(owners)):
        others = np.flatnonzero(owners != person)
        reference = Reference(tuple(reals.video_ids[at] for at in others), reals.evidence[others])
        rows = zip(reference.video_ids, reference.evidence, strict=True)
        scores = [float(combined_score(row, reference.without(video_id), scoring)) for video_id, row in rows]
        limit = threshold(scores, rate)
        if limit is not None:
            found += int((combined_score(reals.evidence[owners == person], reference, scoring) > limit).sum())
    return found

"""Alarms counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from stages.lib.anomaly.evidence import make_reference
from stages.lib.evaluation.alarms import alarm_rows, alarms, cross_fitted_alarms
from stages.lib.evaluation.metrics import ALL, by_method
from stages.lib.records import FAKE, REAL
from tests.helpers.params import scoring_settings
from tests.helpers.verdicts import RATE, calibration_of

CALIBRATION = calibration_of(range(1, 20))  # the threshold is 19
REALS, FAKES = np.array([1.0, 50.0, 3.0, 4.0]), np.array([99.0, 2.0])
SCORES = {
    "a": {"swap": (REALS, FAKES), ALL: (REALS, FAKES)},
    "b": {ALL: (np.array([]), np.array([]))},
}


@pytest.fixture(scope="module")
def counted() -> dict:
    return alarms(SCORES, CALIBRATION)


@pytest.mark.parametrize(
    ("key", "value"), [("nominal", RATE), ("threshold", 19.0), ("basis", "rank"), ("validation_reals", 19)]
)
def test_what_the_threshold_rests_on_stands_beside(counted, key, value):
    assert counted[key] == value


@pytest.mark.parametrize(("key", "value"), [("achieved", 0.25), ("n_real", 4), ("found", {"swap": 0.5, ALL: 0.5})])
def test_alarms_are_counted_on_reals_and_fakes(counted, key, value):
    assert counted["datasets"]["a"][key] == value


def test_the_interval_of_the_achieved_rate_is_wilsons(counted):
    z = 1.959964  # Wilson's interval of 1 in 4 by its formula
    middle, half = (0.25 + z**2 / 8) / (1 + z**2 / 4), z * math.sqrt(0.25 * 0.75 / 4 + z**2 / 64) / (1 + z**2 / 4)
    assert counted["datasets"]["a"]["achieved_ci95"] == pytest.approx([middle - half, middle + half], abs=1e-5)


def test_without_videos_there_is_no_rate(counted):
    assert counted["datasets"]["b"] == {"achieved": None, "achieved_ci95": None, "n_real": 0, "found": {ALL: None}}


def test_without_a_threshold_there_is_no_rate():
    assert alarms(SCORES, calibration_of([1.0]))["datasets"]["a"] == {
        "achieved": None,
        "achieved_ci95": None,
        "n_real": 4,
        "found": {"swap": None, ALL: None},
    }


def test_videos_without_a_score_raise_no_alarm():
    videos = pd.DataFrame({"label": [REAL, FAKE], "method": ["", "swap"], "anomaly_score": [None, None]})
    found = alarms({"a": by_method(videos.astype({"anomaly_score": float}), "anomaly_score")}, CALIBRATION)
    assert found["datasets"]["a"] == {"achieved": None, "achieved_ci95": None, "n_real": 0, "found": {ALL: None}}


def test_the_plots_rows_are_shares_of_reals_and_of_each_method():
    rows = [row for row in alarm_rows(SCORES, CALIBRATION) if row["nominal"] == RATE]
    assert {row["method"]: row["share"] for row in rows} == {REAL: 0.25, "swap": 0.5}


def _reals(n: int, *far: int, seed: int = 0):
    """Real videos of ordinary evidence, but for some that lie far out."""
    evidence = np.random.default_rng(seed).normal(size=(n, 4))
    evidence[list(far)] += 30
    return make_reference({f"{at:03}": row for at, row in enumerate(evidence)})


COMBINED = scoring_settings(evidence=["classifier", "drift"])


def test_nobody_is_judged_by_their_own_videos():
    reals = _reals(40, 4, 5, 6)  # of one person, who would have found such videos ordinary
    people = {name: "p" if name in ("004", "005", "006") else name for name in reals.video_ids}
    assert cross_fitted_alarms(reals, people, COMBINED, 0.05) >= 3
    assert cross_fitted_alarms(reals, {name: name for name in reals.video_ids}, COMBINED, 0.05) < 3


def test_cross_fitted_alarms_stay_near_the_nominal_rate():
    counts = [
        cross_fitted_alarms(_reals(39, seed=seed), {f"{at:03}": str(at) for at in range(39)}, COMBINED, 0.1)
        for seed in range(6)
    ]
    assert 0.05 < np.mean(counts) / 39 < 0.12


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_others_give_no_alarm(n):
    assert cross_fitted_alarms(_reals(n, 0), {f"{at:03}": str(at) for at in range(n)}, COMBINED, 0.05) == 0

"""Alarms counted by hand."""

import math

import numpy as np
import pytest

from stages.lib.evaluation.alarms import alarm_rows, alarms
from tests.helpers.verdicts import calibration_of


def test_alarms_are_counted_on_reals_and_fakes():
    calibration = calibration_of(list(range(1, 20)))
    scores = {
        "a": {
            "swap": (np.array([1.0, 50.0, 3.0, 4.0]), np.array([99.0, 2.0])),
            "all": (np.array([1.0, 50.0, 3.0, 4.0]), np.array([99.0, 2.0])),
        }
    }
    scores["b"] = {"all": (np.array([]), np.array([]))}
    found = alarms(scores, calibration)
    assert (found["nominal"], found["threshold"], found["basis"], found["validation_reals"]) == (0.05, 19.0, "rank", 19)
    a, b = found["datasets"]["a"], found["datasets"]["b"]
    assert (a["achieved"], a["n_real"], a["found"]) == (0.25, 4, {"swap": 0.5, "all": 0.5})
    low, high = a["achieved_ci95"]
    z = 1.959964  # Wilson's interval of 1 in 4 by its formula
    middle, half = (0.25 + z**2 / 8) / (1 + z**2 / 4), z * math.sqrt(0.25 * 0.75 / 4 + z**2 / 64) / (1 + z**2 / 4)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-5)
    assert b == {"achieved": None, "achieved_ci95": None, "n_real": 0, "found": {"all": None}}
    rows = [row for row in alarm_rows(scores, calibration) if row["nominal"] == 0.05]
    assert {row["method"]: row["share"] for row in rows} == {"real": 0.25, "swap": 0.5}

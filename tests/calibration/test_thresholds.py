"""Thresholds, p-values and rates against hand calculation and simulation."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from stages.lib.calibration.thresholds import basis, p_value, percentile, rate_interval, threshold


def test_with_many_reals_the_threshold_is_one_of_their_scores():
    assert threshold(np.arange(1, 20), 0.05) == 19  # the 19th of 19: ceil(0.95 * 20)
    assert threshold(np.arange(1, 40)[::-1], 0.05) == 38  # the 38th of 39
    assert threshold(np.arange(1, 100), 0.1) == 90
    assert (basis(19, 0.05), basis(18, 0.05), basis(9, 0.1), basis(1, 0.5)) == ("rank", "normal", "rank", None)


def test_with_few_reals_it_is_the_normal_prediction_limit():
    # mean 5, deviation 2, n = 4; Student's t with 3 degrees of freedom leaves 5 % above 2.353 (any table).
    reals = 5 + 2 * np.array([-1, -1, 1, 1]) * math.sqrt(3) / 2
    assert threshold(reals, 0.05) == pytest.approx(5 + 2.353 * 2 * math.sqrt(1.25), abs=2e-3)


@pytest.mark.parametrize(("n", "draw"), [(4, "normal"), (12, "normal"), (25, "lognormal"), (60, "lognormal")])
def test_on_average_a_new_real_is_called_anomalous_as_often_as_stated(n, draw):
    rng = np.random.default_rng(0)
    sets, new = getattr(rng, draw)(size=(20_000, n)), getattr(rng, draw)(size=20_000)
    alarms = np.mean([score > threshold(reals, 0.05) for reals, score in zip(sets, new, strict=True)])
    least = 0.045 if draw == "normal" else math.floor(0.05 * (n + 1)) / (n + 1) - 0.005
    assert least < alarms < 0.055


@pytest.mark.parametrize("n", [3, 6, 25, 100])
def test_the_interval_holds_95_percent_of_the_true_rates(n):
    rng = np.random.default_rng(1)
    true = np.array([norm.sf(threshold(rng.normal(size=n), 0.05)) for _ in range(20_000)])
    low, high = rate_interval(n, 0.05)
    assert np.mean(true < low) == pytest.approx(0.025, abs=0.005)
    assert np.mean(true > high) == pytest.approx(0.025, abs=0.005)


@pytest.mark.parametrize("n", [2, 6, 19, 20, 50])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_the_p_value_is_at_most_the_rate_exactly_where_a_score_is_anomalous(n, rate):
    rng = np.random.default_rng(n)
    reals = rng.normal(size=n)
    for score in [*rng.normal(size=100) * 3, *reals]:
        assert (p_value(reals, score, rate) <= rate + 1e-12) == (score > threshold(reals, rate))


def test_percentile_counts_equal_scores_half():
    assert percentile([1, 2, 2, 3], 2) == 50
    assert percentile([1, 2], 9) == 100
    assert percentile([1, 2], 0) == 0


@pytest.mark.parametrize("reals", [[], [3.0]])
def test_fewer_than_two_reals_decide_nothing(reals):
    assert threshold(reals, 0.05) is None
    assert p_value(reals, 1.0, 0.05) is None
    assert rate_interval(len(reals), 0.05) is None


def test_equal_scores_give_a_threshold_and_p_values():
    assert threshold([2.0, 2.0, 2.0], 0.05) == 2.0
    assert (p_value([2.0, 2.0, 2.0], 2.1, 0.05), p_value([2.0, 2.0, 2.0], 2.0, 0.05)) == (0.0, 1.0)

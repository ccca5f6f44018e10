"""Evidence of pairs by hand, and deviations from real videos against Student's distribution."""

import math

import numpy as np
import pytest
from scipy.stats import hmean, norm, t

from stages.lib.anomaly.evidence import (
    Reference,
    boundary_logit,
    combined_score,
    drift,
    make_reference,
    pair_density,
    pair_evidence,
    typicality,
)
from stages.lib.calibration.thresholds import threshold
from tests.helpers.params import scoring_settings

UPPER, TYPICAL = scoring_settings(), scoring_settings(side="typical")
ALL = ["pairs", "classifier", "boundary", "drift"]


def test_a_boundary_logit_is_the_log_odds_of_the_mean_of_the_highest_tenth():
    cells = np.linspace(0, 0.38, 20, dtype=np.float32)  # the two highest: .36 and .38
    assert boundary_logit(cells[None]) == pytest.approx([math.log(0.37 / 0.63)])


def test_where_the_cells_lie_does_not_matter():
    cells = np.random.default_rng(0).random((1, 50), np.float32)
    assert boundary_logit(cells[:, ::-1]) == boundary_logit(cells)


@pytest.mark.parametrize(("probability", "expected"), [(0.0, -math.log(9999)), (1.0, math.log(9999))])
def test_certainty_has_finite_log_odds(probability, expected):
    assert boundary_logit(np.full((1, 9), probability, np.float32)) == pytest.approx([expected])


def test_a_maps_logit_does_not_depend_on_the_other_maps():
    maps = np.random.default_rng(0).random((500, 196), np.float32)
    np.testing.assert_array_equal(boundary_logit(maps), [boundary_logit(one[None])[0] for one in maps])


def test_the_evidence_of_pairs_by_hand():
    logit, boundary = np.array([1.0, 2.0, 6.0], np.float32), np.array([-1.0, 0.0, 3.0])
    found = pair_evidence(np.array([10.0, 20.0]), logit, boundary, -0.25, np.array([[0, 1], [0, 2]]))
    np.testing.assert_array_equal(found, [[10.0, 1.5, -0.5, -0.25], [20.0, 3.5, 1.0, -0.25]])


def test_without_a_boundary_map_its_column_is_empty():
    found = pair_evidence(np.array([10.0]), np.array([1.0, 3.0]), None, 0.0, np.array([[0, 1]]))
    np.testing.assert_array_equal(found, [[10.0, 2.0, np.nan, 0.0]])


def _reals(n: int, seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    return make_reference({f"v{i:02}": row for i, row in enumerate(rng.normal((5, -2, 1, 0), (1, 3, 0.1, 1), (n, 4)))})


def test_deviations_by_hand():
    reference = Reference(("a", "b"), np.array([[1.0, 0.0, 2.0], [3.0, 8.0, 2.5]]))
    # means 2, 4, 2.25; deviations sqrt(2), sqrt(32), sqrt(1/8); each times sqrt(1 + 1/2)
    expected = [1 / math.sqrt(3), 2 / math.sqrt(48), -0.25 / math.sqrt(3 / 16)]
    np.testing.assert_allclose(reference.deviations(np.array([3.0, 6.0, 2.0])), expected)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_deviations_of_normal_evidence_are_students_prediction_statistic(rate):
    n, rng, limit = 10, np.random.default_rng(0), t.isf(rate / 2, 10 - 1)
    beyond = [
        np.abs(Reference(("v",) * n, rng.normal(size=(n, 3))).deviations(rng.normal(size=3))) > limit
        for _ in range(4000)
    ]
    # three kinds of evidence in each of the simulations
    assert np.mean(beyond) == pytest.approx(rate, abs=3 * math.sqrt(rate * (1 - rate) / 12000))


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_reals_give_no_deviation(n):
    assert np.isnan(_reals(n).deviations(np.zeros((2, 4)))).all()


def test_evidence_that_is_the_same_in_all_reals_says_nothing():
    reference = Reference(("a", "b", "c"), np.array([[1.0, 2.0, 0.1], [2.0, 2.0, 0.1], [3.0, 2.0, 0.1]]))
    np.testing.assert_array_equal(reference.deviations(np.array([2.0, 2.0, 9.0])), [0.0, 0.0, 0.0])


def test_evidence_that_is_missing_stays_so():
    reference = Reference(("a", "b"), np.array([[1.0, 2.0, np.nan], [2.0, 3.0, np.nan]]))
    np.testing.assert_array_equal(np.isnan(reference.deviations(np.array([2.0, 2.0, np.nan]))), [False, False, True])


def test_a_real_without_evidence_that_others_have_is_not_held_against_anything():
    rows = {"a": [1.0, 2.0, np.nan, 0.1], "b": [2.0, 3.0, np.nan, np.nan], "c": [3.0, 5.0, np.nan, 0.2]}
    reference = make_reference({name: np.array(row) for name, row in rows.items()})
    assert reference.video_ids == ("a", "c")
    np.testing.assert_array_equal(reference.evidence, [rows["a"], rows["c"]])


def test_a_video_of_the_reference_is_judged_without_itself():
    reals = _reals(5)
    others = np.delete(reals.evidence, 2, axis=0)
    found = reals.without("v02").deviations(reals.evidence[2])
    expected = (reals.evidence[2] - others.mean(axis=0)) / (others.std(axis=0, ddof=1) * math.sqrt(1 + 1 / 4))
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("change", [0.5, 50.0])
def test_a_video_of_the_reference_deviates_by_the_others_measure(change):
    changed = _reals(5)
    before = changed.without("v02").deviations(changed.evidence[2])
    changed.evidence[2] += change  # as if another video stood there
    after = changed.without("v02").deviations(changed.evidence[2])
    others = np.delete(changed.evidence, 2, axis=0).std(axis=0, ddof=1) * math.sqrt(1 + 1 / 4)
    np.testing.assert_allclose(after - before, change / others)


def test_a_video_that_is_not_in_the_reference_is_judged_by_all_of_it():
    reals = _reals(5)
    assert reals.without("another").video_ids == reals.video_ids


def test_the_order_of_videos_does_not_matter():
    reals, evidence = _reals(6), np.array([4.0, 1.0, 0.5, 0.0])
    rows = dict(zip(reals.video_ids, reals.evidence, strict=True))
    np.testing.assert_array_equal(
        make_reference(dict(reversed(rows.items()))).deviations(evidence), reals.deviations(evidence)
    )


def _combined(*probabilities: float) -> float:
    """SciPy's harmonic mean, as a normal deviate."""
    return norm.isf(hmean(probabilities))


def _two_reals() -> Reference:
    """Two reals whose mean is 5, 2, 1, 0 and whose unit of deviation is 1, 2, 4, 1."""
    half = np.array([1.0, 2.0, 4.0, 1.0]) / math.sqrt(3)
    return Reference(("a", "b"), np.array([5.0, 2.0, 1.0, 0.0]) + np.array([half, -half]))


# Of evidence 4, 8, -1, 2 beside the two reals: how many of these have as much, and Student's tail between the ranks.
PAIRS, CLASSIFIER = (2 + t.sf(-1, 1)) / 3, t.sf(3, 1) / 3
BOUNDARY, DRIFT = (1 + t.sf(-0.5, 1)) / 3, t.sf(2, 1) / 3
PAIRS_TO_EITHER_SIDE = 2 * t.cdf(-1, 1) / 3  # none of the reals has as little


@pytest.mark.parametrize(
    ("side", "names", "expected"),
    [
        ("upper", ["pairs"], 4.0),  # the density itself
        ("typical", ["pairs"], norm.isf(PAIRS_TO_EITHER_SIDE)),
        ("upper", ["classifier"], norm.isf(CLASSIFIER)),
        ("upper", ["pairs", "drift"], _combined(PAIRS, DRIFT)),
        ("typical", ["classifier", "boundary"], _combined(CLASSIFIER, BOUNDARY)),
        ("upper", ALL, _combined(PAIRS, CLASSIFIER, BOUNDARY, DRIFT)),
        ("typical", ALL[::-1], _combined(PAIRS_TO_EITHER_SIDE, CLASSIFIER, BOUNDARY, DRIFT)),
    ],
)
def test_the_score_of_each_setting_by_hand(side, names, expected):
    settings = scoring_settings(side=side, evidence=names)
    assert combined_score(np.array([4.0, 8.0, -1.0, 2.0]), _two_reals(), settings) == pytest.approx(expected)


def test_one_kind_that_is_far_out_counts_for_more_than_two_that_are_a_little():
    reals, settings = _reals(30), scoring_settings(evidence=["classifier", "drift"])
    mean, unit = reals.evidence.mean(axis=0), reals.evidence.std(axis=0)
    one, two = (combined_score(mean + unit * np.array([0, *far]), reals, settings) for far in ((4, 0, 0), (1, 0, 1)))
    assert one > two


@pytest.mark.parametrize("side", ["upper", "typical"])
def test_a_boundary_map_that_there_is_not_is_left_out(side):
    reals = _reals(6)
    reals.evidence[:, 2] = np.nan
    names = ["pairs", "classifier"]
    both, without = (scoring_settings(side=side, evidence=one) for one in ([*names, "boundary"], names))
    evidence = np.array([4.0, 8.0, np.nan, 0.0])
    assert combined_score(evidence, reals, both) == combined_score(evidence, reals, without)


def test_what_is_very_far_out_keeps_its_order():
    reals, settings = _reals(20), scoring_settings(evidence=["classifier", "drift"])
    far = np.array([[0, 10.0**power, 0, 10.0**power] for power in range(1, 6)])
    assert (np.diff(combined_score(far, reals, settings)) > 0).all()


def test_what_is_further_out_than_numbers_go_has_a_score():
    reals, settings = _reals(200), scoring_settings(evidence=["classifier", "drift"])
    assert np.isfinite(combined_score(np.array([0, 1e9, 0, 1e9]), reals, settings))


@pytest.mark.parametrize("draw", ["normal", "exponential", "random"])
def test_deviates_of_one_kind_are_standard_normal_whatever_its_distribution(draw):
    rng, settings = np.random.default_rng(0), scoring_settings(evidence=["drift"])
    of = getattr(rng, draw)
    reals = make_reference({str(i): row for i, row in enumerate(of(size=(1000, 4)))})
    scores = combined_score(of(size=(5000, 4)), reals, settings)
    assert (scores.mean(), scores.std()) == pytest.approx((0, 1), abs=0.1)


def test_the_most_ordinary_video_has_a_finite_score():
    assert np.isfinite(combined_score(_reals(9).evidence.mean(axis=0), _reals(9), TYPICAL))


@pytest.mark.parametrize("far", [0.5, 3.0, 30.0])
def test_between_two_ranks_more_evidence_is_a_higher_score(far):
    settings, reals = scoring_settings(evidence=["classifier"]), _two_reals()
    less, more = (combined_score(np.array([0, 3.2 + far + step, 0, 0]), reals, settings) for step in (0, 0.01))
    assert more > less


def test_colours_that_wander_drift_as_a_random_walk_does():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(2000, 54)), axis=0)
    assert drift(walk, np.arange(2000.0)) == pytest.approx(-0.5, abs=0.1)


def test_colours_that_keep_coming_back_do_not_drift():
    noise = np.random.default_rng(0).normal(size=(200, 54))
    assert drift(noise, np.arange(200.0)) == pytest.approx(0, abs=0.02)


def test_steady_change_grows_with_time_itself():
    times = np.arange(50.0)
    assert drift(10 * times[:, None] * np.ones(54), times) == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize(("stretch", "strength"), [(10.0, 1.0), (1.0, 10.0)])
def test_drift_depends_neither_on_the_pace_nor_on_the_strength(stretch, strength):
    walk, times = np.cumsum(np.random.default_rng(0).normal(0, 100, (60, 54)), axis=0), np.arange(60.0)
    assert drift(strength * walk, stretch * times) == pytest.approx(drift(walk, times), abs=1e-3)


def test_detail_has_no_part_in_drift():
    walk = np.cumsum(np.random.default_rng(0).normal(size=(60, 54)), axis=0)
    changed = walk.reshape(60, 3, 6, 3).copy()
    changed[:, :, 2:] = 0
    assert drift(changed.reshape(60, 54), np.arange(60.0)) == drift(walk, np.arange(60.0))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_times_have_no_drift(n):
    assert math.isnan(drift(np.zeros((n, 54)), np.arange(float(n))))


@pytest.mark.parametrize("density", [4.0, 6.0])
def test_typicality_is_the_same_on_either_side(density):
    reference = Reference(("a", "b", "c"), np.array([[4.0] * 4, [5.0] * 4, [6.0] * 4]))
    assert typicality(np.array([density, 0.0, 0.0, 0.0]), reference) == pytest.approx(1 / math.sqrt(4 / 3))


@pytest.mark.parametrize("settings", [UPPER, TYPICAL, scoring_settings(side="typical", evidence=ALL)])
def test_many_are_scored_as_each_by_itself(settings):
    reals, many = _reals(6), np.random.default_rng(1).normal(size=(4, 5, 4))
    together = combined_score(many, reals, settings)
    np.testing.assert_allclose(together[2, 3], combined_score(many[2, 3], reals, settings))


def test_no_vectors_have_no_density():
    assert pair_density(None, np.empty((0, 4), np.float32)).shape == (0,)


@pytest.mark.parametrize(
    "settings", [UPPER, TYPICAL, scoring_settings(evidence=ALL), scoring_settings(side="typical", evidence=ALL)]
)
@pytest.mark.parametrize(("rate", "exact"), [(0.05, 1 / 33), (0.1, 3 / 33)])
def test_false_alarms_stay_near_the_nominal_rate_though_reals_are_judged_without_themselves(settings, rate, exact):
    # 32 reals: the thresholds are their highest score, and the third highest
    n, rng, alarms = 32, np.random.default_rng(0), []
    for _ in range(100):
        reals = make_reference({str(i): row for i, row in enumerate(rng.normal(size=(n, 4)))})
        own = zip(reals.video_ids, reals.evidence, strict=True)
        scores = [float(combined_score(evidence, reals.without(name), settings)) for name, evidence in own]
        alarms.append(np.mean(combined_score(rng.normal(size=(100, 4)), reals, settings) > threshold(scores, rate)))
    error = 3 * np.std(alarms) / math.sqrt(len(alarms))
    # A real that lies far out is measured by others that it isn't among, so the highest scores are somewhat too high.
    assert 0.6 * exact - error <= np.mean(alarms) <= exact + error

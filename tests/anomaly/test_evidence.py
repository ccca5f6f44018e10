"""Evidence of pairs by hand, and deviations from real videos against Student's distribution."""

import math

import numpy as np
import pytest
from scipy.stats import t

from stages.lib.anomaly.evidence import (
    Reference,
    boundary_logit,
    combined_score,
    make_reference,
    pair_density,
    pair_evidence,
    typicality,
)
from stages.lib.calibration.thresholds import threshold
from tests.helpers.params import scoring_settings

UPPER, TYPICAL = scoring_settings(), scoring_settings(side="typical")
BOTH = ["classifier", "boundary"]


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
    found = pair_evidence(np.array([10.0, 20.0]), logit, boundary, np.array([[0, 1], [0, 2]]))
    np.testing.assert_array_equal(found, [[10.0, 1.5, -0.5], [20.0, 3.5, 1.0]])


def test_without_a_boundary_map_its_column_is_empty():
    found = pair_evidence(np.array([10.0]), np.array([1.0, 3.0]), None, np.array([[0, 1]]))
    np.testing.assert_array_equal(found, [[10.0, 2.0, np.nan]])


def _reals(n: int, seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    return make_reference({f"v{i:02}": row for i, row in enumerate(rng.normal((5, -2, 1), (1, 3, 0.1), (n, 3)))})


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
    assert np.isnan(_reals(n).deviations(np.zeros((2, 3)))).all()


def test_evidence_that_is_the_same_in_all_reals_says_nothing():
    reference = Reference(("a", "b", "c"), np.array([[1.0, 2.0, 0.1], [2.0, 2.0, 0.1], [3.0, 2.0, 0.1]]))
    np.testing.assert_array_equal(reference.deviations(np.array([2.0, 2.0, 9.0])), [0.0, 0.0, 0.0])


def test_evidence_that_is_missing_stays_so():
    reference = Reference(("a", "b"), np.array([[1.0, 2.0, np.nan], [2.0, 3.0, np.nan]]))
    np.testing.assert_array_equal(np.isnan(reference.deviations(np.array([2.0, 2.0, np.nan]))), [False, False, True])


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
    reals, evidence = _reals(6), np.array([4.0, 1.0, 0.5])
    rows = dict(zip(reals.video_ids, reals.evidence, strict=True))
    np.testing.assert_array_equal(
        make_reference(dict(reversed(rows.items()))).deviations(evidence), reals.deviations(evidence)
    )


@pytest.mark.parametrize(
    ("side", "combine", "expected"),
    [
        ("upper", [], 4.0),  # the density itself
        ("typical", [], 1.0),
        ("upper", ["classifier"], -1.0 + 3.0),
        ("upper", ["boundary"], -1.0 - 0.5),
        ("upper", BOTH, -1.0 + 3.0 - 0.5),
        ("typical", ["classifier"], 1.0 + 3.0),
        ("typical", BOTH, 1.0 + 3.0 - 0.5),
        ("typical", BOTH[::-1], 1.0 + 3.0 - 0.5),
    ],
)
def test_the_score_of_each_setting_by_hand(side, combine, expected):
    # two reals whose mean is 5, 2, 1 and whose unit of deviation is 1, 2, 4
    half = np.array([1.0, 2.0, 4.0]) / math.sqrt(3)
    reference = Reference(("a", "b"), np.array([5.0, 2.0, 1.0]) + np.array([half, -half]))
    settings = scoring_settings(side=side, combine=combine)
    assert combined_score(np.array([4.0, 8.0, -1.0]), reference, settings) == pytest.approx(expected)


@pytest.mark.parametrize("side", ["upper", "typical"])
def test_a_boundary_map_that_there_is_not_adds_nothing(side):
    reals = _reals(6)
    reals.evidence[:, 2] = np.nan
    both, classifier = (scoring_settings(side=side, combine=names) for names in (BOTH, ["classifier"]))
    evidence = np.array([4.0, 8.0, np.nan])
    assert combined_score(evidence, reals, both) == combined_score(evidence, reals, classifier)


@pytest.mark.parametrize("density", [4.0, 6.0])
def test_typicality_is_the_same_on_either_side(density):
    reference = Reference(("a", "b", "c"), np.array([[4.0] * 3, [5.0] * 3, [6.0] * 3]))
    assert typicality(np.array([density, 0.0, 0.0]), reference) == pytest.approx(1 / math.sqrt(4 / 3))


@pytest.mark.parametrize("settings", [UPPER, TYPICAL, scoring_settings(side="typical", combine=BOTH)])
def test_many_are_scored_as_each_by_itself(settings):
    reals, many = _reals(6), np.random.default_rng(1).normal(size=(4, 5, 3))
    together = combined_score(many, reals, settings)
    np.testing.assert_allclose(together[2, 3], combined_score(many[2, 3], reals, settings))


def test_no_vectors_have_no_density():
    assert pair_density(None, np.empty((0, 4), np.float32)).shape == (0,)


@pytest.mark.parametrize(
    "settings", [UPPER, TYPICAL, scoring_settings(combine=BOTH), scoring_settings(side="typical", combine=BOTH)]
)
@pytest.mark.parametrize(("rate", "exact"), [(0.05, 1 / 33), (0.1, 3 / 33)])
def test_false_alarms_stay_near_the_nominal_rate_though_reals_are_judged_without_themselves(settings, rate, exact):
    # 32 reals: the thresholds are their highest score, and the third highest
    n, rng, alarms = 32, np.random.default_rng(0), []
    for _ in range(400):
        reals = make_reference({str(i): row for i, row in enumerate(rng.normal(size=(n, 3)))})
        own = zip(reals.video_ids, reals.evidence, strict=True)
        scores = [float(combined_score(evidence, reals.without(name), settings)) for name, evidence in own]
        alarms.append(np.mean(combined_score(rng.normal(size=(100, 3)), reals, settings) > threshold(scores, rate)))
    error = 3 * np.std(alarms) / math.sqrt(len(alarms))
    # A real that lies far out is measured by others that it isn't among, so the highest scores are somewhat too high.
    assert 0.6 * exact - error <= np.mean(alarms) <= exact + error

"""Likelihood ratios beside those of known distributions, and bounds by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.lib.calibration.ratios import (
    FEWEST_PEOPLE,
    by_person,
    empirical_bounds,
    fit_likelihood_ratio,
    likelihood_ratios,
    measured_on,
)
from stages.lib.records import FAKE, REAL
from tests.helpers.verdicts import measured


def _alone(scores: np.ndarray) -> list[list[float]]:
    """Each score a person's own."""
    return [[float(score)] for score in scores]


def _gaussians(apart: float, n: int, m: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, n), rng.normal(apart, 1, m)


@pytest.mark.parametrize(("n", "m"), [(3000, 3000), (3000, 600), (600, 3000)])
@pytest.mark.parametrize("score", [-1.0, 0.75, 2.0])
def test_of_known_gaussians_it_is_the_ratio_of_their_densities(n, m, score):
    real, fake = _gaussians(1.5, n, m)
    log = fit_likelihood_ratio(_alone(real), _alone(fake)).log(score)
    assert log == pytest.approx(1.5 * score - 1.5**2 / 2, abs=0.25)


def test_it_does_not_depend_on_the_scores_scale():
    real, fake = _gaussians(1.0, 40, 40)
    one = fit_likelihood_ratio(_alone(real), _alone(fake)).log(real)
    other = fit_likelihood_ratio(_alone(1e3 * real - 7e4), _alone(1e3 * fake - 7e4)).log(1e3 * real - 7e4)
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_it_never_falls(seed):
    fitted = fit_likelihood_ratio(*map(_alone, _gaussians(1.0, 12, 30, seed)))
    assert (np.diff(fitted.log(np.linspace(-50, 50, 500))) >= 0).all()


@pytest.mark.parametrize("apart", [-3.0, -0.5])
def test_fakes_that_score_below_reals_have_a_ratio_of_1(apart):
    fitted = fit_likelihood_ratio(*map(_alone, _gaussians(apart, 200, 200)))
    assert fitted.log(np.array([-100.0, 0.0, 100.0])).tolist() == [0, 0, 0]


def test_of_the_same_distribution_it_stays_near_1():
    fitted = fit_likelihood_ratio(*map(_alone, _gaussians(0.0, 1000, 1000)))
    assert np.abs(fitted.log(np.linspace(-3, 3, 50))).max() < 0.4


@pytest.mark.parametrize(("n", "m"), [(10, 10), (10, 40), (40, 10)])
def test_however_far_apart_it_stays_below_the_number_of_people(n, m):
    fitted = fit_likelihood_ratio(*map(_alone, _gaussians(1e6, n, m)))
    low, high = np.exp(fitted.log(np.array([-1e9, 1e9])))
    assert 1 / (m + 1) < low < 0.5
    assert 2 < high < n + 1


@pytest.mark.parametrize("same", [0.0, 5.0])
def test_scores_without_any_spread_can_be_fitted(same):
    fitted = fit_likelihood_ratio([[0.0]] * 10, [[same]] * 10)
    assert (np.exp(fitted.log(same)) > 2) == (same > 0)


def test_a_few_wrong_faces_do_not_bend_it():
    real, fake = _gaussians(1.5, 200, 200)
    far = np.append(real, [1e4, 1e4])
    with_far, without = (fit_likelihood_ratio(_alone(reals), _alone(fake)).log(1.5) for reals in (far, real))
    assert with_far == pytest.approx(without, abs=0.2)


def test_many_videos_of_a_person_count_as_one():
    real, fake = _gaussians(1.0, 20, 20)
    once = fit_likelihood_ratio(_alone(real), _alone(fake))
    repeated = fit_likelihood_ratio([[score] * 5 for score in real], [[score] * 3 for score in fake])
    np.testing.assert_allclose(once.log(real), repeated.log(real), atol=0.05)  # the reals' quartiles move a little
    assert np.exp(repeated.greatest) < 21


def test_the_bounds_by_hand():
    # Of 3 fakes 2 lie above log 2, with no real; one more of each is put to them: (2 / 4) / (1 / 4) = 2.
    # Below log 0.5 lie 2 of 3 reals, with no fake: the same.
    real, fake = np.log([0.1, 0.2, 1.5]), np.log([0.6, 8.0, 9.0])
    low, high = empirical_bounds(real, fake, np.ones(3), np.ones(3))
    assert (np.exp(low), np.exp(high)) == (pytest.approx(0.5), pytest.approx(2.0))


def test_the_bounds_are_where_more_would_cost_more_than_no_ratio_at_all():
    real, fake = (1.5 * scores - 1.5**2 / 2 for scores in _gaussians(1.5, 40, 30))
    at = np.arange(-4, 4, 1e-3)  # by the definition of Vergeer et al., on a grid
    hits = (fake[:, None] > at).sum(axis=0) / 31
    alarms = ((real[:, None] > at).sum(axis=0) + 1) / 41
    supported = at[1 - hits + np.exp(at) * alarms <= np.minimum(1, np.exp(at))]
    low, high = empirical_bounds(real, fake, np.ones(40), np.ones(30))
    assert (low, high) == (pytest.approx(supported.min(), abs=2e-3), pytest.approx(supported.max(), abs=2e-3))


def test_bounds_of_ratios_that_mislead_are_1():
    assert empirical_bounds(np.ones(10), -np.ones(10), np.ones(10), np.ones(10)) == (0, 0)


VIDEOS = pd.DataFrame(
    [
        (REAL, "", "", "p", 1.0),
        (REAL, "", "", "p", 0.5),
        (REAL, "", "", "q", 0.2),
        (REAL, "", "", "r", None),
        (FAKE, "x", "swap", "p", 3.0),
        (FAKE, "y", "swap", "q", 2.0),
        (FAKE, "y", "swap", "p", 1.0),
        (FAKE, "z", "lips", "q", 5.0),
        (FAKE, "z", "animated", "q", None),
    ],
    columns=["label", "method", "family", "person", "anomaly_score"],
)


def test_scores_by_person_are_rising_and_name_nobody():
    assert by_person(VIDEOS[:3], "anomaly_score") == [[0.2], [0.5, 1.0]]


@pytest.fixture(scope="module")
def kept():
    return measured_on(VIDEOS, "demo")


@pytest.mark.parametrize(
    ("family", "methods", "scores"), [("swap", {"x": 1, "y": 2}, [[1.0, 3.0], [2.0]]), ("lips", {"z": 1}, [[5.0]])]
)
def test_a_family_is_kept_with_its_methods_and_scores(kept, family, methods, scores):
    assert (kept.families[family].methods, kept.families[family].scores) == (methods, scores)


def test_a_family_without_a_score_is_not_kept(kept):
    assert set(kept.families) == {"swap", "lips"}


def test_the_reals_are_kept(kept):
    assert (kept.dataset, kept.reals) == ("demo", [[0.2], [0.5, 1.0]])


def test_without_a_fake_there_is_nothing_to_keep():
    assert measured_on(VIDEOS[VIDEOS["label"] == REAL], "demo") is None


def test_without_what_was_measured_there_is_no_ratio():
    assert likelihood_ratios(None, 1.0) == []


def test_a_ratio_has_what_it_rests_on():
    swap = likelihood_ratios(measured(), 4.0)[1]
    assert (swap.family, swap.methods, swap.dataset) == ("swap", {"x": 10, "y": 10}, "demo")
    assert (swap.n_fake, swap.people_fake, swap.n_real, swap.people_real) == (20, 10, 10, 10)


@pytest.mark.parametrize(("score", "least", "most"), [(99.0, 5.0, 11.0), (-99.0, 1 / 11, 1 / 5)])
def test_a_ratio_lies_within_its_bounds(score, least, most):
    swap = likelihood_ratios(measured(), score)[1]
    assert least < swap.ratio < most
    assert swap.bounds[0] <= swap.ratio <= swap.bounds[1]


@pytest.mark.parametrize(("n", "given"), [(FEWEST_PEOPLE, True), (FEWEST_PEOPLE - 1, False)])
def test_too_few_people_have_no_ratio_however_many_videos(n, given):
    swap = likelihood_ratios(measured(n), 4.0)[1]
    assert swap.n_fake == 2 * n
    assert ((swap.ratio is not None), (swap.bounds is not None)) == (given, given)


def test_a_family_of_too_few_fakes_has_none_beside_one_of_enough():
    assert [ratio.ratio is None for ratio in likelihood_ratios(measured(), 4.0)] == [True, False]

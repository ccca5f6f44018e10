"""Intervals over people: against scikit-learn, against theory, and on people whose clips say the same."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from stages.lib.evaluation.intervals import (
    N_RESAMPLES,
    auc_interval,
    balanced_mean_interval,
    difference_interval,
    interval,
    mean_interval,
    resampled_aucs,
    weighted_aucs,
)

TRUE_AUC = 0.7602  # of two normal distributions one deviation apart: Phi(1 / sqrt 2)


def _clips(scores, people) -> pd.DataFrame:
    return pd.DataFrame({"score": np.asarray(scores, float), "person": people})


@pytest.fixture(scope="module")
def weighted() -> tuple[np.ndarray, ...]:
    """20 reals and 30 fakes with ties, and 5 draws of how often each counts."""
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 8, 20).astype(float), rng.integers(2, 10, 30).astype(float)
    return real, fake, rng.integers(0, 4, (5, 20)), rng.integers(0, 4, (5, 30))


@pytest.mark.parametrize("row", range(5))
def test_a_weighted_auc_is_that_of_clips_repeated_as_often(weighted, row):
    real, fake, of_real, of_fake = weighted
    repeated = np.concatenate([np.repeat(real, of_real[row]), np.repeat(fake, of_fake[row])])
    labels = np.repeat([0, 1], [of_real[row].sum(), of_fake[row].sum()])
    assert weighted_aucs(*weighted)[row] == pytest.approx(roc_auc_score(labels, repeated))


def test_a_resample_without_reals_has_no_auc(weighted):
    real, fake, of_real, of_fake = weighted
    assert np.isnan(weighted_aucs(real, fake, of_real * 0, of_fake)).all()


def _of_strangers(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """n reals and n fakes, one deviation apart, of as many people."""
    return _clips(rng.normal(0, 1, n), [f"r{i}" for i in range(n)]), _clips(
        rng.normal(1, 1, n), [f"f{i}" for i in range(n)]
    )


@pytest.fixture(scope="module")
def intervals() -> np.ndarray:
    """Of 60 reals and 60 fakes of 120 people, drawn 40 times."""
    rng = np.random.default_rng(0)
    return np.array([auc_interval(*_of_strangers(rng, 60), "score", seed) for seed in range(40)])


def test_interval_of_strangers_holds_the_true_auc_as_often_as_it_says(intervals):
    assert 34 <= ((intervals[:, 0] <= TRUE_AUC) & (intervals[:, 1] >= TRUE_AUC)).sum() <= 40


def test_interval_of_strangers_is_as_wide_as_hanley_and_mcneils(intervals):
    # Hanley and McNeil's standard error of this AUC with 60 and 60 is 0.0436
    assert np.diff(intervals).mean() == pytest.approx(2 * 1.96 * 0.0436, rel=0.15)


def _people_with_clips(rng: np.random.Generator, clips: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """40 people, half of them real; a person's clips all have the same score."""
    people = np.repeat([f"p{i}" for i in range(20)], clips)
    return _clips(np.repeat(rng.normal(0, 1, 20), clips), people), _clips(
        np.repeat(rng.normal(1, 1, 20), clips), [f"fake of {person}" for person in people]
    )


def test_more_clips_of_the_same_people_make_no_interval_narrower():
    one, eight = (
        auc_interval(*_people_with_clips(np.random.default_rng(1), clips), "score", seed=0) for clips in (1, 8)
    )
    assert eight == pytest.approx(one)


def test_intervals_of_people_with_several_clips_hold_the_true_auc_as_often_as_they_say():
    rng = np.random.default_rng(2)
    found = [auc_interval(*_people_with_clips(rng, 8), "score", seed) for seed in range(60)]
    assert 52 <= sum(low <= TRUE_AUC <= high for low, high in found) <= 60


REALS = _clips(range(9), [f"p{i}" for i in range(9)])
FAKES = _clips(range(4, 13), [f"p{i}" for i in range(9)])


def test_interval_is_seeded():
    assert auc_interval(REALS, FAKES, "score", 3) == auc_interval(REALS, FAKES, "score", 3)


def test_interval_does_not_depend_on_the_order_of_clips():
    assert auc_interval(REALS[::-1], FAKES[::-1], "score", 3) == auc_interval(REALS, FAKES, "score", 3)


@pytest.mark.parametrize(("n_real", "n_fake"), [(1, 9), (9, 1), (9, 0), (0, 9)])
def test_interval_needs_two_people_of_each(n_real, n_fake):
    assert auc_interval(REALS[:n_real], FAKES[:n_fake], "score", 0) is None


def test_a_persons_reals_and_fakes_come_and_go_together():
    # Two people whose fakes lie above their own reals, and all of b above all of a.
    reals, fakes = _clips([0, 10], ["a", "b"]), _clips([1, 11], ["a", "b"])
    # a twice or b twice: 1; both: 3 of 4
    assert set(resampled_aucs(reals, fakes, "score", 0)) == {1.0, 0.75}


@pytest.mark.parametrize(
    ("estimate", "least", "expected"),
    [
        (0.7, 0.0, [0.605, 0.795]),
        (0.95, 0.0, [0.855, 1.0]),
        (0.05, 0.0, [0.0, 0.145]),
        (0.05, -1.0, [-0.045, 0.145]),
    ],
)
def test_an_interval_is_moved_to_the_estimate_and_stays_in_its_bounds(estimate, least, expected):
    drawn = np.append(np.linspace(0.4, 0.6, 201), np.nan)  # its middle 95 %: 0.405 to 0.595
    assert interval(drawn, estimate, least) == pytest.approx(expected)


def test_every_resample_is_drawn():
    assert len(resampled_aucs(REALS, FAKES, "score", 0)) == N_RESAMPLES


def test_a_score_does_not_differ_from_itself():
    assert difference_interval(REALS, FAKES, "score", "score", 0) == [0.0, 0.0]


def test_a_difference_is_paired():
    """Two scores that hardly differ: much narrower than the two AUCs' own intervals."""
    rng = np.random.default_rng(0)
    reals, fakes = (
        clips.assign(other=clips["score"] + rng.normal(0, 0.05, len(clips))) for clips in _of_strangers(rng, 60)
    )
    low, high = difference_interval(reals, fakes, "score", "other", 0)
    assert high - low < 0.25 * np.ptp(auc_interval(reals, fakes, "score", 0))


def test_a_true_difference_is_found():
    rng = np.random.default_rng(0)
    reals, fakes = (clips.assign(other=rng.normal(0, 1, len(clips))) for clips in _of_strangers(rng, 100))
    low, high = difference_interval(reals, fakes, "score", "other", 0)
    assert 0 < low < TRUE_AUC - 0.5 < high


def test_interval_of_a_share_of_strangers_is_as_wide_as_the_binomials():
    won = np.repeat([0.0, 1.0], [30, 70])
    low, high = mean_interval(won, pd.Series(range(100)), 0)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 100), rel=0.15)


def test_interval_of_a_share_is_over_people():
    won = np.repeat([0.0, 1.0], [30, 70])
    one, ten = (mean_interval(np.repeat(won, n), pd.Series(np.repeat(range(100), n)), 0) for n in (1, 10))
    assert ten == pytest.approx(one)


def test_a_share_of_one_persons_clips_has_no_interval():
    assert mean_interval(np.array([0.0, 1.0]), pd.Series(["a", "a"]), 0) is None


def test_interval_of_the_mean_of_two_means_is_over_people():
    # a's cost 0 and 1, b's 4 and 3: half the sum of a real's and a fake's is 1/2 of a alone, 7/2 of b alone
    reals, fakes = _clips([0, 4], ["a", "b"]), _clips([1, 1, 3], ["a", "a", "b"])
    low, high = balanced_mean_interval(reals, fakes, "score", seed=0)
    middle = (2 + 5 / 3) / 2
    both = np.array([1 / 2, middle, 7 / 2])
    moved = middle - both @ [1 / 4, 1 / 2, 1 / 4]
    assert (low, high) == (pytest.approx(1 / 2 + moved, abs=0.15), pytest.approx(7 / 2 + moved, abs=0.15))


def test_interval_of_the_mean_of_two_means_needs_two_people_of_each():
    one, two = _clips([1, 2], ["a", "a"]), _clips([1, 2], ["a", "b"])
    assert balanced_mean_interval(one, two, "score", seed=0) is None
    assert balanced_mean_interval(two, one, "score", seed=0) is None

"""The cost of likelihood ratios by hand, and their cross-validation over people."""

import cv2
import numpy as np
import pandas as pd
import pytest

from stages.lib.evaluation.ratios import (
    LOG_RATIO,
    cllr,
    cllr_min,
    cross_validated_ratios,
    folds,
    ratio_metrics,
    tippett_plot,
)
from stages.lib.records import FAKE, REAL


@pytest.mark.parametrize(
    ("real", "fake", "cost"),
    [
        ([1, 1], [1], 1.0),  # says nothing: one bit
        ([1 / 3], [3], np.log2(4 / 3)),
        ([1, 1 / 3], [1, 3, 7], (1 + np.log2(4 / 3)) / 4 + (1 + np.log2(4 / 3) + np.log2(8 / 7)) / 6),
        ([3], [1 / 3], 2.0),  # misleads: log2(1 + 3) on both sides
    ],
)
def test_the_cost_by_hand(real, fake, cost):
    assert cllr(np.log(real), np.log(fake)) == pytest.approx(cost)


def test_the_cost_of_certainty_is_nothing():
    assert cllr(np.array([-1e4]), np.array([1e4])) == 0


@pytest.mark.parametrize(
    ("real", "fake", "cost"),
    [
        ([-3, -2], [-1, 5], 0.0),  # they can be told apart, if not where these ratios say
        ([1, 1], [1, 1], 1.0),
        ([2, 3], [0, 1], 1.0),  # the wrong way round: one block of both
        # blocks: a real, (fake, real), a fake: 1/2 where both are, nothing elsewhere
        ([0, 2], [1, 3], 0.5),
    ],
)
def test_the_least_cost_by_hand(real, fake, cost):
    assert cllr_min(np.array(real, float), np.array(fake, float)) == pytest.approx(cost)


@pytest.mark.parametrize("seed", range(5))
def test_the_least_cost_is_no_more_than_the_cost_and_does_not_depend_on_the_ratios_scale(seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(-1, 2, 30), rng.normal(1, 2, 70)
    assert cllr_min(real, fake) < cllr(real, fake)
    assert cllr_min(real, fake) == pytest.approx(cllr_min(np.exp(real), np.exp(fake)))


def _videos(n: int, apart: float, clips: int = 2, seed: int = 0) -> pd.DataFrame:
    """A real and ``clips`` swaps of each of n people."""
    rng = np.random.default_rng(seed)
    rows = [(REAL, "", "", f"p{who}", score) for who, score in enumerate(rng.normal(0, 1, n))]
    for clip in range(clips):
        scores = rng.normal(apart, 1, n)
        rows += [(FAKE, f"method {clip}", "swap", f"p{who}", score) for who, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["label", "method", "family", "person", "anomaly_score"])


VIDEOS = _videos(40, 3.0)


@pytest.fixture(scope="module")
def ratios():
    return cross_validated_ratios(VIDEOS)


@pytest.fixture(scope="module")
def measured(ratios):
    return ratio_metrics(ratios, seed=0)["swap"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("methods", {"method 0": 40, "method 1": 40}),
        ("n_real", 40),
        ("n_fake", 80),
        ("people_real", 40),
        ("people_fake", 40),
    ],
)
def test_what_it_rests_on_is_named(measured, key, value):
    assert measured[key] == value


def test_far_apart_the_cost_is_small(measured):
    assert measured["cllr_min"] < measured["cllr"] < 0.5


def test_the_interval_holds_the_cost(measured):
    low, high = measured["cllr_ci95"]
    assert 0 <= low < measured["cllr"] < high < 1


def test_misleading_ratios_are_counted(measured, ratios):
    reals, fakes = ratios["swap"]
    assert measured["misleading_real"] == (reals[LOG_RATIO] > 0).sum() / 40
    assert measured["misleading_fake"] == (fakes[LOG_RATIO] < 0).sum() / 80


def test_the_bounds_are_of_so_many_people(measured):
    low, high = measured["bounds"]
    assert 1 / 41 < low < 0.1
    assert 10 < high < 41


def test_scores_that_say_nothing_cost_about_1():
    costs = [
        ratio_metrics(cross_validated_ratios(_videos(30, 0.0, seed=seed)), seed=0)["swap"]["cllr"] for seed in range(5)
    ]
    assert np.mean(costs) == pytest.approx(1, abs=0.05)


def test_a_cost_above_1_is_not_cut_off():
    reals = pd.DataFrame({"person": list("abcde"), LOG_RATIO: 3.0, "method": "", "anomaly_score": range(5)})
    fakes = reals.assign(**{LOG_RATIO: -3.0}, method="x")
    found = ratio_metrics({"swap": (reals, fakes)}, seed=0)["swap"]
    assert found["cllr_ci95"] == [pytest.approx(found["cllr"])] * 2
    assert found["cllr"] > 4


def test_nobodys_ratio_depends_on_their_own_videos(ratios):
    changed = VIDEOS.copy()
    own = changed["person"] == "p7"
    changed.loc[own & (changed["label"] == REAL), "anomaly_score"] = 1e6
    changed = cross_validated_ratios(changed)
    before, after = (found["swap"][1].set_index(["person", "method"])[LOG_RATIO] for found in (ratios, changed))
    assert before["p7"].tolist() == after["p7"].tolist()
    assert before["p8"].tolist() != after["p8"].tolist()


def test_the_order_of_the_videos_does_not_matter(ratios):
    shuffled = cross_validated_ratios(VIDEOS.sample(frac=1, random_state=1))["swap"]
    for before, after in zip(ratios["swap"], shuffled, strict=True):
        np.testing.assert_allclose(before[LOG_RATIO], after[LOG_RATIO].sort_index())


@pytest.mark.parametrize("seed", range(20))
def test_no_fold_takes_many_of_the_people_of_reals_or_of_fakes(seed):
    rng = np.random.default_rng(seed)
    rows = [(REAL, f"p{who}") for who in range(rng.integers(10, 25)) for _ in range(rng.choice([1, 1, 50]))]
    rows += [(FAKE, f"p{who + 9}") for who in range(rng.integers(10, 25)) for _ in range(rng.choice([1, 1, 50]))]
    videos = pd.DataFrame(rows, columns=["label", "person"])
    dealt = videos.assign(fold=folds(videos))
    assert dealt.groupby("person")["fold"].nunique().eq(1).all()
    shares = dealt.groupby(["label", "fold"])["person"].nunique() / dealt.groupby("label")["person"].nunique()
    assert shares.max() <= 0.3


@pytest.mark.parametrize("videos", [_videos(9, 3.0, clips=5), VIDEOS[VIDEOS["label"] == REAL], VIDEOS[:0]])
def test_too_few_have_no_ratio(videos):
    assert cross_validated_ratios(videos) == {}


def test_a_family_of_too_few_is_left_out_beside_one_of_enough():
    few = VIDEOS[-3:].assign(family="lips")
    assert set(cross_validated_ratios(pd.concat([VIDEOS, few]))) == {"swap"}


def test_videos_without_a_score_have_no_ratio():
    videos = VIDEOS.copy()
    videos.loc[0, "anomaly_score"] = None
    assert len(cross_validated_ratios(videos)["swap"][0]) == 39


def _plot(tmp_path, **datasets) -> np.ndarray:
    tippett_plot(tmp_path / "tippett.png", datasets)
    return cv2.imread(str(tmp_path / "tippett.png"))


def test_the_plot_has_a_panel_for_each_family_and_a_row_for_each_dataset(tmp_path, ratios):
    one, two, wide, none = (
        _plot(tmp_path, **found).shape
        for found in (
            {"a": ratios},
            {"a": ratios, "b": ratios, "c": {}},
            {"a": ratios | {"lips": ratios["swap"]}},
            {"a": {}},
        )
    )
    assert two[0] == 2 * one[0] > 4 * none[0]
    assert wide[1] == 2 * one[1]


def test_fakes_are_drawn_to_the_right_of_reals(tmp_path, ratios):
    image = _plot(tmp_path, a=ratios)
    image = image[: int(0.8 * len(image))].astype(int)  # above the legend
    real, fake = (np.nonzero(np.abs(image - bgr).max(axis=2) < 40)[1].mean() for bgr in ((172, 102, 33), (77, 96, 214)))
    assert fake > real + 50

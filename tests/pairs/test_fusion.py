"""Fusion against the paper's equations by hand, and the pairs' promises."""

import numpy as np
import pytest

from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.fusion import FUSIONS, Features
from stages.lib.pairs.settings import PairSettings


def _features(embedding: list[float], logit: float = 0.0, appearance: float = 0.0) -> Features:
    return Features(
        np.array([embedding], np.float32), np.array([logit], np.float32), np.full((1, 54), appearance, np.float32)
    )


A = _features([1.0, -2.0, 0.5], logit=-3.0, appearance=5.0)
B = _features([3.0, 1.0, 0.5], logit=1.0, appearance=7.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("abs", [2, 3, 0]),  # equation 3
        ("sub", [-2, -3, 0]),  # equation 4
        ("sub2", [4, 9, 0]),  # equation 5
        ("sub3", [-8, -27, 0]),  # equation 6
        ("single", [1, -2, 0.5]),
        ("joint", [2, -0.5, 0.5, 2, 3, 0]),
    ],
)
def test_fusion_is_the_papers(name, expected):
    np.testing.assert_array_equal(FUSIONS[name](A, B), [expected])


def test_appearance_is_what_changes_and_the_logit_the_pair_shares():
    np.testing.assert_array_equal(FUSIONS["appearance"](A, B), [[-2.0] * 54 + [-4.0, -1.0]])


def test_taking_rows_takes_them_of_every_part():
    rng = np.random.default_rng(0)
    features = Features(rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(5, 54)))
    taken = features.take(np.array([4, 0]))
    for part in ("embedding", "logit", "appearance"):
        np.testing.assert_array_equal(getattr(taken, part), getattr(features, part)[[4, 0]])


def test_every_fusion_of_the_params_exists():
    from typing import get_args

    from stages.lib.settings import FusionName

    assert set(FUSIONS) == set(get_args(FusionName))


def _settings(min_gap: float, max_gap: float, min_faces: int = 2) -> PairSettings:
    return PairSettings(per_video=1, train_per_video=1, min_gap=min_gap, max_gap=max_gap, min_faces=min_faces)


def test_pairs_lie_apart_are_distinct_and_never_pair_a_frame_with_itself():
    times = np.arange(40) / 10
    pairs = draw_pairs(times, 30, _settings(0.25, 0.5), 0)
    assert pairs.shape == (30, 2)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == 30
    gaps = np.abs(times[pairs[:, 0]] - times[pairs[:, 1]])
    assert (gaps >= 0.25 * 3.9).all() and (gaps <= 0.5 * 3.9).all()


def test_pairs_come_in_both_orders():
    pairs = draw_pairs(np.arange(40.0), 200, _settings(0.1, 1.0), 0)
    assert 60 < (pairs[:, 0] < pairs[:, 1]).sum() < 140


def test_gap_is_measured_in_time_not_in_frames():
    times = np.array([0.0, 0.01, 0.02, 0.03, 10.0])
    pairs = draw_pairs(times, 99, _settings(0.5, 1.0), 0)
    assert {frozenset(pair) for pair in pairs.tolist()} == {frozenset((i, 4)) for i in range(4)}


def test_neighbours_are_never_too_far_apart():
    times = np.array([0.0, 4.0, 5.0, 10.0])
    pairs = draw_pairs(times, 99, _settings(0.0, 0.05), 0)
    assert {frozenset(pair) for pair in pairs.tolist()} == {frozenset((i, i + 1)) for i in range(3)}


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_frames_have_no_pairs(n):
    assert draw_pairs(np.arange(float(n)), 30, _settings(0.2, 1.0), 0).shape == (0, 2)


def test_every_pair_is_drawn_when_more_are_wanted_than_exist():
    assert len(draw_pairs(np.arange(4.0), 30, _settings(0.0, 1.0), 0)) == 6


def test_fewer_faces_than_wanted_have_no_pairs():
    drawn = [len(draw_pairs(np.arange(n, dtype=float), 30, _settings(0.0, 1.0, min_faces=8), 0)) for n in (7, 8)]
    assert drawn == [0, 28]


def test_a_draw_comes_from_seed_and_times_and_fewer_are_the_first_of_more():
    times, settings = np.arange(40) / 25, _settings(0.0, 1.0)
    many = draw_pairs(times, 100, settings, 0)
    np.testing.assert_array_equal(draw_pairs(times, 30, settings, 0), many[:30])
    assert not np.array_equal(draw_pairs(times, 100, settings, 1), many)
    assert not np.array_equal(draw_pairs(times + 0.01, 100, settings, 0), many)

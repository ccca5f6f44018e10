"""What pairs promise: how far apart they lie, that none comes twice, and what their draw depends on."""

import numpy as np
import pytest

from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.settings import PairSettings
from tests.helpers.params import pair_settings


def gaps(least: float, greatest: float, min_faces: int = 2) -> PairSettings:
    return pair_settings(min_gap=least, max_gap=greatest, min_faces=min_faces)


def test_pairs_lie_apart_are_distinct_and_never_pair_a_frame_with_itself():
    times = np.arange(40) / 10
    pairs = draw_pairs(times, 30, gaps(0.25, 0.5), 0)
    assert pairs.shape == (30, 2)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == 30
    apart = np.abs(times[pairs[:, 0]] - times[pairs[:, 1]])
    assert (apart >= 0.25 * 3.9).all()
    assert (apart <= 0.5 * 3.9).all()


def test_pairs_come_in_both_orders():
    pairs = draw_pairs(np.arange(40.0), 200, gaps(0.1, 1.0), 0)
    assert 60 < (pairs[:, 0] < pairs[:, 1]).sum() < 140


def test_gap_is_measured_in_time_not_in_frames():
    times = np.array([0.0, 0.01, 0.02, 0.03, 10.0])
    pairs = draw_pairs(times, 99, gaps(0.5, 1.0), 0)
    assert {frozenset(pair) for pair in pairs.tolist()} == {frozenset((i, 4)) for i in range(4)}


def test_neighbours_are_never_too_far_apart():
    times = np.array([0.0, 4.0, 5.0, 10.0])
    pairs = draw_pairs(times, 99, gaps(0.0, 0.05), 0)
    assert {frozenset(pair) for pair in pairs.tolist()} == {frozenset((i, i + 1)) for i in range(3)}


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_frames_have_no_pairs(n):
    assert draw_pairs(np.arange(float(n)), 30, gaps(0.2, 1.0), 0).shape == (0, 2)


def test_every_pair_is_drawn_when_more_are_wanted_than_exist():
    assert len(draw_pairs(np.arange(4.0), 30, gaps(0.0, 1.0), 0)) == 6


def test_fewer_faces_than_wanted_have_no_pairs():
    drawn = [len(draw_pairs(np.arange(n, dtype=float), 30, gaps(0.0, 1.0, min_faces=8), 0)) for n in (7, 8)]
    assert drawn == [0, 28]


def test_a_draw_comes_from_seed_and_times_and_fewer_are_the_first_of_more():
    times, settings = np.arange(40) / 25, gaps(0.0, 1.0)
    many = draw_pairs(times, 100, settings, 0)
    np.testing.assert_array_equal(draw_pairs(times, 30, settings, 0), many[:30])
    assert not np.array_equal(draw_pairs(times, 100, settings, 1), many)
    assert not np.array_equal(draw_pairs(times + 0.01, 100, settings, 0), many)

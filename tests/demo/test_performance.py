"""Performances: real ones drift, a still picture that is animated comes back to where it was."""

import numpy as np
import pytest

from stages.lib.demo.performance import animate, lit, make_idling, make_performance, still_at

N, FPS = 50, 25.0
POSE, LIGHT = ("yaw", "pitch", "roll", "zoom", "shift"), ("light_angle", "light", "warmth", "exposure")
SPEECH = ("mouth_open", "smile", "brow", "blink")


def _performances(kept: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    play, idling = make_performance(N, FPS, rng), make_idling(N, FPS, rng)
    return play, idling, animate(play, still_at(play), idling, kept)


@pytest.mark.parametrize("name", [*POSE, *LIGHT])
def test_a_real_performance_differs_more_between_distant_frames_than_between_neighbours(name):
    near, far = [], []
    for seed in range(20):
        values = getattr(make_performance(N, FPS, np.random.default_rng(seed)), name)
        near.append(np.abs(values[1:] - values[:-1]).mean())
        far.append(np.abs(values[N // 2 :] - values[: -(N // 2)]).mean())
    assert np.mean(far) > 4 * np.mean(near)


@pytest.mark.parametrize("name", [*POSE, *LIGHT])
def test_all_of_the_drift_kept_is_the_performance_itself(name):
    play, _, animated = _performances(kept=1.0)
    np.testing.assert_allclose(getattr(animated, name), getattr(play, name))


@pytest.mark.parametrize("name", LIGHT)
def test_no_drift_kept_is_one_light(name):
    play, _, animated = _performances(kept=0.0)
    np.testing.assert_array_equal(getattr(animated, name), getattr(play, name)[still_at(play)])


@pytest.mark.parametrize("name", POSE)
def test_no_drift_kept_moves_the_head_less(name):
    spread = [
        [np.std(getattr(one, name), axis=0).mean() for one in _performances(0.0, seed)[::2]] for seed in range(10)
    ]
    real, animated = np.mean(spread, axis=0)
    assert animated < real / 2


@pytest.mark.parametrize("kept", [0.0, 1.0])
@pytest.mark.parametrize("name", SPEECH)
def test_the_expression_is_the_others(kept, name):
    _, idling, animated = _performances(kept)
    np.testing.assert_array_equal(getattr(animated, name), getattr(idling, name))


def test_light_is_brighter_on_its_side_and_scaled_by_the_exposure():
    play = make_performance(N, FPS, np.random.default_rng(0))
    grey = lit(np.full((352, 352, 3), 0.5, np.float32), play, 7)
    centre = grey[175:177, 175:177].mean()
    assert centre == pytest.approx(0.5 * play.exposure[7], rel=0.01)
    x, y = np.cos(play.light_angle[7]), np.sin(play.light_angle[7])
    towards = grey[int(176 + 150 * y), int(176 + 150 * x)].mean()
    away = grey[int(176 - 150 * y), int(176 - 150 * x)].mean()
    assert towards > centre > away

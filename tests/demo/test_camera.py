"""The demo's camera: its noise is as strong as it says, and never twice the same."""

import numpy as np
import pytest

from stages.lib.demo.camera import Camera, film

GREY = np.full((64, 64, 3), 0.5, np.float32)


def _film(seed: int, n: int = 6, noise: float = 0.02) -> np.ndarray:
    return np.array(list(film([GREY] * n, Camera(0.5, noise), np.random.default_rng(seed)))).astype(float)


def test_noise_has_the_cameras_deviation():
    assert _film(0).std() == pytest.approx(255 * 0.02 * np.sqrt(0.3 + 0.5), rel=0.05)


def test_frames_share_no_noise():
    frames = _film(0, 12).reshape(12, -1)
    others = np.corrcoef(frames)[~np.eye(12, dtype=bool)]
    assert np.abs(others).max() < 0.05


def test_the_same_draws_give_the_same_film():
    np.testing.assert_array_equal(_film(1), _film(1))
    assert (_film(1) != _film(2)).any()

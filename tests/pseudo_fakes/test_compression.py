"""What x264 leaves of frames."""

import cv2
import numpy as np
import pytest

from stages.lib.pseudo_fakes.compression import through_x264


def _frames(n: int = 4, height: int = 64, width: int = 96) -> np.ndarray:
    """A texture that moves by a pixel from frame to frame."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    picture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.stack([np.roll(picture, at, axis=1) for at in range(n)])


def _loss(rate_factor: int) -> float:
    return float(np.abs(through_x264(_frames(), rate_factor).astype(int) - _frames()).mean())


def test_equal_frames_give_equal_results():
    np.testing.assert_array_equal(through_x264(_frames(), 28), through_x264(_frames(), 28))


@pytest.mark.parametrize("n", [1, 2, 40])
def test_frames_keep_their_number_and_shape(n):
    assert through_x264(_frames(n), 28).shape == (n, 64, 96, 3)


def test_frames_stay_in_order():
    frames = _frames(12)
    decoded = through_x264(frames, 18).astype(int)
    nearest = [np.abs(frames.astype(int) - one).mean(axis=(1, 2, 3)).argmin() for one in decoded]
    assert nearest == list(range(12))


def test_a_higher_rate_factor_loses_more():
    assert _loss(15) < _loss(30) < _loss(45)


def test_red_stays_red():
    red = np.zeros((2, 32, 32, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(through_x264(red, 15).astype(int) - red).max() < 12


@pytest.mark.parametrize(("height", "width"), [(63, 96), (64, 95)])
def test_odd_sides_are_refused(height, width):
    with pytest.raises(ValueError, match=f"frames of {width} x {height} px: x264 needs even sides"):
        through_x264(np.zeros((2, height, width, 3), np.uint8), 23)

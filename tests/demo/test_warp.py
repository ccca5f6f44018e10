"""The smooth warp against SciPy's thin-plate spline."""

import numpy as np
from scipy.interpolate import RBFInterpolator

from stages.lib.demo.warp import SIZE, smooth_warp


def _ramp() -> np.ndarray:
    """A picture whose pixels say where they are: float32 (SIZE, SIZE, 2)."""
    axis = np.arange(SIZE, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def test_pixels_come_from_where_the_spline_says():
    rng = np.random.default_rng(0)
    corners = np.array([(x, y) for x in (0, SIZE) for y in (0, SIZE)], float)
    inside = np.stack(np.meshgrid(*[np.linspace(80, 270, 6)] * 2), axis=-1).reshape(-1, 2) + rng.uniform(-8, 8, (36, 2))
    wanted = np.vstack([inside, corners])
    given = np.vstack([inside + 0.05 * (inside - 176) + rng.normal(0, 1, (36, 2)), corners])
    warped = smooth_warp(_ramp(), wanted, given)
    at = rng.integers(20, SIZE - 20, (200, 2))
    spline = RBFInterpolator(wanted, given, kernel="thin_plate_spline", smoothing=0.5)
    np.testing.assert_allclose(warped[at[:, 1], at[:, 0]], spline(at.astype(float)), atol=0.2)


def test_a_still_of_another_size_is_read_at_its_scale():
    points = np.array([(0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE), (100, 150)], float)
    larger = np.repeat(np.repeat(_ramp(), 2, axis=0), 2, axis=1)
    warped = smooth_warp(larger, points, points, scale=2.0)
    np.testing.assert_allclose(warped[:-2, :-2], _ramp()[:-2, :-2], atol=0.6)

"""Vectors whose distribution is known."""

from collections.abc import Callable

import numpy as np
import pytest

Draw = Callable[..., np.ndarray]


def _three_gaussians(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.array([[-8.0, 0.0], [0.0, 9.0], [8.0, 0.0]])
    return (centres[rng.integers(3, size=n)] + rng.standard_normal((n, 2))).astype(np.float32)


@pytest.fixture(scope="session")
def mixture() -> Draw:
    """Draws n vectors, float32 (n, 2), with a seed, from three Gaussians of unit covariance that lie far apart."""
    return _three_gaussians

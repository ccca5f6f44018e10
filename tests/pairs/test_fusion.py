"""Fusion against the paper's equations by hand."""

import numpy as np
import pytest

from stages.lib.pairs.fusion import FUSIONS, Features, fuse


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
    np.testing.assert_array_equal(FUSIONS[name].fuse(A, B), [expected])


def test_appearance_is_what_changes_and_the_logit_the_pair_shares():
    np.testing.assert_array_equal(FUSIONS["appearance"].fuse(A, B), [[-2.0] * 54 + [-4.0, -1.0]])


def test_taking_rows_takes_them_of_every_part():
    rng = np.random.default_rng(0)
    features = Features(rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(5, 54)))
    taken = features.take(np.array([4, 0]))
    for part in ("embedding", "logit", "appearance"):
        np.testing.assert_array_equal(getattr(taken, part), getattr(features, part)[[4, 0]])


def test_pairs_are_rows_of_the_features():
    rng = np.random.default_rng(0)
    features = Features(rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(5, 54)))
    made = fuse(features, np.array([[4, 0], [1, 1]]), "sub")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, [features.embedding[4] - features.embedding[0], np.zeros(3)], rtol=1e-6)


@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_has_a_description(name):
    assert len(FUSIONS[name].description) > 10

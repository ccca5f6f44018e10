"""What is learnt with networks: the flow's density, and the fusion."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression

from stages.lib.anomaly.evidence import make_reference, pair_density
from stages.lib.anomaly.files import AnomalyModels, load_anomaly_models, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.anomaly.networks import FusionNetwork, fit_network
from stages.lib.errors import InputError
from tests.helpers.params import anomaly_model_settings

FLOW = anomaly_model_settings(kind="flow", normalization="none")
D = 6


@pytest.fixture(scope="module")
def ring() -> np.ndarray:
    """Vectors on a ring, float32 (1200, 2), which no few Gaussians are."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 1200), rng.normal(2, 0.2, 1200)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).astype(np.float32)


def test_a_flows_score_is_the_log_likelihood():
    normal = multivariate_normal([1, -1], [[1, 0.6], [0.6, 0.5]])
    model = fit_anomaly_model(normal.rvs(2000, random_state=0).astype(np.float32), FLOW, seed=0)
    points = normal.rvs(500, random_state=1)
    off = model.score_samples(points) - normal.logpdf(points)
    assert abs(off.mean()) < 0.1 and np.abs(off).mean() < 0.25


def test_vectors_of_another_scale_have_the_same_density_but_for_the_scale():
    """Splines end at 5: what lies beyond wouldn't be learnt."""
    x = np.random.default_rng(0).gamma(2, size=(400, 3))
    one, other = (fit_anomaly_model(x * k, FLOW, seed=0).score_samples(x[:50] * k) for k in (1, 20))
    np.testing.assert_allclose(other, one - 3 * np.log(20), atol=1e-3)


def test_a_flow_fits_what_a_mixture_does_not(ring):
    densities = {
        kind: pair_density(fit_anomaly_model(ring[:800], anomaly_model_settings(kind=kind, components=3), 0), ring)
        for kind in ("gmm", "flow")
    }
    assert densities["flow"][800:].mean() < densities["gmm"][800:].mean() - 0.2
    hole = np.zeros((1, 2), np.float32)
    flow = fit_anomaly_model(ring, FLOW, seed=0)
    assert pair_density(flow, hole)[0] > np.quantile(pair_density(flow, ring), 0.99)


def pairs_of(n: int, seed: int, break_at: float = 0.0) -> np.ndarray:
    """Pairs of real frames, float32 (n, 2 D): each is of one person, and differs by nature along all but two
    directions.

    ``break_at``: how far B lies off along one of the others besides, as an unnatural change does.
    """
    rng = np.random.default_rng(seed)
    person, change = rng.normal(size=(n, D)), rng.normal(size=(n, D)) * ([1] * (D - 2) + [0.1] * 2)
    b = person + change + break_at * np.eye(D)[0]
    return np.concatenate([person, b], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def learned():
    return learn()


def learn():
    settings = anomaly_model_settings(bottleneck=4, components=3, regularization=0.01, covariance="full")
    return fit_anomaly_model(pairs_of(3000, 0), settings, seed=0, learn_fusion=True)


def on_points(model) -> float:
    """Which part of the variance of new pairs' vectors lies between the centres of three clusters."""
    fused = model[0].transform(pairs_of(1000, 2))
    return 1 - KMeans(3, random_state=0, n_init=3).fit(fused).inertia_ / np.square(fused - fused.mean(axis=0)).sum()


def test_a_learned_fusion_tells_an_unnatural_change(learned):
    natural, unnatural = (pair_density(learned, pairs_of(400, 1, off)) for off in (0.0, 6.0))
    wins = (unnatural[:, None] > natural).mean()
    assert wins > 0.9


def test_without_reconstruction_a_learned_fusion_falls_on_points_and_with_it_it_does_not(learned, monkeypatch):
    monkeypatch.setattr(FusionNetwork, "ERROR", 0.0)
    assert on_points(learned) < 0.5 < 0.7 < on_points(learn())


def test_the_natural_change_can_be_read_from_a_learned_fusion(learned):
    pairs = pairs_of(1000, 2)
    fused, change = learned[0].transform(pairs), pairs[:, D] - pairs[:, 0]
    noisy = fused + 0.3 * np.random.default_rng(0).normal(size=fused.shape)
    assert LinearRegression().fit(noisy[:500], change[:500]).score(noisy[500:], change[500:]) > 0.6


@pytest.mark.parametrize("learn_fusion", [False, True])
def test_equal_pairs_give_equal_bytes_and_what_is_loaded_scores_alike(tmp_path, learn_fusion):
    settings = anomaly_model_settings(kind="gmm" if learn_fusion else "flow", bottleneck=2, components=1)
    pairs = pairs_of(60, 0)
    for name in ("a", "b"):
        model = fit_anomaly_model(pairs, settings, 0, learn_fusion)
        save_anomaly_models(tmp_path / name, AnomalyModels(model, model, make_reference({})))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded = load_anomaly_models(tmp_path / "a").pairs
    np.testing.assert_array_equal(pair_density(loaded, pairs), pair_density(model, pairs))


def test_training_that_diverges_is_an_error():
    with pytest.raises(InputError, match="diverged: their loss is no finite number"):
        fit_network(lambda: torch.nn.Linear(2, 1), lambda network, x: network(x).mean() * np.nan, np.ones((9, 2)), 3, 0)


def test_a_fusion_is_not_learnt_from_a_handful_of_pairs():
    with pytest.raises(InputError, match="9 pairs of training reals are too few to learn a fusion from"):
        fit_anomaly_model(pairs_of(9, 0), anomaly_model_settings(components=1), 0, learn_fusion=True)

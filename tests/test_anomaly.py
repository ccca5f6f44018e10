"""The anomaly model against a known mixture and scipy's density."""

import numpy as np
import pytest
import skops.io
from scipy.stats import multivariate_normal
from sklearn.linear_model import LogisticRegression

from stages.lib.anomaly import anomaly_scores, fit_anomaly_model, load_anomaly_models, save_anomaly_models
from stages.lib.config import AnomalyModel
from stages.lib.errors import InputError

SETTINGS = AnomalyModel(components=3, covariance="full", regularization=1e-6)


def _scores(model, vectors: np.ndarray) -> np.ndarray:
    return anomaly_scores(model, vectors, np.repeat("a video", len(vectors)))


def _mixture(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.array([[-8.0, 0.0], [0.0, 9.0], [8.0, 0.0]])
    return (centres[rng.integers(3, size=n)] + rng.standard_normal((n, 2))).astype(np.float32)


def test_scores_are_the_negated_log_likelihood_of_the_true_mixture():
    model = fit_anomaly_model(_mixture(20000), SETTINGS, seed=0)
    points = _mixture(200, seed=1)
    density = sum(multivariate_normal(mean, np.eye(2)).pdf(points) for mean in ([-8, 0], [0, 9], [8, 0])) / 3
    # The model works in standardised units: the densities differ by the constant log of the scales' product.
    scores = _scores(model, points) - np.log(model[0].scale_).sum() * -1
    np.testing.assert_allclose(scores, -np.log(density), atol=0.15)


def test_an_outlier_scores_higher():
    model = fit_anomaly_model(_mixture(2000), SETTINGS, seed=0)
    near, far = _scores(model, np.array([[0.0, 9.0], [0.0, -30.0]], np.float32))
    assert far > near + 100


def test_same_seed_same_bytes_and_loading_gives_the_same_scores(tmp_path):
    models = [fit_anomaly_model(_mixture(500), SETTINGS, seed=3) for _ in range(2)]
    for name, model in zip("ab", models, strict=True):
        save_anomaly_models(tmp_path / name, {"m": model, "other": fit_anomaly_model(_mixture(400), SETTINGS, seed=1)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded = load_anomaly_models(tmp_path / "a")["m"]
    np.testing.assert_array_equal(_scores(loaded, _mixture(50, 2)), _scores(models[0], _mixture(50, 2)))


def test_a_videos_scores_do_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    model = fit_anomaly_model(rng.standard_normal((300, 64), np.float32), SETTINGS, seed=0)
    vectors, ids = rng.standard_normal((90, 64), np.float32), np.repeat(["a", "b", "c"], 30)
    together = anomaly_scores(model, vectors, ids)
    for i, video in enumerate("abc"):
        alone = anomaly_scores(model, vectors[ids == video], ids[ids == video])
        np.testing.assert_array_equal(together[30 * i : 30 * i + 30], alone)


def test_too_few_vectors_name_the_remedy():
    with pytest.raises(
        InputError, match="3 components but only 2 vectors of training reals to fit; add training videos"
    ):
        fit_anomaly_model(_mixture(2), SETTINGS, seed=0)


def test_a_damaged_file_is_a_clear_error(tmp_path):
    path = tmp_path / "model.skops"
    with pytest.raises(InputError, match="no such file; run `dvc repro fit_anomaly_model`"):
        load_anomaly_models(path)
    path.write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match="not a whole anomaly model"):
        load_anomaly_models(path)


class Foreign(LogisticRegression):
    pass


def test_foreign_types_are_refused(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump({"m": Foreign()}, path)
    with pytest.raises(InputError, match="types that an anomaly model has no need of .*Foreign"):
        load_anomaly_models(path)

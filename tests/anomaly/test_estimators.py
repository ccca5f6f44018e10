"""The estimators against scikit-learn's own, and against what an autoencoder must do."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.evidence import pair_density
from stages.lib.anomaly.fitting import fit_anomaly_model
from tests.helpers.params import anomaly_model_settings


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_outlier_scores_higher(mixture, kind):
    model = fit_anomaly_model(mixture(2000), anomaly_model_settings(kind=kind, bottleneck=2), seed=0)
    near, far = pair_density(model, np.array([[0.0, 9.0], [0.0, -30.0]], np.float32))
    assert far > near


@pytest.mark.parametrize("initialization", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance", ["full", "diag", "tied", "spherical"])
def test_mixture_settings_reach_scikit_learn(mixture, initialization, covariance):
    settings = anomaly_model_settings(
        initialization=initialization, covariance=covariance, regularization=0.01, components=2
    )
    model = fit_anomaly_model(mixture(300), settings, seed=5)
    x = StandardScaler().fit_transform(mixture(300).astype(float))
    reference = GaussianMixture(
        2, covariance_type=covariance, reg_covar=0.01, init_params=initialization, random_state=5, max_iter=200
    ).fit(x)
    np.testing.assert_allclose(pair_density(model, mixture(300)), -reference.score_samples(x), rtol=1e-6)


@pytest.fixture(scope="module")
def one_class_svm(mixture) -> OneClassSVM:
    return OneClassSVM(nu=0.2).fit(mixture(300).astype(float))


def test_one_class_svm_is_scikit_learns_decision_value(mixture, one_class_svm):
    x, points = mixture(300).astype(float), mixture(40, seed=1).astype(float)
    model = fit_anomaly_model(x, anomaly_model_settings(kind="ocsvm", nu=0.2, normalization="none"), seed=0)
    expected = -(one_class_svm.decision_function(points) + one_class_svm.offset_)
    np.testing.assert_allclose(pair_density(model, points), expected, rtol=1e-9)


def test_nu_is_the_share_of_vectors_that_the_one_class_svm_leaves_out(mixture, one_class_svm):
    assert np.mean(one_class_svm.predict(mixture(300).astype(float)) == -1) == pytest.approx(0.2, abs=0.03)


@pytest.fixture(scope="module")
def plane() -> np.ndarray:
    """Two directions that span a plane, float64 (2, 6)."""
    return np.random.default_rng(0).normal(size=(2, 6))


@pytest.fixture(scope="module")
def on_plane(plane) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (100, 2)) @ plane


@pytest.fixture(scope="module")
def autoencoder(plane):
    vectors = np.random.default_rng(2).uniform(-1, 1, (3000, 2)) @ plane
    return fit_anomaly_model(vectors, anomaly_model_settings(kind="autoencoder", bottleneck=2), seed=0)


def test_autoencoder_reproduces_the_plane_it_learnt_and_not_what_leaves_it(autoencoder, plane, on_plane):
    off_plane = on_plane + np.linalg.svd(plane)[2][-1] * 3  # along a direction that the plane has not
    assert pair_density(autoencoder, on_plane).max() < pair_density(autoencoder, off_plane).min()


def test_autoencoders_score_is_its_mean_squared_error_in_standardised_units(autoencoder, on_plane):
    before, estimator = autoencoder[:-1], autoencoder[-1]
    reproduced = before.inverse_transform(estimator.predict(before.transform(on_plane)))
    expected = np.square((reproduced - on_plane) / autoencoder[0].scale_).mean(axis=1)
    np.testing.assert_allclose(pair_density(autoencoder, on_plane), expected, rtol=1e-6)

"""The anomaly models against known mixtures, scipy's densities and scikit-learn's own estimators."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.files import FRAME_MODEL, PAIR_MODEL, load_anomaly_models, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model, fit_on_device, free_parameters
from stages.lib.anomaly.scoring import anomaly_scores
from stages.lib.errors import InputError
from tests.helpers.params import anomaly_model_settings

SETTINGS = anomaly_model_settings()
KINDS = tuple(ESTIMATORS)


def _mixture(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.array([[-8.0, 0.0], [0.0, 9.0], [8.0, 0.0]])
    return (centres[rng.integers(3, size=n)] + rng.standard_normal((n, 2))).astype(np.float32)


def test_scores_are_the_negated_log_likelihood_of_the_true_mixture():
    model = fit_anomaly_model(_mixture(20000), SETTINGS, seed=0)
    points = _mixture(200, seed=1)
    density = sum(multivariate_normal(mean, np.eye(2)).pdf(points) for mean in ([-8, 0], [0, 9], [8, 0])) / 3
    # The model works in standardised units: the densities differ by the constant log of the scales' product.
    scores = anomaly_scores(model, points) - np.log(model[0].scale_).sum() * -1
    np.testing.assert_allclose(scores, -np.log(density), atol=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_an_outlier_scores_higher(kind):
    model = fit_anomaly_model(_mixture(2000), anomaly_model_settings(kind=kind, bottleneck=2), seed=0)
    near, far = anomaly_scores(model, np.array([[0.0, 9.0], [0.0, -30.0]], np.float32))
    assert far > near


def test_one_class_svm_is_scikit_learns_decision_value():
    x, points = _mixture(300).astype(float), _mixture(40, seed=1).astype(float)
    model = fit_anomaly_model(x, anomaly_model_settings(kind="ocsvm", nu=0.2, normalization="none"), seed=0)
    reference = OneClassSVM(nu=0.2).fit(x)
    np.testing.assert_allclose(
        anomaly_scores(model, points), -(reference.decision_function(points) + reference.offset_), rtol=1e-9
    )
    assert np.mean(reference.predict(x) == -1) == pytest.approx(0.2, abs=0.03)


def test_autoencoder_reproduces_the_plane_it_learnt_and_not_what_leaves_it():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(2, 6))
    model = fit_anomaly_model(
        rng.uniform(-1, 1, (3000, 2)) @ plane, anomaly_model_settings(kind="autoencoder", bottleneck=2), seed=0
    )
    on = rng.uniform(-1, 1, (100, 2)) @ plane
    off = on + np.linalg.svd(plane)[2][-1] * 3  # along a direction that the plane has not
    scores = anomaly_scores(model, on), anomaly_scores(model, off)
    assert scores[0].max() < scores[1].min()
    reproduced = model[:-1].inverse_transform(model[-1].predict(model[:-1].transform(on)))
    expected = np.square((reproduced - on) / model[0].scale_).mean(axis=1)
    np.testing.assert_allclose(scores[0], expected, rtol=1e-6)


@pytest.mark.parametrize(("normalization", "differ"), [("l2", False), ("none", True), ("standardize", True)])
def test_only_l2_throws_the_magnitude_away(normalization, differ):
    x = np.random.default_rng(0).normal(1, 0.3, (400, 5)).astype(np.float32)
    model = fit_anomaly_model(x, anomaly_model_settings(normalization=normalization, covariance="diag"), seed=0)
    near, far = anomaly_scores(model, x[:20]), anomaly_scores(model, x[:20] * 9)
    assert (np.abs(near - far).min() > 1) if differ else np.allclose(near, far, rtol=1e-4)


def test_standardising_makes_units_not_matter():
    x, units = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32), np.array([1, 1000, 0.001], np.float32)
    one, other = (fit_anomaly_model(v, anomaly_model_settings(components=1), seed=0) for v in (x, x * units))
    np.testing.assert_allclose(anomaly_scores(one, x), anomaly_scores(other, x * units), rtol=1e-3)


def test_pca_keeps_the_directions_of_most_variance():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(0, 10, 500), rng.normal(0, 0.1, 500), rng.normal(0, 5, 500)]).astype(np.float32)
    model = fit_anomaly_model(x, anomaly_model_settings(pca=2, normalization="none", components=1), seed=0)
    expected = -multivariate_normal(x[:, [0, 2]].mean(axis=0), np.cov(x[:, [0, 2]].T, bias=True)).logpdf(x[:, [0, 2]])
    np.testing.assert_allclose(anomaly_scores(model, x), expected, atol=0.01)


@pytest.mark.parametrize("initialization", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize(
    ("covariance", "parameters"),
    # two means of two numbers and one free weight, beside 2 x 3, 2 x 2, 3 and 2 numbers of covariance
    [("full", 11), ("diag", 9), ("tied", 8), ("spherical", 7)],
)
def test_mixture_settings_reach_scikit_learn(initialization, covariance, parameters):
    settings = anomaly_model_settings(
        initialization=initialization, covariance=covariance, regularization=0.01, components=2
    )
    model = fit_anomaly_model(_mixture(300), settings, seed=5)
    x = StandardScaler().fit_transform(_mixture(300).astype(float))
    reference = GaussianMixture(
        2, covariance_type=covariance, reg_covar=0.01, init_params=initialization, random_state=5, max_iter=200
    ).fit(x)
    np.testing.assert_allclose(anomaly_scores(model, _mixture(300)), -reference.score_samples(x), rtol=1e-6)
    assert free_parameters(settings, 2) == parameters


@pytest.mark.parametrize(("n", "chosen"), [(2000, "full"), (80, "diag")])
def test_auto_is_full_where_the_vectors_suffice_for_it(n, chosen):
    x = np.random.default_rng(0).normal(size=(n, 20)).astype(np.float32)
    made, reference = (
        fit_anomaly_model(x, anomaly_model_settings(covariance=c, regularization=0.01), 0) for c in ("auto", chosen)
    )
    np.testing.assert_array_equal(anomaly_scores(made, x), anomaly_scores(reference, x))


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_fitting_on_a_torch_device_gives_the_same_model_as_numpy(tmp_path, covariance):
    settings, x = anomaly_model_settings(initialization="random_from_data", covariance=covariance, pca=3), _clusters()
    model = make_pipeline(StandardScaler(), PCA(3, random_state=0), ESTIMATORS["gmm"].build(settings, 0))
    fit_on_device(model, x.astype(float), "cpu")  # the same code as on a GPU
    np.testing.assert_allclose(
        anomaly_scores(model, x), anomaly_scores(fit_anomaly_model(x, settings, seed=0), x), rtol=1e-8
    )
    save_anomaly_models(tmp_path / "m.skops", {PAIR_MODEL: model, FRAME_MODEL: model})
    np.testing.assert_array_equal(
        anomaly_scores(load_anomaly_models(tmp_path / "m.skops")[PAIR_MODEL], x), anomaly_scores(model, x)
    )


def _clusters() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(600, 6)) + rng.integers(3, size=(600, 1)) * 6).astype(np.float32)


FEW = np.random.default_rng(0).normal(size=(60, 40)).astype(np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # 3 covariances of 40 * 41 / 2, 3 means of 40, 2 free weights
        (
            {"regularization": 0.1},
            "60 vectors of 40 numbers are few for the 2582 free parameters .*set anomaly_model.covariance to diag",
        ),
        # 40 to 32 to 8 to 32 to 40, each with a bias
        (
            {"kind": "autoencoder", "bottleneck": 8},
            "few for the 3184 free parameters .*lower anomaly_model.bottleneck",
        ),
    ],
)
def test_few_vectors_for_the_free_parameters_is_a_warning_with_the_numbers(changes, message):
    with pytest.warns(UserWarning, match=message):
        fit_anomaly_model(FEW, anomaly_model_settings(**changes), seed=0)


def test_vectors_that_suffice_for_the_free_parameters_are_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_anomaly_model(FEW, anomaly_model_settings(covariance="spherical"), seed=0)


def test_a_fit_that_does_not_converge_is_a_warning(monkeypatch):
    monkeypatch.setattr("stages.lib.anomaly.estimators.MAX_ITERATIONS", 1)
    with pytest.warns(UserWarning, match="did not converge"):
        fit_anomaly_model(_mixture(2000), anomaly_model_settings(initialization="random"), seed=0)


def test_a_device_that_cannot_be_used_stops_the_fit(monkeypatch):
    monkeypatch.setenv("DIFFFAKE_DEVICE", "cuda:99")
    with pytest.raises(InputError, match="DIFFFAKE_DEVICE is 'cuda:99', which PyTorch cannot use here"):
        fit_anomaly_model(_mixture(100), SETTINGS, seed=0)


def test_too_few_vectors_name_the_remedy():
    with pytest.raises(
        InputError, match="3 components .* only 2 vectors of 2 numbers of training reals to fit; add training videos"
    ):
        fit_anomaly_model(_mixture(2), SETTINGS, seed=0)

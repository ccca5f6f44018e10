"""The fit against scipy's densities of known distributions, and what it warns of and refuses."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.evidence import make_reference, pair_density
from stages.lib.anomaly.files import AnomalyModels, load_anomaly_models, save_anomaly_models
from stages.lib.anomaly.fitting import evenly_drawn, fit_anomaly_model, fit_on_device, free_parameters
from stages.lib.anomaly.settings import AnomalyModelSettings
from stages.lib.errors import InputError
from tests.helpers.params import anomaly_model_settings

SETTINGS = anomaly_model_settings()


def test_scores_are_the_negated_log_likelihood_of_the_truemixture(mixture):
    model = fit_anomaly_model(mixture(20000), SETTINGS, seed=0)
    points = mixture(200, seed=1)
    density = sum(multivariate_normal(mean, np.eye(2)).pdf(points) for mean in ([-8, 0], [0, 9], [8, 0])) / 3
    # The model works in standardised units: the densities differ by the constant log of the scales' product.
    scores = pair_density(model, points) - np.log(model[0].scale_).sum() * -1
    np.testing.assert_allclose(scores, -np.log(density), atol=0.15)


def _scores_near_and_far(normalization: str) -> tuple[np.ndarray, np.ndarray]:
    """The scores of some vectors, and of the same ones nine times as long."""
    x = np.random.default_rng(0).normal(1, 0.3, (400, 5)).astype(np.float32)
    model = fit_anomaly_model(x, anomaly_model_settings(normalization=normalization, covariance="diag"), seed=0)
    return pair_density(model, x[:20]), pair_density(model, x[:20] * 9)


@pytest.mark.parametrize("normalization", ["none", "standardize"])
def test_the_magnitude_counts_unless_it_is_normalised_away(normalization):
    near, far = _scores_near_and_far(normalization)
    assert np.abs(near - far).min() > 1


def test_l2_throws_the_magnitude_away():
    near, far = _scores_near_and_far("l2")
    np.testing.assert_allclose(near, far, rtol=1e-4, atol=1e-8)


def test_standardising_makes_units_not_matter():
    x, units = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32), np.array([1, 1000, 0.001], np.float32)
    one, other = (fit_anomaly_model(v, anomaly_model_settings(components=1), seed=0) for v in (x, x * units))
    np.testing.assert_allclose(pair_density(one, x), pair_density(other, x * units), rtol=1e-3)


def test_pca_keeps_the_directions_of_most_variance():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(0, 10, 500), rng.normal(0, 0.1, 500), rng.normal(0, 5, 500)]).astype(np.float32)
    model = fit_anomaly_model(x, anomaly_model_settings(pca=2, normalization="none", components=1), seed=0)
    expected = -multivariate_normal(x[:, [0, 2]].mean(axis=0), np.cov(x[:, [0, 2]].T, bias=True)).logpdf(x[:, [0, 2]])
    np.testing.assert_allclose(pair_density(model, x), expected, atol=0.01)


@pytest.mark.parametrize(("n", "chosen"), [(2000, "full"), (80, "diag")])
def test_auto_is_full_where_the_vectors_suffice_for_it(n, chosen):
    x = np.random.default_rng(0).normal(size=(n, 20)).astype(np.float32)
    made, reference = (
        fit_anomaly_model(x, anomaly_model_settings(covariance=c, regularization=0.01), 0) for c in ("auto", chosen)
    )
    np.testing.assert_array_equal(pair_density(made, x), pair_density(reference, x))


def _clusters() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(600, 6)) + rng.integers(3, size=(600, 1)) * 6).astype(np.float32)


def _fitted_on_device(settings: AnomalyModelSettings) -> Pipeline:
    model = make_pipeline(StandardScaler(), PCA(3, random_state=0), ESTIMATORS["gmm"].build(settings, 0))
    fit_on_device(model, _clusters().astype(float), "cpu")  # the same code as on a GPU
    return model


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_fitting_on_a_torch_device_gives_the_same_model_as_numpy(covariance):
    settings = anomaly_model_settings(initialization="random_from_data", covariance=covariance, pca=3)
    model, x = _fitted_on_device(settings), _clusters()
    expected = pair_density(fit_anomaly_model(x, settings, seed=0), x)
    np.testing.assert_allclose(pair_density(model, x), expected, rtol=1e-8)


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_what_was_fitted_on_a_torch_device_is_saved_and_loaded_as_any_other(tmp_path, covariance):
    settings = anomaly_model_settings(initialization="random_from_data", covariance=covariance, pca=3)
    model, x = _fitted_on_device(settings), _clusters()
    save_anomaly_models(tmp_path / "m.skops", AnomalyModels(model, model, make_reference({})))
    loaded = load_anomaly_models(tmp_path / "m.skops").pairs
    np.testing.assert_array_equal(pair_density(loaded, x), pair_density(model, x))


@pytest.mark.parametrize(
    ("changes", "dimension", "parameters"),
    [
        # two means of two numbers and one free weight, beside 2 x 3, 2 x 2, 3 and 2 numbers of covariance
        ({"covariance": "full", "components": 2}, 2, 11),
        ({"covariance": "diag", "components": 2}, 2, 9),
        ({"covariance": "tied", "components": 2}, 2, 8),
        ({"covariance": "spherical", "components": 2}, 2, 7),
        # 40 to 32 to 8 to 32 to 40, each with a bias
        ({"kind": "autoencoder", "bottleneck": 8}, 40, 3184),
        ({"kind": "ocsvm"}, 40, 0),  # its parameters grow with the data
    ],
)
def test_free_parameters_by_hand(changes, dimension, parameters):
    assert free_parameters(anomaly_model_settings(**changes), dimension) == parameters


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


def test_a_fit_that_does_not_converge_is_a_warning(mixture, monkeypatch):
    monkeypatch.setattr("stages.lib.anomaly.estimators.MAX_ITERATIONS", 1)
    with pytest.warns(UserWarning, match="did not converge"):
        fit_anomaly_model(mixture(2000), anomaly_model_settings(initialization="random"), seed=0)


def test_a_device_that_cannot_be_used_stops_the_fit(mixture, monkeypatch):
    monkeypatch.setenv("DIFFFAKE_DEVICE", "cuda:99")
    with pytest.raises(InputError, match="DIFFFAKE_DEVICE is 'cuda:99', which PyTorch cannot use here"):
        fit_anomaly_model(mixture(100), SETTINGS, seed=0)


def test_too_few_vectors_name_the_remedy(mixture):
    with pytest.raises(
        InputError, match="3 components .* only 2 vectors of 2 numbers of training reals to fit; add training videos"
    ):
        fit_anomaly_model(mixture(2), SETTINGS, seed=0)


def _drawn_of_each(counts: list[int], most: int, seed: int = 0) -> list[int]:
    """How many vectors of each video are drawn."""
    drawn = evenly_drawn(np.array(counts), most, seed)
    return [int(own.sum()) for own in np.split(drawn, np.cumsum(counts)[:-1])]


@pytest.mark.parametrize(
    ("counts", "most", "expected"),
    [
        ([3, 5, 2], 10, [3, 5, 2]),  # all there are
        ([30, 30, 30], 12, [4, 4, 4]),
        ([2, 30, 0, 30], 12, [2, 5, 0, 5]),  # a video that has fewer gives all of them
    ],
)
def test_as_many_vectors_are_drawn_of_each_video(counts, most, expected):
    assert _drawn_of_each(counts, most) == expected


@pytest.mark.parametrize("most", [1, 2, 5, 31, 59])
def test_as_many_vectors_are_drawn_as_asked_for(most):
    found = _drawn_of_each([20, 20, 20], most)
    assert sum(found) == most
    assert max(found) - min(found) <= 1


def test_which_of_a_videos_vectors_are_drawn_depends_on_the_seed_alone():
    same, again, other = (evenly_drawn(np.array([50, 50]), 20, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()


def test_every_vector_of_a_video_may_be_drawn():
    times = sum(evenly_drawn(np.array([4, 4]), 4, seed).astype(int) for seed in range(60))
    assert times.min() > 15  # of 60, a half expected

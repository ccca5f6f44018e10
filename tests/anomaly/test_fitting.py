"""The anomaly models against known mixtures, scipy's densities and scikit-learn's own estimators."""

import numpy as np
import pytest
import skops.io
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from stages.lib.anomaly.estimators import ANOMALY_MODELS
from stages.lib.anomaly.files import DIFFERENTIAL, SINGLE_FRAME, load_anomaly_models, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model, fit_on_device, free_parameters
from stages.lib.anomaly.scoring import anomaly_scores
from stages.lib.anomaly.settings import AnomalyModelSettings
from stages.lib.errors import InputError

DEFAULTS = {
    "kind": "gmm",
    "normalization": "standardize",
    "pca": 0,
    "components": 3,
    "covariance": "full",
    "regularization": 1e-6,
    "initialization": "kmeans",
    "nu": 0.1,
    "bottleneck": 1,
}


def _settings(**changes) -> AnomalyModelSettings:
    return AnomalyModelSettings(**DEFAULTS | changes)


SETTINGS = _settings()
KINDS = tuple(ANOMALY_MODELS)


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


@pytest.mark.parametrize("kind", KINDS)
def test_an_outlier_scores_higher(kind):
    model = fit_anomaly_model(_mixture(2000), _settings(kind=kind, bottleneck=2), seed=0)
    near, far = _scores(model, np.array([[0.0, 9.0], [0.0, -30.0]], np.float32))
    assert far > near


def test_one_class_svm_is_scikit_learns_decision_value():
    x, points = _mixture(300).astype(float), _mixture(40, seed=1).astype(float)
    model = fit_anomaly_model(x, _settings(kind="ocsvm", nu=0.2, normalization="none"), seed=0)
    reference = OneClassSVM(nu=0.2).fit(x)
    np.testing.assert_allclose(
        _scores(model, points), -(reference.decision_function(points) + reference.offset_), rtol=1e-9
    )
    assert np.mean(reference.predict(x) == -1) == pytest.approx(0.2, abs=0.03)


def test_autoencoder_reproduces_the_plane_it_learnt_and_not_what_leaves_it():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(2, 6))
    model = fit_anomaly_model(
        rng.uniform(-1, 1, (3000, 2)) @ plane, _settings(kind="autoencoder", bottleneck=2), seed=0
    )
    on = rng.uniform(-1, 1, (100, 2)) @ plane
    off = on + np.linalg.svd(plane)[2][-1] * 3  # along a direction that the plane has not
    scores = _scores(model, on), _scores(model, off)
    assert scores[0].max() < scores[1].min()
    reproduced = model[:-1].inverse_transform(model[-1].predict(model[:-1].transform(on)))
    expected = np.square((reproduced - on) / model[0].scale_).mean(axis=1)
    np.testing.assert_allclose(scores[0], expected, rtol=1e-6)


@pytest.mark.parametrize(("normalization", "differ"), [("l2", False), ("none", True), ("standardize", True)])
def test_only_l2_throws_the_magnitude_away(normalization, differ):
    x = np.random.default_rng(0).normal(1, 0.3, (400, 5)).astype(np.float32)
    model = fit_anomaly_model(x, _settings(normalization=normalization, covariance="diag"), seed=0)
    near, far = _scores(model, x[:20]), _scores(model, x[:20] * 9)
    assert (np.abs(near - far).min() > 1) if differ else np.allclose(near, far, rtol=1e-4)


def test_standardising_makes_units_not_matter():
    x, units = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32), np.array([1, 1000, 0.001], np.float32)
    one, other = (fit_anomaly_model(v, _settings(components=1), seed=0) for v in (x, x * units))
    np.testing.assert_allclose(_scores(one, x), _scores(other, x * units), rtol=1e-3)


def test_pca_keeps_the_directions_of_most_variance():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(0, 10, 500), rng.normal(0, 0.1, 500), rng.normal(0, 5, 500)]).astype(np.float32)
    model = fit_anomaly_model(x, _settings(pca=2, normalization="none", components=1), seed=0)
    expected = -multivariate_normal(x[:, [0, 2]].mean(axis=0), np.cov(x[:, [0, 2]].T, bias=True)).logpdf(x[:, [0, 2]])
    np.testing.assert_allclose(_scores(model, x), expected, atol=0.01)


@pytest.mark.parametrize("initialization", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance", ["full", "diag", "tied", "spherical"])
def test_mixture_settings_reach_scikit_learn(initialization, covariance):
    settings = _settings(initialization=initialization, covariance=covariance, regularization=0.01, components=2)
    model = fit_anomaly_model(_mixture(300), settings, seed=5)
    x = StandardScaler().fit_transform(_mixture(300).astype(float))
    reference = GaussianMixture(
        2, covariance_type=covariance, reg_covar=0.01, init_params=initialization, random_state=5, max_iter=200
    ).fit(x)
    np.testing.assert_allclose(_scores(model, _mixture(300)), -reference.score_samples(x), rtol=1e-6)
    assert free_parameters(settings, 2) == reference._n_parameters()


@pytest.mark.parametrize(("n", "chosen"), [(2000, "full"), (80, "diag")])
def test_auto_is_full_where_the_vectors_suffice_for_it(n, chosen):
    x = np.random.default_rng(0).normal(size=(n, 20)).astype(np.float32)
    made, reference = (fit_anomaly_model(x, _settings(covariance=c, regularization=0.01), 0) for c in ("auto", chosen))
    np.testing.assert_array_equal(_scores(made, x), _scores(reference, x))


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_fitting_on_a_torch_device_gives_the_same_model_as_numpy(tmp_path, covariance):
    settings, x = _settings(initialization="random_from_data", covariance=covariance, pca=3), _clusters()
    model = make_pipeline(StandardScaler(), PCA(3, random_state=0), ANOMALY_MODELS["gmm"](settings, 0))
    fit_on_device(model, x.astype(float), "cpu")  # the same code as on a GPU
    np.testing.assert_allclose(_scores(model, x), _scores(fit_anomaly_model(x, settings, seed=0), x), rtol=1e-8)
    save_anomaly_models(tmp_path / "m.skops", {DIFFERENTIAL: model, SINGLE_FRAME: model})
    np.testing.assert_array_equal(
        _scores(load_anomaly_models(tmp_path / "m.skops")[DIFFERENTIAL], x), _scores(model, x)
    )


def _clusters() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(600, 6)) + rng.integers(3, size=(600, 1)) * 6).astype(np.float32)


def test_few_vectors_for_the_free_parameters_is_a_warning_with_the_numbers(capsys):
    x = np.random.default_rng(0).normal(size=(60, 40)).astype(np.float32)
    fit_anomaly_model(x, _settings(regularization=0.1), seed=0)
    # 3 covariances of 40 * 41 / 2, 3 means of 40, 2 free weights
    assert "60 vectors of 40 numbers are few for the 2582 free parameters" in (said := capsys.readouterr().out)
    assert "set anomaly_model.covariance to diag" in said
    fit_anomaly_model(x, _settings(covariance="spherical"), seed=0)
    assert "few for" not in capsys.readouterr().out
    fit_anomaly_model(x, _settings(kind="autoencoder", bottleneck=8), seed=0)
    # 40 to 32 to 8 to 32 to 40, each with a bias
    assert (
        "few for the 3184 free parameters" in (said := capsys.readouterr().out)
        and "lower anomaly_model.bottleneck" in said
    )


def test_a_fit_that_does_not_converge_says_so(capsys, monkeypatch):
    monkeypatch.setattr("stages.lib.anomaly_models.MAX_ITERATIONS", 1)
    fit_anomaly_model(_mixture(2000), _settings(initialization="random"), seed=0)
    assert "did not converge" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_and_loading_gives_the_same_scores(tmp_path, kind):
    settings = _settings(kind=kind)
    models = [fit_anomaly_model(_mixture(500), settings, seed=3) for _ in range(2)]
    for name, model in zip("ab", models, strict=True):
        other = fit_anomaly_model(_mixture(400), SETTINGS, seed=1)
        save_anomaly_models(tmp_path / name, {DIFFERENTIAL: model, SINGLE_FRAME: other})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded = load_anomaly_models(tmp_path / "a")[DIFFERENTIAL]
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
        InputError, match="3 components .* only 2 vectors of 2 numbers of training reals to fit; add training videos"
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

"""Fitting the anomaly model to the (fused) embeddings of real faces (section 3.2)."""

import bisect
import itertools
import warnings
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from stages.lib.anomaly.estimators import ESTIMATORS, MAX_ITERATIONS
from stages.lib.anomaly.learned_fusion import LearnedFusion
from stages.lib.anomaly.settings import AnomalyModelSettings
from stages.lib.errors import InputError
from stages.lib.runtime import pick_device

FEWEST_TO_LEARN_FROM = 10  # pairs, of which one is held out
VALUES_PER_PARAMETER = 5  # fewer observed numbers than this for each free parameter is worth a warning


def _pipeline(settings: AnomalyModelSettings, seed: int, learn_fusion: bool) -> Pipeline:
    """What happens to a vector before the estimator, then the estimator."""
    fusion = LearnedFusion(settings.bottleneck, settings.components, MAX_ITERATIONS, seed)
    before: dict[str, list[Any]] = {"none": [], "l2": [Normalizer("l2")], "standardize": [StandardScaler()]}
    reduce = [PCA(settings.pca, random_state=seed)] if settings.pca else []
    estimator = ESTIMATORS[settings.kind].build(settings, seed)
    return make_pipeline(*[fusion][: int(learn_fusion)], *before[settings.normalization], *reduce, estimator)


def choose_covariance(settings: AnomalyModelSettings, n: int, dimension: int) -> AnomalyModelSettings:
    """``auto`` settled for n vectors of ``dimension``: ``full`` where they suffice for its free parameters, else
    ``diag``.
    """
    if settings.covariance != "auto":
        return settings
    full = settings.model_copy(update={"covariance": "full"})
    enough = n * dimension >= VALUES_PER_PARAMETER * free_parameters(full, dimension)
    return full if enough else settings.model_copy(update={"covariance": "diag"})


def free_parameters(settings: AnomalyModelSettings, dimension: int) -> int:
    """How many numbers the fit must find for vectors of ``dimension`` (after PCA); 0 for ``ocsvm``, whose grow with the
    data, and for ``flow``, which is stopped by vectors that it isn't fitted to.
    """
    d, k = dimension, settings.components
    if settings.kind == "gmm":
        covariance = {"diag": k * d, "full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "spherical": k}
        return covariance[settings.covariance] + k * d + k - 1
    if settings.kind == "autoencoder":
        widths = [d, 4 * settings.bottleneck, settings.bottleneck, 4 * settings.bottleneck, d]
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))
    return 0


def fit_on_device(model: Pipeline, vectors: np.ndarray, device: str) -> None:
    """Fit a Gaussian mixture with its pipeline on a PyTorch ``device`` (scikit-learn's array API), in place.

    The fitted arrays come back to NumPy, so the model scores, saves and loads as one fitted on the CPU. scikit-learn
    supports the initialisations ``random`` and ``random_from_data`` there.
    """
    import torch

    with config_context(array_api_dispatch=True):
        model.fit(torch.from_numpy(vectors).to(device))

    def to_numpy(value: object) -> object:
        if isinstance(value, list):
            return [to_numpy(item) for item in value]
        return value.cpu().numpy() if isinstance(value, torch.Tensor) else value

    for step in model.named_steps.values():
        vars(step).update({name: to_numpy(value) for name, value in vars(step).items()})


def evenly_drawn(counts: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which vectors of many videos a model is fitted to: ``most`` of them, or all where there are no more.

    ``counts``: int64 (n,), how many each video has; they follow each other. Of each video as many are drawn, give or
    take one, or all where it has fewer. Returns bool (``counts.sum()``,).
    """
    if counts.sum() <= most:
        return np.ones(counts.sum(), bool)
    rng = np.random.default_rng(seed)
    each = bisect.bisect_right(range(most + 1), most, key=lambda n: np.minimum(counts, n).sum()) - 1
    shares = np.minimum(counts, each)
    shares[rng.choice(np.flatnonzero(counts > each), most - shares.sum(), replace=False)] += 1
    drawn = [rng.permutation(count) < share for count, share in zip(counts.tolist(), shares.tolist(), strict=True)]
    return np.concatenate(drawn)


def _device_to_fit_on(settings: AnomalyModelSettings, learn_fusion: bool) -> str:
    """The device that a mixture is fitted on; everything else, and what has no GPU version, is fitted on the CPU."""
    device = pick_device()
    if settings.kind != "gmm" or learn_fusion or not device.startswith("cuda"):
        return "cpu"
    if not settings.initialization.startswith("random"):
        warnings.warn(
            f"anomaly_model.initialization '{settings.initialization}' has no GPU version: the mixture is fitted on "
            "the CPU",
            stacklevel=3,
        )
        return "cpu"
    return device


def _warn_of_few_vectors(settings: AnomalyModelSettings, n: int, dimension: int) -> None:
    parameters = free_parameters(settings, dimension)
    if parameters * VALUES_PER_PARAMETER > n * dimension:
        remedy = "set anomaly_model.covariance to diag" if settings.kind == "gmm" else "lower anomaly_model.bottleneck"
        warnings.warn(
            f"{n} vectors of {dimension} numbers are few for the {parameters} free parameters of the anomaly model; "
            f"{remedy}, set or lower anomaly_model.pca, raise pairs.train_per_video or add training videos",
            stacklevel=3,
        )


def fit_anomaly_model(
    vectors: np.ndarray, settings: AnomalyModelSettings, seed: int, learn_fusion: bool = False
) -> Pipeline:
    """Fit the anomaly model of ``settings`` to vectors, float32 (n, d), of real faces only.

    ``learn_fusion``: the vectors are the two embeddings of pairs, and the model begins by learning what to make of them
    (:class:`LearnedFusion`). Raises :class:`InputError` for fewer vectors than components or principal components, for
    too few to learn a fusion from, and for a ``DIFFFAKE_DEVICE`` that can't be used. Warns where there are few vectors
    for the number of free parameters, and where scikit-learn says that the fit did not converge.
    """
    n, dimension = len(vectors), settings.bottleneck if learn_fusion else vectors.shape[1]
    if learn_fusion and n < FEWEST_TO_LEARN_FROM:
        raise InputError(
            f"{n} pairs of training reals are too few to learn a fusion from ({FEWEST_TO_LEARN_FROM} at least); add "
            "training videos, raise pairs.train_per_video, or set another fusion"
        )
    needed = max(settings.components if settings.kind == "gmm" else 2, settings.pca, 2)
    if n < needed or settings.pca > dimension:
        raise InputError(
            f"the anomaly model has {settings.components} components and anomaly_model.pca is {settings.pca}, but "
            "there are "
            f"only {n} vectors of {dimension} numbers of training reals to fit; add training videos or lower them"
        )
    reduced = settings.pca or dimension
    settings = choose_covariance(settings, n, reduced)
    _warn_of_few_vectors(settings, n, reduced)
    model, device = _pipeline(settings, seed, learn_fusion), _device_to_fit_on(settings, learn_fusion)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        if device == "cpu":
            model.fit(vectors.astype(np.float64))
        else:
            fit_on_device(model, vectors.astype(np.float64), device)
    if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        warnings.warn(
            f"the anomaly model did not converge in {MAX_ITERATIONS} iterations; "
            "raise anomaly_model.regularization or add training videos",
            stacklevel=2,
        )
    return model

"""What an anomaly model can be: estimators by the name that ``anomaly_model.kind`` gives them.

An estimator is built by a function of (settings, seed), in scikit-learn's manner, with ``fit`` and ``score_samples``.
scikit-learn is imported inside, so that checking params.yaml doesn't import it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

MAX_ITERATIONS = 200


class EstimatorSettings(Protocol):
    """What estimators read of ``anomaly_model`` (:class:`stages.lib.anomaly.settings.AnomalyModelSettings`)."""

    @property
    def components(self) -> int: ...
    @property
    def covariance(self) -> str: ...
    @property
    def regularization(self) -> float: ...
    @property
    def initialization(self) -> str: ...
    @property
    def nu(self) -> float: ...
    @property
    def bottleneck(self) -> int: ...
    @property
    def transforms(self) -> int: ...


def gaussian_mixture(settings: EstimatorSettings, seed: int) -> Any:
    """The paper's choice (equation 7); its score is the log-likelihood."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(
        settings.components,
        covariance_type=settings.covariance,
        reg_covar=settings.regularization,
        init_params=settings.initialization,
        random_state=seed,
        max_iter=MAX_ITERATIONS,
    )


def one_class_svm(settings: EstimatorSettings, seed: int) -> Any:
    """One-class SVM with an RBF kernel (table 9); its score is the unshifted decision value. Deterministic."""
    from sklearn.svm import OneClassSVM

    return OneClassSVM(nu=settings.nu)


def autoencoder(settings: EstimatorSettings, seed: int) -> Any:
    """An autoencoder (table 9, [47]); its score is the negated mean squared reconstruction error."""
    from stages.lib.anomaly.autoencoder import Autoencoder

    width = settings.bottleneck
    return Autoencoder(
        hidden_layer_sizes=(4 * width, width, 4 * width),
        early_stopping=True,
        max_iter=MAX_ITERATIONS,
        random_state=seed,
    )


def flow(settings: EstimatorSettings, seed: int) -> Any:
    """A normalising flow, for densities that no few Gaussians have; its score is the log-likelihood."""
    from stages.lib.anomaly.flow import NormalizingFlow

    return NormalizingFlow(settings.transforms, MAX_ITERATIONS, seed)


@dataclass(frozen=True)
class Estimator:
    """A registered estimator: how it is built, and what it is."""

    build: Callable[[EstimatorSettings, int], Any]
    description: str


ESTIMATORS: dict[str, Estimator] = {
    "gmm": Estimator(gaussian_mixture, "Gaussian mixture (equation 7)"),
    "ocsvm": Estimator(one_class_svm, "one-class SVM with an RBF kernel"),
    "autoencoder": Estimator(autoencoder, "autoencoder, scored by its reconstruction error"),
    "flow": Estimator(flow, "normalising flow (neural splines)"),
}

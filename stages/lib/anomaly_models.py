"""The anomaly models by name: estimators whose ``score_samples`` is higher for what is more normal.

Each function takes the settings and a seed and returns an unfitted estimator in scikit-learn's manner, with ``fit`` and
``score_samples``. scikit-learn is imported inside them, so that checking params.yaml does not import it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from stages.lib.config import AnomalyModel

MAX_ITERATIONS = 200


def gaussian_mixture(settings: AnomalyModel, seed: int) -> BaseEstimator:
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


def one_class_svm(settings: AnomalyModel, seed: int) -> BaseEstimator:
    """One-class SVM with an RBF kernel (table 9); its score is the unshifted decision value. Deterministic."""
    from sklearn.svm import OneClassSVM

    return OneClassSVM(nu=settings.nu)


def autoencoder(settings: AnomalyModel, seed: int) -> BaseEstimator:
    """An autoencoder (table 9, [47]); its score is the negated mean squared reconstruction error."""
    from stages.lib.autoencoder import Autoencoder

    width = settings.bottleneck
    return Autoencoder(
        hidden_layer_sizes=(4 * width, width, 4 * width),
        early_stopping=True,
        max_iter=MAX_ITERATIONS,
        random_state=seed,
    )


ANOMALY_MODELS: dict[str, Callable[[AnomalyModel, int], BaseEstimator]] = {
    "gmm": gaussian_mixture,
    "ocsvm": one_class_svm,
    "autoencoder": autoencoder,
}

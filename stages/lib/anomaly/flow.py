"""A normalising flow as a scikit-learn density. PyTorch is imported inside: a fitted mixture has no need of it."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.preprocessing import StandardScaler

_HIDDEN = (64, 64)  # units of the layers that find each transformation's splines
_BINS, _SLOPE = 8, 1e-3  # of a spline, and its least slope


class NormalizingFlow(DensityMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A neural spline flow (Durkan et al., NeurIPS 2019): an invertible network between the vectors and a normal
    distribution, which gives the vectors' density exactly.

    Splines lie between -5 and 5: the vectors are standardised first, whatever came before (``scaler_``). ``weights_``:
    the network's, as arrays, which are all that is saved of it.
    """

    def __init__(self, transforms: int = 3, max_iter: int = 200, random_state: int = 0) -> None:
        """``transforms``: how many follow each other; ``max_iter``: passes over the vectors, at most."""
        self.transforms, self.max_iter, self.random_state = transforms, max_iter, random_state

    def fit(self, X: np.ndarray, y: None = None) -> "NormalizingFlow":
        """Raise the likelihood of vectors (n, d), n at least 3, until that of the last tenth, which is held out, stops
        rising.
        """
        from stages.lib.anomaly.networks import fit_network

        self.n_features_in_ = X.shape[1]
        self.scaler_ = StandardScaler().fit(X)
        self.weights_ = fit_network(
            self._network,
            lambda flow, some: -flow().log_prob(some).mean(),
            self.scaler_.transform(X),
            self.max_iter,
            self.random_state,
        )
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """The log-likelihood (n,) of vectors (n, d)."""
        from stages.lib.anomaly.networks import apply_network

        scaled = self.scaler_.transform(X)
        of_scaled = apply_network(self._network, self.weights_, lambda flow, some: flow().log_prob(some), scaled)
        found: np.ndarray = of_scaled - np.log(self.scaler_.scale_).sum()
        return found

    def _network(self) -> Any:
        """The flow, with random weights."""
        from zuko.flows import NSF

        return NSF(self.n_features_in_, bins=_BINS, slope=_SLOPE, transforms=self.transforms, hidden_features=_HIDDEN)

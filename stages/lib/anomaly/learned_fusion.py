"""The fusion that is learnt from real pairs, which the paper names as future work (section 5)."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler

_HIDDEN = 128


class LearnedFusion(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron from both embeddings of a pair to a vector that is likely under a Gaussian mixture.

    The mixture (diagonal) is learnt with it; the anomaly model is then fitted to the vectors as to those of any fusion.
    Likelihood alone would be highest where all pairs fall on a few points. So each number of the vector has variance 1
    over the pairs (batch normalisation without scale), and the difference of the two embeddings has to be reconstructed
    from the vector with noise: what is told by less than the noise is lost, and losing it costs more than the
    likelihood can gain.

    ``weights_``: as arrays, which are all that is saved, with the ``scaler_`` of both embeddings.
    """

    def __init__(self, width: int = 32, components: int = 3, max_iter: int = 200, random_state: int = 0) -> None:
        """``width``: of the vector; ``components``: of the mixture."""
        self.width, self.components, self.max_iter, self.random_state = width, components, max_iter, random_state

    def fit(self, X: np.ndarray, y: None = None) -> "LearnedFusion":
        """Learn from real pairs (n, 2 d), the embeddings of A and of B, n at least 3; the last tenth is held out."""
        from stages.lib.anomaly.networks import fit_network

        self.n_features_in_ = X.shape[1]
        self.scaler_ = StandardScaler().fit(X.reshape(-1, X.shape[1] // 2))
        self.weights_ = fit_network(
            self._network, lambda network, pairs: network.loss(pairs), self._scaled(X), self.max_iter, self.random_state
        )
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The vectors (n, width) of pairs (n, 2 d)."""
        from stages.lib.anomaly.networks import apply_network

        return apply_network(self._network, self.weights_, lambda network, some: network.fused(some), self._scaled(X))

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        """Both embeddings standardised alike, float32."""
        scaled = self.scaler_.transform(X.reshape(-1, X.shape[1] // 2))
        result: np.ndarray = scaled.reshape(X.shape).astype(np.float32)
        return result

    def _network(self) -> Any:
        from stages.lib.anomaly.networks import FusionNetwork

        return FusionNetwork(self.n_features_in_ // 2, _HIDDEN, self.width, self.components)

"""The fusion that is learnt from real pairs, which the paper names as future work (section 5)."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

_HIDDEN = 128


class LearnedFusion(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron from both embeddings of a pair to a vector that is likely under a Gaussian mixture.

    The mixture (diagonal) is learnt with it; the anomaly model is then fitted to the vectors as to those of any fusion.
    Likelihood alone would be highest where all pairs fall on one point. Two things prevent that: each number of the
    vector has variance 1 over the pairs (batch normalisation without scale), and the difference of the two embeddings
    has to be reconstructed from it, with an error that counts as much as the likelihood.

    ``weights_``: as arrays, which are all that is saved, with the ``mean_`` and ``scale_`` of the embeddings.
    """

    def __init__(
        self,
        width: int = 32,
        components: int = 3,
        regularization: float = 0.1,
        max_iter: int = 200,
        random_state: int = 0,
    ) -> None:
        """``width``: of the vector; ``components``: of the mixture, whose variances are ``regularization`` at least."""
        self.width, self.components, self.regularization = width, components, regularization
        self.max_iter, self.random_state = max_iter, random_state

    def fit(self, X: np.ndarray, y: None = None) -> "LearnedFusion":
        """Learn from real pairs (n, 2 d), the embeddings of A and of B, n at least 2."""
        from stages.lib.anomaly.networks import fit_network

        self.n_features_in_ = X.shape[1]
        both = X.reshape(-1, self.n_features_in_ // 2)
        self.mean_, self.scale_ = both.mean(axis=0), np.maximum(both.std(axis=0), 1e-6)
        self.weights_ = fit_network(
            self._network, lambda network, pairs: network.loss(pairs), self._scaled(X), self.max_iter, self.random_state
        )
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The vectors (n, width) of pairs (n, 2 d)."""
        import torch

        from stages.lib.anomaly.networks import one_thread, with_weights

        network = with_weights(self._network(), self.weights_)
        with torch.inference_mode(), one_thread():
            found: np.ndarray = network.fused(torch.from_numpy(self._scaled(X))).double().numpy()
        return found

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        """Both embeddings in deviations from their mean."""
        scaled: np.ndarray = ((X - np.tile(self.mean_, 2)) / np.tile(self.scale_, 2)).astype(np.float32)
        return scaled

    def _network(self) -> Any:
        from stages.lib.anomaly.networks import FusionNetwork

        return FusionNetwork(self.n_features_in_ // 2, _HIDDEN, self.width, self.components, self.regularization)

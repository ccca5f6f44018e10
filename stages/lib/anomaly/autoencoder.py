"""An autoencoder as a scikit-learn anomaly model."""

import numpy as np
from sklearn.neural_network import MLPRegressor


class Autoencoder(MLPRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron that reproduces its input; what it reproduces badly is anomalous."""

    def fit(self, X: np.ndarray, y: None = None) -> "Autoencoder":
        """Learn to reproduce vectors (n, d)."""
        super().fit(X, X)
        del self._optimizer  # the state of training is no part of the model
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Negated mean squared reconstruction error (n,) of vectors (n, d): higher is more normal."""
        result: np.ndarray = -np.square(self.predict(X).reshape(X.shape) - X).mean(axis=1)
        return result

"""What an EM iteration costs at the paper's scale, 23,000 pairs of 1,792 dimensions, by covariance, PCA and device.

``python -m benchmarks.mixture [PAIRS DIMENSIONS]``. On a machine with a GPU the fit on it is timed as well.
"""

import sys
import time
import warnings

import numpy as np
from sklearn.pipeline import make_pipeline

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.fitting import fit_anomaly_model, fit_on_device
from stages.lib.anomaly.settings import AnomalyModelSettings
from stages.lib.runtime import pick_device
from stages.params import load_params


def _settings(**changes: object) -> AnomalyModelSettings:
    same = {"kind": "gmm", "normalization": "none", "initialization": "random_from_data", "components": 3}
    return load_params().anomaly_model.model_copy(update=same | changes)


def seconds_per_iteration(vectors: np.ndarray, settings: AnomalyModelSettings, device: str | None = None) -> float:
    """The cost of one more EM iteration: a fit of three against a fit of one."""
    times = []
    for iterations in (1, 3):
        mixture = ESTIMATORS["gmm"].build(settings, 0).set_params(max_iter=iterations, tol=0)
        start = time.perf_counter()
        if device:
            fit_on_device(make_pipeline(mixture), vectors, device)
        else:
            mixture.fit(vectors)
        times.append(time.perf_counter() - start)
    return (times[1] - times[0]) / 2


def main() -> None:
    n, dimension = (int(text) for text in sys.argv[1:3]) if len(sys.argv) > 2 else (23000, 1792)
    vectors = np.random.default_rng(0).standard_normal((n, dimension))
    warnings.simplefilter("ignore")
    base = seconds_per_iteration(vectors, _settings(covariance="full"))
    print(f"full covariance, {n} x {dimension}, CPU: {base:.1f} s an iteration")
    for name, reduced, settings in (
        ("diag", dimension, _settings(covariance="diag")),
        ("full after PCA to 256", 256, _settings(covariance="full")),
    ):
        cost = seconds_per_iteration(vectors[:, :reduced], settings)
        print(f"{name}, CPU: {cost:.2f} s, {base / cost:.0f} times as fast")
    start = time.perf_counter()
    fit_anomaly_model(vectors.astype(np.float32), _settings(covariance="full", pca=256, components=1), 0)
    print(f"PCA to 256 and a fit of one component, once: {time.perf_counter() - start:.1f} s")
    if (device := pick_device()) != "cpu":
        cost = seconds_per_iteration(vectors, _settings(covariance="full"), device)
        print(f"full covariance, {device}: {cost:.2f} s, {base / cost:.0f} times as fast")
    else:
        print("no GPU here: not measured")


if __name__ == "__main__":
    main()

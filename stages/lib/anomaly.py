"""The anomaly model: fitted to real faces' (fused) embeddings; a vector's anomaly score is its negated log-likelihood.

Where the model has no likelihood (``ocsvm``, ``autoencoder``), its negated ``score_samples`` takes that place.
"""

import io
import itertools
import os
import re
import sys
import warnings
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from stages.lib.anomaly_models import ANOMALY_MODELS, MAX_ITERATIONS
from stages.lib.config import AnomalyModel
from stages.lib.errors import InputError
from stages.lib.files import atomic_path

DIFFERENTIAL, SINGLE_FRAME = "differential", "single_frame"
VALUES_PER_PARAMETER = 5  # fewer observed numbers than this for each free parameter is worth a warning
_OWN_TYPES = ["stages.lib.autoencoder.Autoencoder"]  # beside scikit-learn's, what a saved model may hold


def _skops_io() -> ModuleType:
    """``skops.io``, imported without PyTorch.

    Importing it walks all of scikit-learn, whose array-API shim for PyTorch then imports that: seconds and hundreds of
    megabytes for nothing. The walk passes over what cannot be imported.
    """
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None
    try:
        import skops.io
    finally:
        if hide:
            del sys.modules["torch"]
    return skops.io


def _pipeline(settings: AnomalyModel, seed: int) -> Pipeline:
    """What happens to a vector before the estimator, then the estimator."""
    before = {"none": [], "l2": [Normalizer("l2")], "standardize": [StandardScaler()]}[settings.normalization]
    reduce = [PCA(settings.pca, random_state=seed)] if settings.pca else []
    return make_pipeline(*before, *reduce, ANOMALY_MODELS[settings.kind](settings, seed))


def choose_covariance(settings: AnomalyModel, n: int, dimension: int) -> AnomalyModel:
    """``auto`` settled for n vectors of ``dimension``: ``full`` where they suffice for its free parameters, else ``diag``."""
    if settings.covariance != "auto":
        return settings
    full = settings.model_copy(update={"covariance": "full"})
    enough = n * dimension >= VALUES_PER_PARAMETER * free_parameters(full, dimension)
    return full if enough else settings.model_copy(update={"covariance": "diag"})


def free_parameters(settings: AnomalyModel, dimension: int) -> int:
    """How many numbers the fit must find for vectors of ``dimension`` (after PCA); 0 for ``ocsvm``, whose grow with the data."""
    d, k = dimension, settings.components
    if settings.kind == "gmm":
        covariance = {"diag": k * d, "full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "spherical": k}
        return covariance[settings.covariance] + k * d + k - 1
    if settings.kind == "autoencoder":
        widths = [d, 4 * settings.bottleneck, settings.bottleneck, 4 * settings.bottleneck, d]
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))
    return 0


def gpu() -> str | None:
    """The GPU to fit on: ``DIFFFAKE_DEVICE``, or the first one of a machine that has one; None for the CPU.

    PyTorch is imported only where there is a sign of a GPU: this stage has no other need of it.
    """
    wanted = os.environ.get("DIFFFAKE_DEVICE", "")
    if wanted.startswith("cuda") or (not wanted and Path("/dev/nvidiactl").exists()):
        import torch

        if torch.cuda.is_available():
            return wanted or "cuda"
    return None


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


def fit_anomaly_model(vectors: np.ndarray, settings: AnomalyModel, seed: int) -> Pipeline:
    """Fit the anomaly model of ``settings`` to vectors, float32 (n, d), of real faces only.

    Raises :class:`InputError` for fewer vectors than components or principal components. Warns where there are few
    vectors for the number of free parameters, and where the fit did not converge.
    """
    n, dimension = vectors.shape
    needed = max(settings.components if settings.kind == "gmm" else 2, settings.pca, 2)
    if n < needed or settings.pca > dimension:
        raise InputError(
            f"the anomaly model has {settings.components} components and anomaly_model.pca is {settings.pca}, but there are "
            f"only {n} vectors of {dimension} numbers of training reals to fit; add training videos or lower them"
        )
    reduced = settings.pca or dimension
    settings = choose_covariance(settings, n, reduced)
    parameters = free_parameters(settings, reduced)
    if parameters * VALUES_PER_PARAMETER > n * reduced:
        remedy = "set anomaly_model.covariance to diag" if settings.kind == "gmm" else "lower anomaly_model.bottleneck"
        print(
            f"warning: {n} vectors of {reduced} numbers are few for the {parameters} free parameters of the anomaly model; "
            f"{remedy}, set or lower anomaly_model.pca, raise pairs.train_per_video or add training videos"
        )
    model, device = _pipeline(settings, seed), gpu() if settings.kind == "gmm" else None
    if device and not settings.initialization.startswith("random"):
        print(f"fitted on the CPU: anomaly_model.initialization '{settings.initialization}' has no GPU version")
        device = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        if device:
            fit_on_device(model, vectors.astype(np.float64), device)
        else:
            model.fit(vectors.astype(np.float64))
    if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        print(
            f"warning: the anomaly model did not converge in {MAX_ITERATIONS} iterations; "
            "raise anomaly_model.regularization or add training videos"
        )
    return model


def anomaly_scores(model: Pipeline, vectors: np.ndarray, video_ids: np.ndarray) -> np.ndarray:
    """Negated log-likelihoods (or what stands for them), float64 (n,), of vectors float32 (n, d): higher is more anomalous.

    ``video_ids`` (n,) says whose they are, each video's in one run: they are scored a video at a time, because in one
    large matrix product the rounding of a video's scores would depend on which others are present.
    """
    starts = np.flatnonzero(video_ids[1:] != video_ids[:-1]) + 1
    videos = [video for video in np.split(vectors, starts) if len(video)]
    return -np.concatenate([np.empty(0), *(model.score_samples(video.astype(np.float64)) for video in videos)])


# skops names arrays by the addresses that objects happened to have.
_ADDRESS = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.npy")')


def _reproducible(archive: bytes) -> bytes:
    """A skops archive with addresses numbered by their first appearance and without times: equal models, equal bytes."""
    numbers: dict[str, str] = {}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        schema = old.read("schema.json").decode()
        schema = _ADDRESS.sub(lambda address: numbers.setdefault(address.group(), str(len(numbers))), schema)
        contents = {
            f"{numbers[Path(name).stem]}.npy": old.read(name) for name in old.namelist() if name != "schema.json"
        }
        for name, content in sorted(contents.items()):
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        new.writestr(zipfile.ZipInfo("schema.json"), schema, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def save_anomaly_models(path: Path, models: dict[str, Pipeline]) -> None:
    """Write the fitted models by name (skops: loading runs no code), atomically; equal models give equal bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(_reproducible(_skops_io().dumps(models)))


def load_anomaly_models(path: Path) -> dict[str, Pipeline]:
    """The models of :func:`save_anomaly_models`. Raises :class:`InputError` for a file that is not such, or holds foreign types."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro fit_anomaly_model` to make it")
    try:
        skops_io = _skops_io()
        unknown = sorted(set(skops_io.get_untrusted_types(file=path)) - set(_OWN_TYPES))
        if unknown:
            raise InputError(
                f"{path}: holds types that an anomaly model has no need of ({', '.join(unknown)}); do not use it; run `dvc repro`"
            )
        models = skops_io.load(path, trusted=_OWN_TYPES)
        if set(models) != {DIFFERENTIAL, SINGLE_FRAME} or not all(type(model) is Pipeline for model in models.values()):
            raise TypeError(f"expected the pipelines {DIFFERENTIAL} and {SINGLE_FRAME}")
        return models
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(
            f"{path}: not a whole anomaly model ({type(error).__name__}: {error}); delete it and run `dvc repro`"
        ) from error

"""The anomaly model: a density of real faces' (fused) embeddings; a vector's anomaly score is its negated log-likelihood."""

import io
import re
import sys
import warnings
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from stages.lib.config import AnomalyModel
from stages.lib.errors import InputError
from stages.lib.files import atomic_path

DIFFERENTIAL, SINGLE_FRAME = "differential", "single_frame"


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


def fit_anomaly_model(vectors: np.ndarray, settings: AnomalyModel, seed: int) -> Pipeline:
    """A Gaussian mixture (equation 7) of standardised vectors, float32 (n, d), of real faces only.

    Raises :class:`InputError` for fewer vectors than components. Warns where EM did not converge.
    """
    if len(vectors) < max(settings.components, 2):
        raise InputError(
            f"the anomaly model has {settings.components} components but only {len(vectors)} vectors of "
            "training reals to fit; add training videos"
        )
    mixture = GaussianMixture(
        settings.components,
        covariance_type=settings.covariance,
        reg_covar=settings.regularization,
        random_state=seed,
        max_iter=200,
    )
    model = make_pipeline(StandardScaler(), mixture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, with the remedy
        model.fit(vectors.astype(np.float64))
    if not mixture.converged_:
        print(
            f"warning: the mixture did not converge in {mixture.n_iter_} iterations; "
            "raise anomaly_model.regularization or add training videos"
        )
    return model


def anomaly_scores(model: Pipeline, vectors: np.ndarray, video_ids: np.ndarray) -> np.ndarray:
    """Negated log-likelihoods, float64 (n,), of vectors float32 (n, d): higher is more anomalous.

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
        unknown = skops_io.get_untrusted_types(file=path)
        if unknown:
            raise InputError(
                f"{path}: holds types that an anomaly model has no need of ({', '.join(unknown)}); do not use it; run `dvc repro`"
            )
        return skops_io.load(path)
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(
            f"{path}: not a whole anomaly model ({type(error).__name__}: {error}); delete it and run `dvc repro`"
        ) from error

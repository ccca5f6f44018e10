"""The file of the anomaly models (skops: loading runs no code); equal models give equal bytes."""

import io
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from stages.lib.anomaly.autoencoder import Autoencoder
from stages.lib.anomaly.evidence import Reference
from stages.lib.anomaly.flow import NormalizingFlow
from stages.lib.anomaly.learned_fusion import LearnedFusion
from stages.lib.errors import InputError
from stages.lib.files import atomic_path

# What the file holds.
_PAIRS, _FRAMES, _REFERENCE, _FITTED_TO = "differential", "single_frame", "reference", "fitted_to"
# What a saved model may hold beside scikit-learn's types.
_OWN_TYPES = [f"{one.__module__}.{one.__qualname__}" for one in (Autoencoder, LearnedFusion, NormalizingFlow)]


def _skops_io() -> Any:
    """``skops.io``, imported without PyTorch.

    Importing it walks all of scikit-learn, whose array-API shim for PyTorch then imports that: seconds and hundreds of
    megabytes for nothing. The walk passes over what cannot be imported.
    """
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None  # type: ignore[assignment]  # Python's own way to refuse an import
    try:
        import skops.io
    finally:
        if hide:
            del sys.modules["torch"]
    return skops.io


# skops names arrays by the addresses that objects happened to have.
_ADDRESS = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.npy")')


def _reproducible(archive: bytes) -> bytes:
    """A skops archive with addresses numbered by their first appearance and without times: equal models, equal
    bytes.
    """
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


@dataclass(frozen=True)
class AnomalyModels:
    """What is fitted to real videos: the model of ``pairs``, the paper's baseline of single ``frames``, and the
    ``reference`` that a video's evidence is held against.

    ``fitted_to``: how many pairs the model was fitted to, and how many training reals have; None in a file that doesn't
    say.
    """

    pairs: Pipeline
    frames: Pipeline
    reference: Reference
    fitted_to: tuple[int, int] | None = None


def save_anomaly_models(path: Path, models: AnomalyModels) -> None:
    """Write the models (skops: loading runs no code), atomically; equal models give equal bytes."""
    content = {_PAIRS: models.pairs, _FRAMES: models.frames, _REFERENCE: models.reference.to_dict()}
    if models.fitted_to:
        content[_FITTED_TO] = list(models.fitted_to)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_reproducible(_skops_io().dumps(content)))


def load_anomaly_models(path: Path) -> AnomalyModels:
    """The models of :func:`save_anomaly_models`. Raises :class:`InputError` for a file that is not such, or holds
    foreign types.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro fit_anomaly_model` to make it")
    try:
        skops_io = _skops_io()
        unknown = sorted(set(skops_io.get_untrusted_types(file=path)) - set(_OWN_TYPES))
        if unknown:
            raise InputError(
                f"{path}: holds types that an anomaly model has no need of ({', '.join(unknown)}); do not use it; run "
                "`dvc repro`"
            )
        content: dict[str, Any] = skops_io.load(path, trusted=_OWN_TYPES)
        pairs, frames = content[_PAIRS], content[_FRAMES]
        if not all(type(model) is Pipeline for model in (pairs, frames)):
            raise TypeError(f"expected the pipelines {_PAIRS} and {_FRAMES}")
        n_fitted, n_pairs = content.get(_FITTED_TO, (None, None))
        fitted_to = None if n_fitted is None else (int(n_fitted), int(n_pairs))
        return AnomalyModels(pairs, frames, Reference.from_dict(content[_REFERENCE]), fitted_to)
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(
            f"{path}: not a whole anomaly model ({type(error).__name__}: {error}); delete it and run `dvc repro`"
        ) from error

"""Weights as Keras 2 saves them, in HDF5: read as arrays, so that no file runs code."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.lib.errors import InputError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"  # how every HDF5 file of Keras begins, whatever its name


def is_hdf5(file: Path) -> bool:
    """Whether a file is HDF5, by its first bytes."""
    with file.open("rb") as opened:
        return opened.read(len(_SIGNATURE)) == _SIGNATURE


def read_keras(file: Path) -> dict[str, torch.Tensor]:
    """The float32 weights of a file of ``save_weights`` or of a whole model, by ``layer/weight``, in PyTorch's layout.

    Layer by layer in the file's order, by which Keras itself loads them. A kernel (h, w, in, out) becomes (out, in, h,
    w), a matrix (in, out) becomes (out, in). Raises :class:`InputError` for a file that is damaged, or is laid out
    otherwise (as Keras 3's ``.weights.h5``).
    """
    import h5py  # nothing else needs it

    try:
        with h5py.File(file, "r") as root:
            layers = root.get("model_weights", root)
            weights = _by_name(layers) if "layer_names" in layers.attrs else None
    except Exception as error:  # h5py's errors have no common type
        raise InputError(f"{file} is not a whole file of weights ({type(error).__name__}); download it anew") from error
    if weights is None:
        raise InputError(
            f"{file} is HDF5, but not as Keras 2 saves weights: nothing in it is called layer_names; name a file of "
            "Keras' save_weights"
        )
    return weights


def _by_name(layers: Any) -> dict[str, torch.Tensor]:
    weights = {}
    for layer in map(_text, layers.attrs["layer_names"]):
        for name in map(_text, layers[layer].attrs["weight_names"]):  # none of a layer without weights
            array = np.asarray(layers[layer][name], dtype=np.float32)
            kind = name.rpartition("/")[2].partition(":")[0]  # of conv2d_7/kernel:0
            weights[f"{layer}/{kind}"] = _in_pytorchs_layout(torch.from_numpy(array))
    return weights


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _in_pytorchs_layout(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1)
    return tensor.T if tensor.ndim == 2 else tensor

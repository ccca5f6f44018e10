"""Files of weights as others published them: read without running code, with what stands beside them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import huggingface_hub
import safetensors
import safetensors.torch
import torch

from stages.lib.backbone.published.keras import is_hdf5, read_keras
from stages.lib.errors import InputError

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # in a folder as the hub has it, the better first
_WRAPPERS = ("model", "state_dict", "model_state_dict", "net")  # keys under which a checkpoint holds the tensors


@dataclass(frozen=True)
class Original:
    """Somebody else's weights: ``state`` by their names, floating-point tensors as float32, without DataParallel's
    ``module.``; ``config``: of the ``config.json`` beside them, or a Lightning checkpoint's hyper-parameters, {} where
    there is neither.
    """

    path: Path
    state: dict[str, torch.Tensor]
    config: dict[str, Any]

    def without(self, *prefixes: str) -> "Original":
        """The same with each name's first fitting prefix removed."""
        state = {}
        for name, tensor in self.state.items():
            prefix = next((one for one in prefixes if name.startswith(one)), "")
            state[name.removeprefix(prefix)] = tensor
        return Original(self.path, state, self.config)


def read_original(path: Path) -> Original:
    """The weights of a ``.safetensors`` file, of a PyTorch checkpoint or Keras 2's HDF5 of any name, or of a folder as
    the hub has it.

    Raises :class:`InputError` where there is none, where it is damaged, holds no tensors or some that aren't finite,
    and for a pickle that would need anything but tensors and plain values: it is not loaded.
    """
    file = _weights_in(path) if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"no file {file}; name the file that was downloaded")
    content = _load(file)
    config = content.get("hyper_parameters", {})
    if (file.parent / CONFIG).is_file():
        config = _read_json(file.parent / CONFIG)
    tensors = {name: tensor for name, tensor in _unwrap(content).items() if isinstance(tensor, torch.Tensor)}
    if not tensors:
        raise InputError(f"{file} holds no tensors by name; name a file of weights")
    state = {name.removeprefix("module."): _as_float32(tensor) for name, tensor in tensors.items()}
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise InputError(f"{file}: {broken[0]} holds numbers that are not finite; download it anew")
    return Original(file, state, dict(config) if isinstance(config, Mapping) else {})


def _weights_in(folder: Path) -> Path:
    found = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder} has neither {' nor '.join(_WEIGHTS)}; name the file of weights itself")
    return found[0]


def _load(file: Path) -> dict[str, Any]:
    if is_hdf5(file):
        return dict(read_keras(file))
    try:
        if file.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(file))
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors, pickle and zip errors have no common type
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused:
            raise InputError(
                f"{file} is not loaded: beside tensors it holds {refused[1]}, and loading that may run code. If you "
                "trust the file, write its state_dict alone to a .safetensors file where the original project is "
                "installed, and import that"
            ) from error
        raise InputError(f"{file} is not a whole file of weights ({type(error).__name__}); download it anew") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}, expected tensors by name; name a file of weights")
    return content


def _unwrap(content: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in _WRAPPERS:
        if isinstance(content.get(key), Mapping):
            return _unwrap(content[key])
    return content


def _as_float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is not readable JSON ({error}); download it anew") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} is not a JSON object; download it anew")
    return cast(dict[str, Any], content)


def hub_folder(source: str) -> Path:
    """The folder of a model on the hub (``owner/name``), its weights and ``config.json`` downloaded; a local path is
    returned as it is. Raises :class:`InputError` where it is neither, and where the hub cannot be reached.
    """
    if Path(source).exists():
        return Path(source)
    try:
        config = huggingface_hub.hf_hub_download(source, CONFIG)
        for name in _WEIGHTS:
            if huggingface_hub.file_exists(source, name):
                huggingface_hub.hf_hub_download(source, name)
                break
    except Exception as error:  # hub, HTTP and file errors have no common type
        raise InputError(
            f"'{source}' is neither a file or folder here nor to be had from the hub ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}); correct the name, go online, or download its folder where you are online "
            f"(`hf download {source} --local-dir FOLDER`) and name that"
        ) from error
    return Path(config).parent

"""The backbone: a timm network with one logit (fake > 0), its input transform, its file, and the embeddings it gives."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import safetensors
import safetensors.torch
import timm
import torch

from stages.lib.config import Backbone
from stages.lib.errors import InputError
from stages.lib.files import atomic_path


@dataclass(frozen=True)
class BackboneConfig:
    """What must be known to use saved weights; it travels inside the weights file."""

    name: str
    input_size: int
    embedding_dim: int


def pick_device() -> torch.device:
    """``DIFFFAKE_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``, …), or a GPU where there is one."""
    text = os.environ.get("DIFFFAKE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(text)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"DIFFFAKE_DEVICE is '{text}', which PyTorch cannot use here ({error}); unset it or set it to cpu"
        ) from error
    return device


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """A square uint8 image (h, h, 3) as (side, side, 3): by area when it shrinks, linear when it grows."""
    interpolation = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_LINEAR
    return image if image.shape[0] == side else cv2.resize(image, (side, side), interpolation=interpolation)


def prepare(faces: np.ndarray | list[np.ndarray], input_size: int) -> torch.Tensor:
    """Face crops as the network's input: the one input transform, for training and for scoring.

    n square RGB uint8 images (h, h, 3) in, float32 (n, 3, input_size, input_size) in [-1, 1] out (mean 0.5,
    deviation 0.5: section 4.1).
    """
    faces = np.stack([resize(face, input_size) for face in faces])
    return torch.from_numpy(faces).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _create(name: str, input_size: int, pretrained: bool = False) -> torch.nn.Module:
    """A timm network with one output; one that is made for a single size (a ViT) is made for ``input_size``."""
    fixed = timm.get_pretrained_cfg(name)
    size = {"img_size": input_size} if fixed is not None and fixed.fixed_input_size else {}
    return timm.create_model(name, pretrained=pretrained, num_classes=1, **size)


def build_backbone(settings: Backbone) -> torch.nn.Module:
    """A timm network with one output, weights as ``backbone.weights`` says: ``none``, ``hub`` or a local file.

    Raises :class:`InputError` for an unknown name, a hub that cannot be reached, and a file that does not fit.
    """
    if not timm.is_model(settings.name):
        close = timm.list_models(f"*{settings.name[:6]}*")[:5]
        raise InputError(
            f"backbone.name is '{settings.name}', which timm {timm.__version__} does not have; close: {', '.join(close) or 'none'}"
        )
    if settings.weights == "hub":
        try:
            return _create(settings.name, settings.input_size, pretrained=True)
        except Exception as error:  # hub, HTTP and file errors have no common type
            raise InputError(
                f"backbone.weights is 'hub', but timm could not load pretrained weights of {settings.name} "
                f"({type(error).__name__}: {error}); "
                "go online, or set backbone.weights to 'none' or to a local weights file"
            ) from error
    model = _create(settings.name, settings.input_size)
    if settings.weights != "none":
        _load_pretrained(model, Path(settings.weights))
    return model


def _load_pretrained(model: torch.nn.Module, path: Path) -> None:
    """Weights of a local .safetensors or .pth file, all but a classifier of another shape."""
    if not path.is_file():
        raise InputError(
            f"backbone.weights: no file {path}; set it to 'none', 'hub' or an existing .safetensors or .pth file"
        )
    try:
        state = (
            safetensors.torch.load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # safetensors, pickle and zip errors have no common type
        raise InputError(
            f"backbone.weights: {path} is not a readable weights file ({type(error).__name__}: {error})"
        ) from error
    own = model.state_dict()
    head = {name for name in own if model.get_classifier() is model.get_submodule(name.rpartition(".")[0])}
    state = {name: tensor for name, tensor in state.items() if name not in head or tensor.shape == own[name].shape}
    wrong = [name for name in own if name not in head and (name not in state or state[name].shape != own[name].shape)]
    if wrong:
        raise InputError(
            f"backbone.weights: {path} does not fit backbone.name: {len(wrong)} of {len(own)} tensors are missing "
            f"or of another shape ({wrong[0]}, …)"
        )
    model.load_state_dict({**own, **{name: state[name] for name in own if name in state}})


def forward(model: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(pooled embeddings (n, d), fake logits (n,)) of prepared images (n, 3, s, s)."""
    embedding = model.forward_head(model.forward_features(images), pre_logits=True)
    return embedding, model.get_classifier()(embedding)[:, 0]


@torch.inference_mode()
def embed(
    model: torch.nn.Module, faces: np.ndarray, input_size: int, device: torch.device, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Float32 (embeddings (n, d), fake logits (n,)) of face crops, RGB uint8 (n, h, h, 3), in batches, in float32."""
    parts = [
        forward(model, prepare(faces[i : i + batch], input_size).to(device, memory_format=torch.channels_last))
        for i in range(0, len(faces), batch)
    ]
    embeddings, logits = zip(*parts, strict=True)
    return torch.cat(embeddings).cpu().numpy(), torch.cat(logits).cpu().numpy()


def save_backbone(path: Path, model: torch.nn.Module, config: BackboneConfig) -> None:
    """Write weights with their config inside (safetensors), atomically."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        safetensors.torch.save_file(state, temporary, metadata={"config": json.dumps(asdict(config), sort_keys=True)})


def load_backbone(path: Path, device: torch.device) -> tuple[torch.nn.Module, BackboneConfig]:
    """The network of a file of :func:`save_backbone`, ready to embed. Raises :class:`InputError` for any other file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro train_backbone` to make it")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            config = BackboneConfig(**json.loads((file.metadata() or {})["config"]))
        if not timm.is_model(config.name):  # timm would look for some names on a hub
            raise ValueError(f"timm {timm.__version__} has no network '{config.name}'")
        model = _create(config.name, config.input_size)
        model.load_state_dict(safetensors.torch.load_file(path))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: not a whole backbone of this project ({type(error).__name__}: {error}); delete it and run `dvc repro`"
        ) from error
    return model.to(device, memory_format=torch.channels_last).eval(), config

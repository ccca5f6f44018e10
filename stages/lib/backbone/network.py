"""The backbone: a timm network with one logit (fake > 0), its input transform, and the embeddings it gives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import timm
import torch

from stages.lib.backbone.settings import BackboneSettings
from stages.lib.backbone.weights import HALF, PACKAGES, Origin, package_file
from stages.lib.errors import InputError
from stages.lib.images import resize


@dataclass(frozen=True)
class Architecture:
    """What must be known to use saved weights; it travels inside the weights file.

    ``origin``: of the weights that training started from.
    """

    name: str
    input_size: int
    embedding_dim: int
    origin: Origin = field(default_factory=Origin)


def read_architecture(path: Path) -> Architecture | None:
    """The architecture inside a safetensors file, None where there is none (not a backbone of this project).

    A file from before ``origin`` was kept has the paper's normalisation. Raises what a damaged file raises.
    """
    with safetensors.safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get("config")
    if text is None:
        return None
    values = json.loads(text)
    origin = Origin(**values.get("origin", {}))
    origin = replace(origin, mean=tuple(origin.mean), std=tuple(origin.std))  # JSON has lists
    return Architecture(**values | {"origin": origin})


def prepare(faces: np.ndarray | list[np.ndarray], input_size: int) -> torch.Tensor:
    """Face crops as every network's input: the one input transform, for training and for scoring.

    n square RGB uint8 images (h, h, 3) in, float32 (n, 3, input_size, input_size) in [-1, 1] out (mean 0.5,
    deviation 0.5: section 4.1). A network of weights that want another normalisation changes it itself
    (:func:`forward`).
    """
    faces = np.stack([resize(face, input_size) for face in faces])
    return torch.from_numpy(faces).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def create_network(name: str, input_size: int, pretrained: bool = False) -> torch.nn.Module:
    """A timm network with one output; one that is made for a single size (a ViT) is made for ``input_size``."""
    fixed = timm.get_pretrained_cfg(name)
    size: dict[str, Any] = {"img_size": input_size} if fixed is not None and fixed.fixed_input_size else {}
    return timm.create_model(name, pretrained=pretrained, num_classes=1, **size)


def set_normalization(model: torch.nn.Module, origin: Origin) -> None:
    """Have :func:`forward` normalise prepared images, in [-1, 1], as the weights want them. They are no weights: a file
    of weights keeps them in its :class:`Architecture`.
    """
    if (origin.mean, origin.std) != (HALF, HALF):
        mean, std = torch.tensor(origin.mean).view(-1, 1, 1), torch.tensor(origin.std).view(-1, 1, 1)
        model.register_buffer("input_scale", 0.5 / std, persistent=False)
        model.register_buffer("input_shift", (0.5 - mean) / std, persistent=False)


def build_backbone(settings: BackboneSettings) -> tuple[torch.nn.Module, Architecture]:
    """A timm network with one output, weights as ``backbone.weights`` says: ``none``, ``hub``, a package or a file.

    Raises :class:`InputError` for an unknown name, a hub that cannot be reached, a package that isn't installed, and
    weights that do not fit.
    """
    if not timm.is_model(settings.name):
        close = timm.list_models(f"*{settings.name[:6]}*")[:5]
        raise InputError(
            f"backbone.name is '{settings.name}', which timm {timm.__version__} does not have; close: "
            f"{', '.join(close) or 'none'}"
        )
    if settings.weights == "hub":
        model, origin = _from_hub(settings), _timms_origin(settings.name)
    else:
        model, origin = create_network(settings.name, settings.input_size), Origin()
    if settings.weights in PACKAGES:
        _adopt(model, packaged_state(settings.weights, settings.name, model), settings.weights)
        origin = PACKAGES[settings.weights].origin
    elif settings.weights not in ("none", "hub"):
        state, origin = _read_file(Path(settings.weights), settings.name)
        _adopt(model, state, settings.weights)
    set_normalization(model, origin)
    return model, Architecture(settings.name, settings.input_size, cast(Any, model).head_hidden_size, origin)


def _from_hub(settings: BackboneSettings) -> torch.nn.Module:
    try:
        return create_network(settings.name, settings.input_size, pretrained=True)
    except Exception as error:  # hub, HTTP and file errors have no common type
        raise InputError(
            f"backbone.weights is 'hub', but timm could not load pretrained weights of {settings.name} "
            f"({type(error).__name__}: {error}); go online, or set backbone.weights to 'none', to a package "
            f"({', '.join(PACKAGES)}) or to a local weights file"
        ) from error


def _timms_origin(name: str) -> Origin:
    """Of the weights that timm has for a network."""
    known = timm.get_pretrained_cfg(name)
    if known is None:
        return Origin()
    source = f"https://huggingface.co/{known.hf_hub_id}" if known.hf_hub_id else str(known.url)
    return Origin(source, known.license or "", tuple(known.mean), tuple(known.std))


def packaged_state(package: str, network: str, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of a package of ``PACKAGES`` under the names that the network's model has for them.

    Raises :class:`InputError` where the package is for another network, isn't installed, or is damaged.
    """
    path = package_file(package, network)
    state, own = _load_state(path), model.state_dict()
    if len(state) != len(own):
        raise InputError(
            f"backbone.weights: {path} has {len(state)} tensors, timm's {network} has {len(own)}; install "
            f"{package}=={PACKAGES[package].version} anew"
        )
    return dict(zip(own, state.values(), strict=True))


def _read_file(path: Path, network: str) -> tuple[dict[str, torch.Tensor], Origin]:
    """A local file's weights, with their origin: the file's own if it is a backbone of this project, else what timm
    says of the network, whose weights such files are.
    """
    if not path.is_file():
        raise InputError(
            f"backbone.weights: no file {path}; set it to 'none', 'hub', a package ({', '.join(PACKAGES)}) or an "
            "existing .safetensors or .pth file"
        )
    state = _load_state(path)
    ours = read_architecture(path) if path.suffix == ".safetensors" else None
    return state, ours.origin if ours else replace(_timms_origin(network), source=path.name, licence="")


def _load_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        state: dict[str, torch.Tensor] = (
            safetensors.torch.load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # safetensors, pickle and zip errors have no common type
        raise InputError(
            f"backbone.weights: {path} is not a readable weights file ({type(error).__name__}: {error})"
        ) from error
    return state


def _adopt(model: torch.nn.Module, state: Mapping[str, torch.Tensor], whose: str) -> None:
    """Load weights into a model, all but a classifier of another shape."""
    own = model.state_dict()
    head = {name for name in own if classifier_of(model) is model.get_submodule(name.rpartition(".")[0])}
    state = {name: tensor for name, tensor in state.items() if name not in head or tensor.shape == own[name].shape}
    wrong = [name for name in own if name not in head and (name not in state or state[name].shape != own[name].shape)]
    if wrong:
        raise InputError(
            f"backbone.weights: {whose} does not fit backbone.name: {len(wrong)} of {len(own)} tensors are missing "
            f"or of another shape ({wrong[0]}, …)"
        )
    model.load_state_dict({**own, **{name: state[name] for name in own if name in state}})


def classifier_of(model: torch.nn.Module) -> torch.nn.Module:
    """The classifier of a timm network, whatever it calls it."""
    return cast(torch.nn.Module, cast(Any, model).get_classifier())


def forward(model: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(pooled embeddings (n, d), fake logits (n,)) of prepared images (n, 3, s, s)."""
    network = cast(Any, model)  # timm's networks have no common type
    if hasattr(network, "input_scale"):
        images = images * network.input_scale + network.input_shift
    embedding: torch.Tensor = network.forward_head(network.forward_features(images), pre_logits=True)
    return embedding, classifier_of(model)(embedding)[:, 0]


@torch.inference_mode()
def embed(
    model: torch.nn.Module, faces: np.ndarray, input_size: int, device: str, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Float32 (embeddings (n, d), fake logits (n,)) of face crops, RGB uint8 (n, h, h, 3), in batches, in float32."""
    parts = [
        forward(model, prepare(faces[i : i + batch], input_size).to(device, memory_format=torch.channels_last))
        for i in range(0, len(faces), batch)
    ]
    embeddings, logits = zip(*parts, strict=True)
    return torch.cat(embeddings).cpu().numpy(), torch.cat(logits).cpu().numpy()

"""The backbone: a timm network with one logit (fake > 0), its input transform, and the embeddings it gives."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import timm
import torch

from stages.lib.backbone.settings import BackboneSettings
from stages.lib.errors import InputError
from stages.lib.images import resize


def prepare(faces: np.ndarray | list[np.ndarray], input_size: int) -> torch.Tensor:
    """Face crops as the network's input: the one input transform, for training and for scoring.

    n square RGB uint8 images (h, h, 3) in, float32 (n, 3, input_size, input_size) in [-1, 1] out (mean 0.5,
    deviation 0.5: section 4.1).
    """
    faces = np.stack([resize(face, input_size) for face in faces])
    return torch.from_numpy(faces).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def create_network(name: str, input_size: int, pretrained: bool = False) -> torch.nn.Module:
    """A timm network with one output; one that is made for a single size (a ViT) is made for ``input_size``."""
    fixed = timm.get_pretrained_cfg(name)
    size: dict[str, Any] = {"img_size": input_size} if fixed is not None and fixed.fixed_input_size else {}
    return timm.create_model(name, pretrained=pretrained, num_classes=1, **size)


def build_backbone(settings: BackboneSettings) -> torch.nn.Module:
    """A timm network with one output, weights as ``backbone.weights`` says: ``none``, ``hub`` or a local file.

    Raises :class:`InputError` for an unknown name, a hub that cannot be reached, and a file that does not fit.
    """
    if not timm.is_model(settings.name):
        close = timm.list_models(f"*{settings.name[:6]}*")[:5]
        raise InputError(
            f"backbone.name is '{settings.name}', which timm {timm.__version__} does not have; close: "
            f"{', '.join(close) or 'none'}"
        )
    if settings.weights == "hub":
        try:
            return create_network(settings.name, settings.input_size, pretrained=True)
        except Exception as error:  # hub, HTTP and file errors have no common type
            raise InputError(
                f"backbone.weights is 'hub', but timm could not load pretrained weights of {settings.name} "
                f"({type(error).__name__}: {error}); "
                "go online, or set backbone.weights to 'none' or to a local weights file"
            ) from error
    model = create_network(settings.name, settings.input_size)
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
    head = {name for name in own if classifier_of(model) is model.get_submodule(name.rpartition(".")[0])}
    state = {name: tensor for name, tensor in state.items() if name not in head or tensor.shape == own[name].shape}
    wrong = [name for name in own if name not in head and (name not in state or state[name].shape != own[name].shape)]
    if wrong:
        raise InputError(
            f"backbone.weights: {path} does not fit backbone.name: {len(wrong)} of {len(own)} tensors are missing "
            f"or of another shape ({wrong[0]}, …)"
        )
    model.load_state_dict({**own, **{name: state[name] for name in own if name in state}})


def classifier_of(model: torch.nn.Module) -> torch.nn.Module:
    """The classifier of a timm network, whatever it calls it."""
    return cast(torch.nn.Module, cast(Any, model).get_classifier())


def forward(model: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(pooled embeddings (n, d), fake logits (n,)) of prepared images (n, 3, s, s)."""
    network = cast(Any, model)  # timm's networks have no common type
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

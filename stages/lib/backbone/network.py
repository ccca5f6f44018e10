"""The backbone: a timm network with one logit (fake > 0), and its input transform."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import timm
import torch

from stages.lib.backbone import mesonet  # noqa: F401 (makes its networks known to timm)
from stages.lib.backbone.settings import BackboneSettings
from stages.lib.backbone.variants import NORMALIZED_HEAD, VARIANTS
from stages.lib.backbone.weights import HALF, PACKAGES, Architecture, Origin, package_file, read_architecture
from stages.lib.errors import InputError
from stages.lib.images import resize
from stages.lib.systems.extension import Outputs, plain, stage_at
from stages.lib.systems.registry import SYSTEMS


def prepare(faces: np.ndarray | list[np.ndarray], input_size: int) -> torch.Tensor:
    """Face crops as every network's input: the one input transform, for training and for scoring.

    n square RGB uint8 images (h, h, 3) in, float32 (n, 3, input_size, input_size) in [-1, 1] out (mean 0.5,
    deviation 0.5: section 4.1). A network of weights that want another normalisation changes it itself
    (:func:`forward`).
    """
    faces = np.stack([resize(face, input_size) for face in faces])
    return torch.from_numpy(faces).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def create_network(
    name: str, input_size: int, pretrained: bool = False, variants: Sequence[str] = ()
) -> torch.nn.Module:
    """A timm network with one output; one that is made for a single size (a ViT) is made for ``input_size``.

    ``variants``: names in ``VARIANTS`` of what it is to do otherwise than timm's.

    Its classifier starts near 0: timm draws an EfficientNet's weights from the wider a range the fewer outputs it has,
    and for one output they are so large that training spends its first thousand steps on unlearning them.
    """
    fixed = timm.get_pretrained_cfg(name)
    size: dict[str, Any] = {"img_size": input_size} if fixed is not None and fixed.fixed_input_size else {}
    model = timm.create_model(name, pretrained=pretrained, num_classes=1, **size)
    for parameter in classifier_of(model).parameters():
        torch.nn.init.normal_(parameter, std=_CLASSIFIER_DEVIATION)
    for variant in variants:
        VARIANTS[variant].apply(model)
    return model


def takes_one_size(model: torch.nn.Module) -> bool:
    """Whether a timm network takes images of the one size that it was made for (most ViTs do)."""
    return bool(cast(Any, model).pretrained_cfg.get("fixed_input_size"))


_CLASSIFIER_DEVIATION = 0.01  # of an untrained classifier's weights
BOUNDARY_STRIDE = 16  # px of the input for each cell of the boundary map
_BOUNDARY_WIDTH = 64


class BoundaryHead(torch.nn.Module):
    """From a network's features at stride 16 to a map of where something was pasted in (as Face X-ray [35] has it).

    ``stage``: which of the network's intermediate features they are.
    """

    def __init__(self, stage: int, channels: int) -> None:
        super().__init__()
        self.stage = stage
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(channels, _BOUNDARY_WIDTH, 1), torch.nn.ReLU(), torch.nn.Conv2d(_BOUNDARY_WIDTH, 1, 1)
        )
        last = cast(torch.nn.Conv2d, self.layers[-1])
        torch.nn.init.constant_(cast(torch.Tensor, last.bias), -2.0)  # a boundary is rare

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits (n, cells, cells) of features (n, channels, cells, cells)."""
        logits: torch.Tensor = self.layers(features)[:, 0]
        return logits


def add_boundary_head(model: torch.nn.Module, name: str) -> None:
    """Give a timm network a :class:`BoundaryHead`.

    Raises :class:`InputError` for a network that has no features at stride 16, or doesn't give them.
    """
    found = stage_at(model, BOUNDARY_STRIDE)
    if found is None:
        raise InputError(
            f"train.boundary is above 0, but {name} has no features at stride {BOUNDARY_STRIDE}; set it to 0, or "
            "backbone.name to an EfficientNet, a ResNet or a ViT with patches of 16"
        )
    model.boundary_head = BoundaryHead(*found)


def add_system(model: torch.nn.Module, system: str, size: int) -> int:
    """Extend a network by one of ``SYSTEMS``; the dimension of its embeddings then. ``size``: px of its input.

    Raises :class:`InputError` for a network that can't have it.
    """
    load = SYSTEMS[system].extension
    assert load is not None  # the settings accept no other
    extension = load()(model, size)
    model.system = extension
    return int(extension.embedding_dim)


def set_normalization(model: torch.nn.Module, origin: Origin) -> None:
    """Have :func:`forward` normalise prepared images, in [-1, 1], as the weights want them. They are no weights: a file
    of weights keeps them in its :class:`Architecture`.
    """
    if (origin.mean, origin.std) != (HALF, HALF):
        mean, std = torch.tensor(origin.mean).view(-1, 1, 1), torch.tensor(origin.std).view(-1, 1, 1)
        model.register_buffer("input_scale", 0.5 / std, persistent=False)
        model.register_buffer("input_shift", (0.5 - mean) / std, persistent=False)


def build_backbone(
    settings: BackboneSettings,
    boundary: bool = False,
    unchanged: bool = False,
    normalized: bool = False,
    system: str = "",
) -> tuple[torch.nn.Module, Architecture]:
    """A timm network with one output, weights as ``backbone.weights`` says: ``none``, ``hub``, a package or a file.

    ``boundary``: give it a boundary map as well. ``unchanged``: nothing will train it, so that it needs the input that
    the weights were made for. ``normalized``: its classifier is to be given embeddings of length 1. ``system``: one of
    ``SYSTEMS`` that extends it. Raises :class:`InputError` for an unknown name, a hub that cannot be reached, a package
    that isn't installed, weights that do not fit, and a boundary map, a normalised classifier or a system that the
    network can't have.
    """
    if not timm.is_model(settings.name):
        close = timm.list_models(f"*{settings.name[:6]}*")[:5]
        raise InputError(
            f"backbone.name is '{settings.name}', which timm {timm.__version__} does not have; close: "
            f"{', '.join(close) or 'none'}"
        )
    variants: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    if settings.weights == "hub":
        model, origin = _from_hub(settings), _timms_origin(settings.name)
    elif settings.weights in ("none", *PACKAGES):
        model, origin = create_network(settings.name, settings.input_size), Origin()
    else:
        state, origin, variants, seen = _read_file(Path(settings.weights), settings, unchanged)
        model = create_network(settings.name, settings.input_size, variants=variants)
        _adopt(model, state, settings.weights)
    if settings.weights in PACKAGES:
        _adopt(model, packaged_state(settings.weights, settings.name, model), settings.weights)
        origin = PACKAGES[settings.weights].origin
    if normalized and NORMALIZED_HEAD not in variants:
        VARIANTS[NORMALIZED_HEAD].apply(model)
        variants += (NORMALIZED_HEAD,)
    if settings.normalization == "half":
        origin = replace(origin, mean=HALF, std=HALF)
    set_normalization(model, origin)
    size = settings.input_size
    if boundary and size % BOUNDARY_STRIDE:
        raise InputError(
            f"train.boundary is above 0, but backbone.input_size is {size}; set it to a multiple of "
            f"{BOUNDARY_STRIDE}, for a cell for each {BOUNDARY_STRIDE} px"
        )
    if boundary:
        add_boundary_head(model, settings.name)
    dimension = add_system(model, system, size) if system else cast(Any, model).head_hidden_size
    return model, Architecture(settings.name, size, dimension, boundary, origin, variants, seen, system)


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


def _read_file(
    path: Path, settings: BackboneSettings, unchanged: bool
) -> tuple[dict[str, torch.Tensor], Origin, tuple[str, ...], tuple[str, ...]]:
    """A local file's weights, with their origin, variants and the methods of the fakes that they have seen: the file's
    own if it is a backbone of this project, else what timm says of the network, whose weights such files are.
    """
    if not path.is_file():
        raise InputError(
            f"backbone.weights: no file {path}; set it to 'none', 'hub', a package ({', '.join(PACKAGES)}) or an "
            "existing .safetensors or .pth file"
        )
    state = _load_state(path)
    ours = read_architecture(path) if path.suffix == ".safetensors" else None
    if ours is None:
        return state, replace(_timms_origin(settings.name), source=path.name, licence=""), (), ()
    _require_fit(path, ours, settings, unchanged)
    return state, ours.origin, ours.variants, ours.trained_on_fakes


def _require_fit(path: Path, ours: Architecture, settings: BackboneSettings, unchanged: bool) -> None:
    """Raises :class:`InputError` where the settings aren't those of a file of this project, or it is of a system."""
    if ours.system:
        raise InputError(
            f"backbone.weights names {path}, which is of the system '{ours.system}': only a plain network can be gone "
            "on from; set backbone.weights to another file, 'none', 'hub' or a package"
        )
    known = timm.get_pretrained_cfg(ours.name)
    wanted: dict[str, str | int] = {"name": ours.name}
    if unchanged or (known is not None and known.fixed_input_size):
        wanted["input_size"] = ours.input_size
    if unchanged and (ours.origin.mean, ours.origin.std) != (HALF, HALF):
        wanted["normalization"] = "weights"
    wrong = {key: value for key, value in wanted.items() if getattr(settings, key) != value}
    if wrong:
        found = ", ".join(f"backbone.{key} is {getattr(settings, key)}" for key in wrong)
        remedy = ", ".join(f"backbone.{key} to {value}" for key, value in wrong.items())
        because = " (train.tune is none: nothing adapts the weights to another input)" if unchanged else ""
        raise InputError(f"{found}, but backbone.weights names {path}, which is for another; set {remedy}{because}")


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


def forward(model: torch.nn.Module, images: torch.Tensor, with_features: bool = False) -> Outputs:
    """What the network says of prepared images (n, 3, s, s), with the system that extends it, if one does.

    ``with_features``: keep what a network without a system gives before pooling.
    """
    if hasattr(model, "system"):
        found: Outputs = cast(Any, model).system(model, images)
        return found
    return plain(model, images, with_features)


def boundary_cells(architecture: Architecture) -> int:
    """The side of the boundary map in cells; 0 where there is none."""
    return architecture.input_size // BOUNDARY_STRIDE if architecture.boundary else 0

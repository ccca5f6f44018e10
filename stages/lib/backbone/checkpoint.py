"""Files of weights: the trained backbone, and the checkpoint that an interrupted training resumes from."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import timm
import torch

from stages.lib.backbone.network import add_boundary_head, add_system, create_network, set_normalization
from stages.lib.backbone.weights import Architecture, read_architecture
from stages.lib.errors import InputError
from stages.lib.files import atomic_path


def save_backbone(path: Path, model: torch.nn.Module, architecture: Architecture) -> None:
    """Write weights with their architecture inside (safetensors), atomically."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        safetensors.torch.save_file(state, temporary, metadata={"config": architecture.as_text()})


def load_backbone(path: Path, device: str) -> tuple[torch.nn.Module, Architecture]:
    """The network of a file of :func:`save_backbone`, ready to embed. Raises :class:`InputError` for any other file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro train_backbone` to make it")
    try:
        architecture = read_architecture(path)
        if architecture is None:
            raise ValueError("no architecture inside")
        if not timm.is_model(architecture.name):  # timm would look for some names on a hub
            raise ValueError(f"timm {timm.__version__} has no network '{architecture.name}'")
        model = create_network(architecture.name, architecture.input_size, variants=architecture.variants)
        if architecture.boundary:
            add_boundary_head(model, architecture.name)
        if architecture.system:
            add_system(model, architecture.system, architecture.input_size)
        model.load_state_dict(safetensors.torch.load_file(path))
        set_normalization(model, architecture.origin)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: not a whole backbone of this project ({type(error).__name__}: {error}); delete it and run `dvc "
            "repro`"
        ) from error
    return model.to(device).to(memory_format=torch.channels_last).eval(), architecture


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Losses are mean binary cross-entropies (equation 2); ``train_loss`` includes the boundary
    map's and guidance's, weighted, and the validation's figures are of the averaged weights where ``train.average``
    says so. ``guidance``: :meth:`Guiding.means`.
    """

    number: int
    train_loss: float
    val_loss: float
    val_auc: float
    learning_rate: float
    guidance: dict[str, float] = field(default_factory=dict)


@dataclass
class TrainingState:
    """What a training run has done so far, with the weights of the best epoch.

    ``keeps_last``: nothing tells epochs apart, and the last is the best.
    """

    epochs: list[Epoch]
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    keeps_last: bool = False

    @property
    def best(self) -> Epoch:
        """The epoch of the highest validation AUC, of equal ones that of the lowest loss; or simply the last."""
        if self.keeps_last:
            return self.epochs[-1]
        return max(self.epochs, key=lambda epoch: (epoch.val_auc, -epoch.val_loss))

    def add(self, epoch: Epoch, model: torch.nn.Module) -> None:
        """Add an epoch that the model has just finished."""
        self.epochs.append(epoch)
        if self.best is epoch:
            self.best_weights = copy.deepcopy(model.state_dict())


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of an unfinished training is kept; ``key``: hash of the settings, data and code that it belongs
    to.
    """

    path: Path
    key: str

    def save(self, state: TrainingState, parts: Mapping[str, Any]) -> None:
        """Write the state, and that of ``parts`` (whatever has a ``state_dict``), atomically."""
        content = {
            "key": self.key,
            "epochs": [asdict(epoch) for epoch in state.epochs],
            "best_weights": state.best_weights,
        }
        with atomic_path(self.path) as temporary:
            torch.save(content | {name: part.state_dict() for name, part in parts.items()}, temporary)

    def read(self) -> dict[str, Any] | None:
        """What :meth:`save` wrote with the same key, for :func:`restored`; reports it, or why training starts over."""
        if not self.path.is_file():
            return None
        try:
            content: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged archive fails in many ways
            print(f"{self.path}: not a readable checkpoint ({type(error).__name__}); training starts over")
            return None
        if content["key"] != self.key:
            print(f"{self.path}: left by training with other settings, data or code; training starts over")
            return None
        print(f"resuming training after epoch {len(content['epochs'])}, from {self.path}")
        return content


def restored(content: Mapping[str, Any] | None, parts: Mapping[str, Any], keeps_last: bool = False) -> TrainingState:
    """The state that a checkpoint has, with ``parts`` as they were; a new one where there is no checkpoint.

    ``keeps_last``: the last epoch is the best.
    """
    if content is None:
        return TrainingState([], keeps_last=keeps_last)
    for name, part in parts.items():
        part.load_state_dict(content[name])
    return TrainingState([Epoch(**epoch) for epoch in content["epochs"]], content["best_weights"], keeps_last)

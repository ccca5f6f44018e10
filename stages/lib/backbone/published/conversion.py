"""From published weights to a network of timm's that has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from stages.lib.backbone.network import classifier_of
from stages.lib.backbone.published.files import Original
from stages.lib.backbone.published.names import Names
from stages.lib.backbone.weights import Architecture, Origin
from stages.lib.errors import InputError


class WrongFormat(InputError):
    """Raised for a file whose tensors are not those of the format that it was named by."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path


@dataclass(frozen=True)
class Published:
    """A network with published weights as a backbone of this project. ``classifies``: whether it came with a classifier
    of real and fake; else its own gives 0 for every face.
    """

    model: torch.nn.Module
    architecture: Architecture
    classifies: bool


def head_of(model: torch.nn.Module) -> set[str]:
    """The names of the tensors of a network's classifier."""
    parts = {name: name.rpartition(".")[0] for name in model.state_dict()}
    return {name for name, module in parts.items() if model.get_submodule(module) is classifier_of(model)}


def finish(
    model: torch.nn.Module, name: str, size: int, origin: Origin, variants: Sequence[str], classifies: bool
) -> Published:
    """A network that has its weights, with what must be known of it. ``name``: timm's; ``size``: px of its input."""
    if not classifies:
        for parameter in classifier_of(model).parameters():
            torch.nn.init.zeros_(parameter)
    dimension = cast(Any, model).head_hidden_size
    architecture = Architecture(name, size, dimension, origin=origin, variants=tuple(variants))
    return Published(model, architecture, classifies)


def fill(model: torch.nn.Module, original: Original, names: Names, whose: str, ignored: Sequence[str] = ()) -> None:
    """Give a network the weights that ``names`` says it has in the original; a classifier of two classes becomes a
    logit, fake less real.

    ``ignored``: how names begin that the network doesn't need. Raises :class:`WrongFormat` for others, and for what is
    missing or of another shape.
    """
    own, given = model.state_dict(), dict(original.state)
    head = head_of(model)
    for ours, theirs in names.items():
        if ours.endswith("num_batches_tracked") and theirs[0] not in given:  # older PyTorch has none
            given[theirs[0]] = torch.tensor(0)
    used = {theirs for group in names.values() for theirs in group}
    missing = sorted(used - set(given))
    unknown = [name for name in given if name not in used and not name.startswith(tuple(ignored))]
    wrong, filled = [], {}
    for ours, theirs in names.items():
        if not all(name in given for name in theirs):
            continue
        tensor = torch.cat([given[name] for name in theirs]) if len(theirs) > 1 else given[theirs[0]]
        if ours in head and tensor.shape[0] == 2:
            tensor = tensor[1:] - tensor[:1]
        if ours in ("cls_token", "pos_embed") and tensor.ndim < 3:  # transformers keeps them without the batch
            tensor = tensor.reshape(1, -1, tensor.shape[-1])
        if tensor.shape != own[ours].shape:
            wrong.append(f"{theirs[0]}: {tuple(tensor.shape)}, not {tuple(own[ours].shape)}")
        filled[ours] = tensor
    problems = [
        f"{len(found)} tensors {what} ({', '.join(found[:3])}{', …' if len(found) > 3 else ''})"
        for what, found in (("are missing", missing), ("are unknown", unknown), ("have another shape", wrong))
        if found
    ]
    if problems:
        raise WrongFormat(original.path, f"is no file of format '{whose}': {'; '.join(problems)}")
    model.load_state_dict({**own, **filled})

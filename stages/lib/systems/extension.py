"""What a system adds to a timm network: layers, what is shown in training, and a loss."""

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch.nn.functional import binary_cross_entropy_with_logits


@dataclass(frozen=True)
class Outputs:
    """What the network says of n prepared images: ``embedding`` (n, d), ``logit`` (n,) (fake > 0), and, where it has a
    boundary head, ``boundary``, the logits (n, cells, cells) of its map. ``features``: what the network gives before
    pooling, where they are asked for. ``extra``: what a system's loss needs besides.
    """

    embedding: torch.Tensor
    logit: torch.Tensor
    boundary: torch.Tensor | None = None
    features: torch.Tensor | None = None
    extra: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """What a step of training shows: images float32 (n, 3, s, s) in [-1, 1] with their ``label`` (n,), 1 for fakes.

    ``mask``: float32 (n, s, s) in [0, 1], where each is forged, 0 throughout for a real; for systems alone. In a batch
    as it comes the second half are the fakes of the first, in the same order. ``draws``: seeds what a system draws.
    ``genuine``: bool (n/2,), which fakes aren't pseudo-fakes, for systems alone. ``extra``: what it drew, where its
    loss needs that.
    """

    images: torch.Tensor
    label: torch.Tensor
    mask: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    draws: int = 0
    genuine: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bool))
    extra: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def reals(self) -> torch.Tensor:
        """The real faces of a batch as it comes, (n/2, 3, s, s)."""
        return self.images[: len(self.images) // 2]

    @property
    def generator(self) -> torch.Generator:
        """A new generator of this step's draws, on the CPU."""
        return torch.Generator().manual_seed(self.draws)


def normalized(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Images in [-1, 1] as the network's weights want them, if that is otherwise."""
    if not hasattr(network, "input_scale"):
        return images
    return images * network.get_buffer("input_scale") + network.get_buffer("input_shift")


def stage_at(network: torch.nn.Module, stride: int) -> tuple[int, int] | None:
    """Which of a timm network's intermediate features have a stride, in px of its input, and their channels: (stage,
    channels); None where none has, or it doesn't give them.
    """
    stages = getattr(network, "feature_info", None) or []
    fitting = [at for at, stage in enumerate(stages) if stage.get("reduction") == stride]
    if not fitting or not hasattr(network, "forward_intermediates"):
        return None
    return fitting[-1], int(stages[fitting[-1]]["num_chs"])


def encode(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """A timm network's embeddings (n, d) of images (n, 3, s, s) in [-1, 1]."""
    timm_network = cast(Any, network)
    features = timm_network.forward_features(normalized(network, images))
    embedding: torch.Tensor = timm_network.forward_head(features, pre_logits=True)
    return embedding


def plain(network: torch.nn.Module, images: torch.Tensor, with_features: bool = False) -> Outputs:
    """What a timm network says of images (n, 3, s, s) in [-1, 1]."""
    timm_network, boundary = cast(Any, network), None  # timm's networks have no common type
    images = normalized(network, images)
    if hasattr(network, "boundary_head"):
        stage = timm_network.boundary_head.stage
        features, (at_stride,) = timm_network.forward_intermediates(images, indices=[stage])
        boundary = timm_network.boundary_head(at_stride)
    else:
        features = timm_network.forward_features(images)
    embedding: torch.Tensor = timm_network.forward_head(features, pre_logits=True)
    logit = timm_network.get_classifier()(embedding)[:, 0]
    return Outputs(embedding, logit, boundary, features if with_features else None)


def classification_loss(found: Outputs, batch: Shown) -> torch.Tensor:
    """The mean cross-entropy of the logits (equation 2)."""
    return binary_cross_entropy_with_logits(found.logit.float(), batch.label)


class Extension(torch.nn.Module):
    """A system's part of a network, and how it is trained; as it stands, the plain classifier.

    It becomes the network's module ``system``, so that its weights are trained and saved with it. The network is handed
    over in each call, not kept. ``embedding_dim``: of the embeddings that it gives.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        """``size``: px of the network's input."""
        super().__init__()
        self.embedding_dim = int(cast(Any, network).head_hidden_size)

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        """What the system says of images (n, 3, s, s) in [-1, 1]."""
        return plain(network, images)

    def show(self, network: torch.nn.Module, batch: Shown) -> Shown:
        """What to show in place of a batch; the network is as it is before the step."""
        return batch

    def loss(self, found: Outputs, batch: Shown) -> torch.Tensor:
        """The loss of what was shown."""
        return classification_loss(found, batch)

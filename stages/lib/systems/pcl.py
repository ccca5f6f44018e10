"""Pair-wise self-consistency learning (PCL, Zhao et al., ICCV 2021): which parts of a picture have another origin."""

from typing import Any, cast

import torch
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits

from stages.lib.errors import InputError
from stages.lib.systems.extension import Extension, Outputs, Shown, normalized, plain, stage_at

STRIDE = 16  # px of the input for each patch
WIDTH = 128  # of the vectors that are compared
WEIGHT = 10.0  # of the consistency beside the classification, as in the paper


def consistency(mask: torch.Tensor) -> torch.Tensor:
    """The volume 1 - |m_i - m_j| over pairs of patches of masks (n, cells, cells) in [0, 1]: (n, cells², cells²)."""
    of_patches = mask.flatten(1)
    return 1 - (of_patches[:, :, None] - of_patches[:, None, :]).abs()


class PairwiseConsistency(Extension):
    """Two 1 × 1 convolutions of the features at stride 16; how alike two patches are is their scaled inner product."""

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        """Raises :class:`InputError` for a network without features at stride 16."""
        super().__init__(network, size)
        found = stage_at(network, STRIDE)
        if found is None:
            raise InputError(
                f"train.system is pcl, but this network has no features at stride {STRIDE}; set backbone.name to an "
                "EfficientNet, a ResNet or a ViT with patches of 16"
            )
        self.stage, channels = found
        self.first, self.second = (torch.nn.Conv2d(channels, WIDTH, 1) for _ in range(2))

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        """The volume's logits as ``extra["consistency"]``, in training alone: the logit doesn't rest on it."""
        if not self.training:
            return plain(network, images)
        timm_network = cast(Any, network)
        shown = normalized(network, images)
        features, (at_stride,) = timm_network.forward_intermediates(shown, indices=[self.stage])
        embedding = timm_network.forward_head(features, pre_logits=True)
        first, second = self.first(at_stride).flatten(2), self.second(at_stride).flatten(2)
        volume = torch.einsum("nci,ncj->nij", first, second) / WIDTH**0.5
        return Outputs(embedding, timm_network.get_classifier()(embedding)[:, 0], extra={"consistency": volume})

    def loss(self, found: Outputs, batch: Shown) -> torch.Tensor:
        """The classification's cross-entropy and ten times the volume's."""
        volume = found.extra["consistency"].float()
        cells = round(volume.shape[1] ** 0.5)
        target = consistency(adaptive_avg_pool2d(batch.mask[:, None], cells)[:, 0])
        return super().loss(found, batch) + WEIGHT * binary_cross_entropy_with_logits(volume, target)

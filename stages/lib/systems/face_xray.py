"""Face X-ray (Li et al., CVPR 2020): a face is fake where something was blended in."""

from dataclasses import replace

import torch

from stages.lib.systems.extension import Extension, Outputs, plain

_STEEPNESS = 10.0  # of the untrained classifier: the more boundary, the more fake


class FaceXray(Extension):
    """The network's boundary map, trained to be 4 m (1 - m) of the mask, is all that the classifier sees of a face: its
    mean, through a linear layer.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        self.classifier = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.classifier.weight, _STEEPNESS)
        torch.nn.init.zeros_(self.classifier.bias)

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        """The logit is the map's; the embedding is the network's, as ever."""
        found = plain(network, images)
        assert found.boundary is not None  # the settings see to it
        pooled = torch.sigmoid(found.boundary.float()).mean(dim=(1, 2))[:, None]
        return replace(found, logit=self.classifier(pooled)[:, 0])

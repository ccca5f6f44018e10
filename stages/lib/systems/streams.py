"""Two networks of one kind, one for the picture and one for another view of it."""

import copy
from typing import Any, cast

import torch

from stages.lib.systems.extension import Extension, Outputs, normalized


class TwoStreams(Extension):
    """A second network, which begins as a copy of the first, beside it; a classifier sees both embeddings.

    A system gives each its view of the picture, three channels. That of the first is normalised as its weights want it.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        self.second = copy.deepcopy(network)
        cast(Any, self.second).reset_classifier(0)
        self.embedding_dim *= 2
        self.classifier = torch.nn.Linear(self.embedding_dim, 1)
        torch.nn.init.normal_(self.classifier.weight, std=0.01)
        torch.nn.init.zeros_(self.classifier.bias)

    def views(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the first and the second network are shown of images (n, 3, s, s): (n, 3, h, w) each."""
        raise NotImplementedError

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        """The embedding is both networks', one after the other: (n, 2 d)."""
        picture, other = self.views(images)
        views = ((network, normalized(network, picture)), (self.second, other))
        both = [
            cast(Any, one).forward_head(cast(Any, one).forward_features(view), pre_logits=True) for one, view in views
        ]
        embedding = torch.cat(both, dim=1)
        return Outputs(embedding, self.classifier(embedding)[:, 0])

"""UNTAG (Mejri et al., ICASSP 2023): features that real faces teach themselves, and a density of real faces."""

from dataclasses import replace

import torch
from torch.nn.functional import interpolate

from stages.lib.systems.extension import Extension, Outputs, Shown, plain

WIDTH = 256  # of the projection that is decorrelated
REDUNDANCY = 5e-3  # weight of what is off the diagonal, Barlow Twins' own
_LEAST_PART = 0.6  # of the side, a view


def cross_correlation_loss(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """How far the correlation of two views' vectors (n, d) over the batch is from the identity (Barlow Twins, Zbontar
    et al., ICML 2021, equation 1).
    """
    first, second = ((one - one.mean(dim=0)) / (one.std(dim=0, correction=0) + 1e-5) for one in (first, second))
    correlation = first.T @ second / len(first)
    diagonal = correlation.diagonal()
    off = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + REDUNDANCY * off


def view(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Another view of each image (n, 3, s, s) in [-1, 1]: a part of it, flipped or not, at another exposure."""
    side, views = images.shape[-1], []
    for image in images:
        part = int(side * (_LEAST_PART + (1 - _LEAST_PART) * torch.rand((), generator=generator)))
        top, left = torch.randint(0, side - part + 1, (2,), generator=generator).tolist()
        one = image[:, top : top + part, left : left + part]
        one = one.flip(2) if torch.rand((), generator=generator) < 0.5 else one
        gain, bias = torch.rand(2, generator=generator).tolist()
        views.append(interpolate(one[None], (side, side), mode="bilinear")[0] * (0.7 + 0.6 * gain) + 0.4 * (bias - 0.5))
    return torch.stack(views).clamp(-1, 1)


class SelfSupervised(Extension):
    """Two views of each real face are to have one embedding, by Barlow Twins' loss. It has no classifier: its score is
    the density of real faces' embeddings (the single-frame detector), and its logit is 0.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        self.projection = torch.nn.Sequential(
            torch.nn.Linear(self.embedding_dim, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, WIDTH)
        )

    def show(self, network: torch.nn.Module, batch: Shown) -> Shown:
        """The first views of the real faces, then the second."""
        generator, reals = batch.generator, batch.reals
        images = torch.cat([view(reals, generator), view(reals, generator)])
        return replace(batch, images=images, label=torch.zeros_like(batch.label), mask=torch.zeros_like(batch.mask))

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        found = plain(network, images)
        extra = {"projected": self.projection(found.embedding)} if self.training else {}
        return replace(found, logit=torch.zeros_like(found.logit), extra=extra)

    def loss(self, found: Outputs, batch: Shown) -> torch.Tensor:
        """Barlow Twins' of the two views, by its width."""
        return cross_correlation_loss(*found.extra["projected"].float().chunk(2)) / WIDTH

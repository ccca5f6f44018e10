"""SeeABLE (Larue et al., ICCV 2023): real faces with soft local discrepancies, each drawn to a prototype."""

from dataclasses import replace

import torch
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, normalize

from stages.lib.systems.extension import Extension, Outputs, Shown, plain

GRID = 4  # regions along each side of the middle of a crop
KINDS = 2  # of discrepancies: of colour and of detail
PROTOTYPES = GRID**2 * KINDS
WIDTH = 128  # of the sphere that prototypes lie on
TEMPERATURE = 0.1
_MARGIN = 1 / 8  # of the crop's side that is left alone all around
_STRENGTH = 0.3  # of a discrepancy of colour, at most


def prototypes(count: int, width: int) -> torch.Tensor:
    """Points (count, width) on the sphere that are as far from each other as can be: a simplex, centred.

    ``width`` is at least ``count``.
    """
    return normalize(torch.eye(count, width) - torch.eye(count, width).mean(dim=0), dim=1)


def soft_region(region: torch.Tensor, side: int) -> torch.Tensor:
    """The soft masks (n, side, side) in [0, 1] of cells (n,), counted by rows, of the grid."""
    margin = side * _MARGIN
    cell = (side - 2 * margin) / GRID
    row, column = (region // GRID)[:, None], (region % GRID)[:, None]
    at = torch.arange(side) + 0.5
    rows, columns = (((at - margin) / cell).floor() == one for one in (row, column))
    mask = (rows[:, :, None] & columns[:, None, :]).float()
    reach = 2 * round(cell / 4) + 1
    return avg_pool2d(mask[:, None], reach, stride=1, padding=reach // 2)[:, 0]


def discrepant(
    images: torch.Tensor, kind: torch.Tensor, mask: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Images (n, 3, s, s) in [-1, 1] that are otherwise under the mask (n, s, s): of another colour (``kind`` 0), or
    with less detail (1).
    """
    shift = (torch.rand(len(images), 3, 1, 1, generator=generator) * 2 - 1) * _STRENGTH
    gain = 1 + (torch.rand(len(images), 1, 1, 1, generator=generator) * 2 - 1) * _STRENGTH
    coloured = images * gain.to(images) + shift.to(images)
    side = images.shape[-1]
    small = interpolate(images, (max(side // 3, 1),) * 2, mode="bilinear", antialias=True)
    smooth = interpolate(small, (side, side), mode="bilinear")
    other = torch.where((kind == 0)[:, None, None, None], coloured, smooth)
    return (images + (other - images) * mask[:, None]).clamp(-1, 1)


class SoftDiscrepancies(Extension):
    """Real faces alone. Where and how one was changed says to which prototype its projection is drawn; the logit of a
    face is its largest cosine to a prototype, since one that nothing was done to is drawn to none.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        self.projection = torch.nn.Sequential(
            torch.nn.Linear(self.embedding_dim, 2 * WIDTH), torch.nn.ReLU(), torch.nn.Linear(2 * WIDTH, WIDTH)
        )
        self.register_buffer("prototypes", prototypes(PROTOTYPES, WIDTH), persistent=False)

    def cosines(self, embedding: torch.Tensor) -> torch.Tensor:
        """Of projected embeddings (n, d) to the prototypes: float32 (n, prototypes)."""
        with torch.autocast(embedding.device.type, enabled=False):  # bfloat16 has steps of 0.004 near 1
            return normalize(self.projection(embedding.float()), dim=1) @ self.get_buffer("prototypes").T

    def show(self, network: torch.nn.Module, batch: Shown) -> Shown:
        """The real faces, each with a discrepancy."""
        n, generator = len(batch.reals), batch.generator
        drawn = torch.randint(PROTOTYPES, (n,), generator=generator)
        kind = (drawn // GRID**2).to(batch.images.device)
        mask = soft_region(drawn % GRID**2, batch.images.shape[-1]).to(batch.images)
        images = discrepant(batch.reals, kind, mask, generator)
        label = torch.ones(n, device=batch.images.device)
        return replace(batch, images=images, label=label, mask=mask, extra={"prototype": drawn.to(kind.device)})

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        found = plain(network, images)
        cosines = self.cosines(found.embedding)
        return replace(found, logit=cosines.amax(dim=1), extra={"cosines": cosines})

    def loss(self, found: Outputs, batch: Shown) -> torch.Tensor:
        """The cross-entropy of a face's own prototype among all, of cosines: bounded, since cosines are."""
        return cross_entropy(found.extra["cosines"] / TEMPERATURE, batch.extra["prototype"])

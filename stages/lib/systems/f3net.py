"""F3-Net (Qian et al., ECCV 2020): a picture by its frequency bands, beside the statistics of local frequencies."""

import math
from typing import Any, cast

import torch
from torch.nn.functional import conv2d

from stages.lib.errors import InputError
from stages.lib.systems.streams import TwoStreams

WINDOW, STEP, BANDS = 10, 2, 6  # of the local statistics, as in the paper
_EDGES = (0.0, 1 / 2.82, 1 / 2, 2.0)  # of i + j in sides: bands of 1/16, 1/16 and 7/8 of the spectrum


def dct_matrix(size: int) -> torch.Tensor:
    """The orthonormal discrete cosine transform (DCT-II) of ``size`` values: (size, size)."""
    at, frequency = torch.arange(size), torch.arange(size)[:, None]
    matrix = torch.cos((2 * at + 1) * frequency * math.pi / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def band_filters(size: int, edges: tuple[float, ...]) -> torch.Tensor:
    """Which coefficients (i, j) of a square's transform lie in each band of i + j: (bands, size, size) of 0 and 1, of
    which each coefficient is in exactly one. ``edges``: in sides, ascending.
    """
    diagonal = (torch.arange(size)[:, None] + torch.arange(size)) / size
    bands = [(diagonal >= low) & (diagonal < high) for low, high in zip(edges, edges[1:], strict=False)]
    return torch.stack(bands).float()


class FrequencyStreams(TwoStreams):
    """The first network is shown the picture's bands (FAD), the second the logarithms of local band energies (LFS).

    Bands and statistics become three channels by 1 × 1 convolutions, of which the first begins as the sum of the bands:
    the picture itself.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        """Raises :class:`InputError` for a network that takes images of one size alone."""
        super().__init__(network, size)
        if cast(Any, network).pretrained_cfg.get("fixed_input_size"):
            raise InputError(
                "train.system is f3net, whose second network sees smaller pictures, but this network takes one size "
                "alone; set backbone.name to a convolutional network"
            )
        filters = band_filters(size, _EDGES)
        self.register_buffer("transform", dct_matrix(size), persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.learned = torch.nn.Parameter(torch.zeros_like(filters))
        self.merge = torch.nn.Conv2d(3 * len(filters), 3, 1, bias=False)
        with torch.no_grad():
            self.merge.weight.copy_(torch.eye(3).repeat(1, len(filters))[:, :, None, None])
        window = dct_matrix(WINDOW)
        basis = torch.einsum("ia,jb->ijab", window, window).reshape(WINDOW**2, 1, WINDOW, WINDOW)
        edges = tuple(2 * at / BANDS for at in range(BANDS + 1))
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("local", band_filters(WINDOW, edges).flatten(1), persistent=False)
        # Not 0: amplitudes have no gradient there, and a band would never take in another's coefficient.
        self.learned_local = torch.nn.Parameter(torch.randn(BANDS, WINDOW**2) * 0.1)
        self.spread = torch.nn.Conv2d(BANDS, 3, 1)

    def bands(self, images: torch.Tensor) -> torch.Tensor:
        """The picture's part in each band, (n, bands, 3, s, s); untrained, they sum to it."""
        matrix = self.get_buffer("transform")
        spectrum = matrix @ images.float() @ matrix.T
        filters = self.get_buffer("filters") + 2 * torch.sigmoid(self.learned) - 1
        return matrix.T @ (spectrum[:, None] * filters[:, None]) @ matrix

    def statistics(self, images: torch.Tensor) -> torch.Tensor:
        """log10 of the summed DCT amplitudes of each window in each band, (n, 6, h, w), a window every second px."""
        coefficients = conv2d(images.float().mean(dim=1, keepdim=True), self.get_buffer("basis"), stride=STEP)
        filters = self.get_buffer("local") + 2 * torch.sigmoid(self.learned_local) - 1
        energies = torch.einsum("nchw,bc->nbhw", coefficients.abs(), filters.abs())
        return energies.clamp_min(1e-6).log10()

    def views(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(images.device.type, enabled=False):  # a spectrum has more range than bfloat16 has digits
            bands, statistics = self.bands(images).flatten(1, 2), self.statistics(images)
        return self.merge(bands), self.spread(statistics)

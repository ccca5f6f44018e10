"""High-frequency features (Luo et al., CVPR 2021): the picture beside its noise, as steganalysis sees it (SRM)."""

import torch
from torch.nn.functional import conv2d

from stages.lib.systems.streams import TwoStreams

# Three of the spatial rich model's filters (Fridrich and Kodovský 2012), each of which sums to 0.
_SQUARE = [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
_EDGES = [[0, 0, 0, 0, 0], [0, -1, 2, -1, 0], [0, 2, -4, 2, 0], [0, -1, 2, -1, 0], [0, 0, 0, 0, 0]]
_LINE = [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, -2, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
KERNELS = ((_SQUARE, 12), (_EDGES, 4), (_LINE, 2))  # with what each is divided by
_LEVELS = 127.5  # of a picture in [-1, 1]
_MOST = 3.0  # levels: what exceeds them is an edge rather than noise


class HighFrequencies(TwoStreams):
    """The second network is shown three high-pass residuals, whose kernels stay as they are."""

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        kernels = torch.stack([torch.tensor(kernel, dtype=torch.float32) / by for kernel, by in KERNELS])
        self.register_buffer("kernels", kernels, persistent=False)

    def residuals(self, images: torch.Tensor) -> torch.Tensor:
        """Each filter's answer, the mean over the colours, in [-1, 1]: (n, 3, s, s)."""
        with torch.autocast(images.device.type, enabled=False):  # in bfloat16 a flat picture has residuals, too
            grey = images.float().mean(dim=1, keepdim=True) * _LEVELS
            kernels = self.get_buffer("kernels")[:, None]
            return conv2d(grey, kernels, padding=2).clamp(-_MOST, _MOST) / _MOST

    def views(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images, self.residuals(images)

"""What stands between the backbone's features and Stable Diffusion: alignment, feature filters and weight heads
(DiffusionFake's sections on the Feature Filter and the Weight Module).
"""

import torch
from torch.nn.functional import cosine_similarity, interpolate, silu

_HEADS = 4  # of the filter's attention
_SQUEEZE = 4  # by which the channel gate is narrower inside
_HIDDEN = (256, 128)  # of the weight head


class Alignment(torch.nn.Module):
    """From a backbone's features to the width and the size that the UNet's first block has.

    The authors enlarge the features at their full width instead, with 206 million parameters for an EfficientNet-B4.
    """

    def __init__(self, width: int, channels: int, prefix_tokens: int = 0, channels_last: bool = False) -> None:
        """``width``: channels of the features; ``prefix_tokens``: how many of a ViT's tokens are no part of the image;
        ``channels_last``: whether features of four dimensions end with the channels.
        """
        super().__init__()
        self._prefix_tokens, self._channels_last = prefix_tokens, channels_last
        self.projection = torch.nn.Conv2d(width, channels, 1)

    def maps(self, features: torch.Tensor) -> torch.Tensor:
        """Features (n, width, h, w), (n, h, w, width) or (n, prefix + h * h, width) as maps (n, width, h, w)."""
        if features.ndim == 3:
            tokens = features[:, self._prefix_tokens :]
            side = round(tokens.shape[1] ** 0.5)
            return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
        return features.permute(0, 3, 1, 2) if self._channels_last else features

    def forward(self, maps: torch.Tensor, size: int) -> torch.Tensor:
        """:meth:`maps` (n, width, h, w) as (n, channels, size, size)."""
        projected = self.projection(maps)
        return interpolate(projected, (size, size), mode="bilinear", align_corners=False)


class FeatureFilter(torch.nn.Module):
    """Keeps of features (n, c, h, w) what one branch needs: gates over channels and places, then attention over all
    places whose queries are the features before the gates. Takes and gives (n, c, h, w); c is a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = torch.nn.Conv2d(channels, channels, 3, padding=1)
        self.channel_gate = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Conv2d(channels, channels // _SQUEEZE, 1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(channels // _SQUEEZE, channels, 1),
            torch.nn.Sigmoid(),
        )
        self.place_gate = torch.nn.Sequential(torch.nn.Conv2d(channels, 1, 3, padding=1), torch.nn.Sigmoid())
        self.attention = torch.nn.MultiheadAttention(channels, _HEADS, batch_first=True)
        self.leave = torch.nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        entered = self.enter(features)
        query = silu(entered)
        gated = entered * self.channel_gate(query) * self.place_gate(query)
        tokens, key = (maps.flatten(2).transpose(1, 2) for maps in (query, gated))
        attended = self.attention(tokens, key, key, need_weights=False)[0]
        filtered: torch.Tensor = self.leave(attended.transpose(1, 2).reshape(query.shape))
        return filtered


class WeightHead(torch.nn.Module):
    """How like its source, or its target, a fake is, in [0, 1]: features (n, width, h, w), pooled, to (n,).

    Layers with activations between them, as the paper has it; the authors' code has none.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = _HIDDEN
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(width, first),
            torch.nn.ReLU(),
            torch.nn.Linear(first, second),
            torch.nn.ReLU(),
            torch.nn.Linear(second, 1),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        weight: torch.Tensor = self.layers(maps.mean(dim=(2, 3)))[:, 0].sigmoid()
        return weight


def similarity(latents: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """How like two batches of latents (n, …) are: (cosine + 1) / 2, (n,) in [0, 1], which a sigmoid can reach."""
    cosine = cosine_similarity(latents.flatten(1), others.flatten(1))
    # Rounding: the cosine of equal latents may exceed 1.
    return ((cosine + 1) / 2).clamp(0, 1)

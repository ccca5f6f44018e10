"""MesoNet (Afchar et al., "MesoNet: a compact facial video forgery detection network", WIFS 2018): its two networks as
networks of timm's. Importing this module is what makes their names known to timm.
"""

from typing import Any, cast

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn
from torch.nn import functional

_SIZE = 256  # px, of the published weights' input
_STRIDE = 32  # px of the input for each cell that is left
_WIDTH = 16  # of the embedding, and channels of each cell
_EPSILON, _MOMENTUM = 1e-3, 0.01  # of batch normalisation: Keras' defaults, which PyTorch counts the other way round


class Inception(nn.Module):
    """Four convolutions of one image side by side, of which three look further and further around (dilations 1 to 3).

    Its layers are registered in the order of a Keras file, by which published weights are read (``read_mesonet``).
    """

    def __init__(self, channels: int, widths: tuple[int, int, int, int]) -> None:
        """``widths``: channels of the output, of the pointwise convolution and of those of dilation 1, 2 and 3."""
        super().__init__()
        pointwise, *dilated = widths
        self.reduce = nn.ModuleList(nn.Conv2d(channels, width, 1) for width in dilated)
        self.pointwise = nn.Conv2d(channels, pointwise, 1)
        self.dilated = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding="same", dilation=dilation) for dilation, width in enumerate(dilated, 1)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (n, c, h, w) in, (n, sum of the widths, h, w) out."""
        branches = [self.pointwise(images)]
        for reduce, dilated in zip(self.reduce, self.dilated, strict=True):
            branches.append(dilated(functional.relu(reduce(images))))
        return functional.relu(torch.cat(branches, dim=1))


class MesoNet(nn.Module):
    """Four blocks of convolution, ReLU, batch normalisation and max pooling; then a layer of 16 and the classifier.

    With timm's interface, as far as this project uses it. The embedding is what the classifier is given. A size that is
    no multiple of 32 px loses its last pixels to pooling, where Keras would pad it.
    """

    def __init__(
        self,
        inception: bool = False,
        num_classes: int = 1,
        img_size: int | tuple[int, int] = _SIZE,
        in_chans: int = 3,
        drop_rate: float = 0.5,
    ) -> None:
        """``inception``: of the first two blocks, instead of plain convolutions. ``img_size``: px, of square images."""
        super().__init__()
        size = img_size if isinstance(img_size, int) else img_size[0]
        if inception:
            first = [_block(Inception(in_chans, (1, 4, 4, 2)), 11, 2), _block(Inception(11, (2, 4, 4, 2)), 12, 2)]
        else:
            first = [_block(_convolution(in_chans, 8, 3), 8, 2), _block(_convolution(8, 8, 5), 8, 2)]
        self.blocks = nn.Sequential(
            *first,
            _block(_convolution(12 if inception else 8, _WIDTH, 5), _WIDTH, 2),
            _block(_convolution(_WIDTH, _WIDTH, 5), _WIDTH, 4),
        )
        self.num_classes, self.num_features, self.head_hidden_size = num_classes, _WIDTH, _WIDTH
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(_WIDTH * (size // _STRIDE) ** 2, _WIDTH)
        self.reset_classifier(num_classes)
        self.apply(_as_keras_starts)

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A new last layer; none for 0 classes. ``global_pool``: timm's, which this network has no use for."""
        self.num_classes = num_classes
        self.classifier = nn.Linear(_WIDTH, num_classes) if num_classes else nn.Identity()

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, 3, s, s) in, features (n, 16, s / 32, s / 32) out."""
        return cast(torch.Tensor, self.blocks(images))

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Logits (n, classes) of features, or with ``pre_logits`` embeddings (n, 16)."""
        hidden = functional.leaky_relu(self.fc(self.drop(features.flatten(1))), 0.1)
        embedding: torch.Tensor = self.drop(hidden)  # as training gives it to the classifier
        return embedding if pre_logits else cast(torch.Tensor, self.classifier(embedding))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of images (n, 3, s, s)."""
        return self.forward_head(self.forward_features(images))


def _convolution(channels: int, width: int, kernel: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, width, kernel, padding="same"), nn.ReLU())


def _block(convolution: nn.Module, width: int, pool: int) -> nn.Module:
    return nn.Sequential(convolution, nn.BatchNorm2d(width, _EPSILON, _MOMENTUM), nn.MaxPool2d(pool))


def _as_keras_starts(module: nn.Module) -> None:
    """Start from what Keras starts from: Glorot's uniform weights, biases of 0."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(cast(torch.Tensor, module.bias))


_PUBLISHED = {
    "input_size": (3, _SIZE, _SIZE),
    "fixed_input_size": True,  # timm then has img_size given to the network
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "classifier": "classifier",
}
default_cfgs = generate_default_cfgs({"meso4": _PUBLISHED, "mesoinception4": _PUBLISHED})  # timm looks for this name


@register_model
def meso4(pretrained: bool = False, **settings: Any) -> MesoNet:
    """Meso-4: plain convolutions. Raises what timm raises for ``pretrained``: no hub has its weights."""
    return build_model_with_cfg(MesoNet, "meso4", pretrained, **settings)


@register_model
def mesoinception4(pretrained: bool = False, **settings: Any) -> MesoNet:
    """MesoInception-4: two inception layers, then convolutions. Raises what timm raises for ``pretrained``."""
    return build_model_with_cfg(MesoNet, "mesoinception4", pretrained, inception=True, **settings)

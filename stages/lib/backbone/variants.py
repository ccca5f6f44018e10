"""What a published network does otherwise than timm's network of the same weights.

A file of weights names its variants (``Architecture.variants``): the network is the published one only with them. To
add one: an entry of ``VARIANTS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from torch.nn import functional

from stages.lib.errors import InputError

_EFFICIENTNET_B4_SIZE = 380  # px, for which efficientnet-pytorch fixes the paddings of a B4


class PaddedConv2d(torch.nn.Conv2d):
    """A convolution of images that are padded with zeros first, by ``before`` px at the top and left and ``after`` px
    at the bottom and right.
    """

    def __init__(self, like: torch.nn.Conv2d, before: int, after: int) -> None:
        """``like``: the convolution whose weights and stride it takes over."""
        kernel, stride = cast(tuple[int, int], like.kernel_size), cast(tuple[int, int], like.stride)
        bias, groups = like.bias is not None, like.groups
        super().__init__(like.in_channels, like.out_channels, kernel, stride, groups=groups, bias=bias)
        self.weight, self.bias = like.weight, like.bias
        self._pad = (before, after, before, after)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Features (n, c, h, w) in, (n, c', h', w') out."""
        return super().forward(functional.pad(input, self._pad))


class NormalizedLinear(torch.nn.Linear):
    """A linear layer on vectors of length 1."""

    def __init__(self, like: torch.nn.Linear) -> None:
        """``like``: the layer whose weights it takes over."""
        super().__init__(like.in_features, like.out_features, bias=like.bias is not None)
        self.weight, self.bias = like.weight, like.bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Vectors (n, d) of any length in, (n, d') out."""
        return super().forward(functional.normalize(input, dim=-1))


def _replace(model: torch.nn.Module, name: str, by: torch.nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, by)


def _unpadded_stem(model: torch.nn.Module) -> None:
    _replace(model, "conv_stem", PaddedConv2d(cast(torch.nn.Conv2d, model.get_submodule("conv_stem")), 0, 0))


def _padding_for_380(model: torch.nn.Module) -> None:
    """Fix TensorFlow's "same" padding, which timm takes from each input's size, as a 380 px input has it."""
    size = _EFFICIENTNET_B4_SIZE
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Conv2d) and module.stride[0] > 1:
            kernel, stride = module.kernel_size[0], module.stride[0]
            halved = -(-size // stride)
            padding = max((halved - 1) * stride + kernel - size, 0)
            if isinstance(module, Conv2dSame):
                _replace(model, name, PaddedConv2d(module, padding // 2, padding - padding // 2))
            size = halved


def _normalized_head(model: torch.nn.Module) -> None:
    classifier = cast(Any, model).get_classifier()
    if not isinstance(classifier, torch.nn.Linear):
        raise InputError(
            f"the classifier of this network is a {type(classifier).__name__}, and only a linear one can be given "
            "embeddings of length 1; set train.loss to cross_entropy, or backbone.name to another network"
        )
    name = next(name for name, module in model.named_modules() if module is classifier)
    _replace(model, name, NormalizedLinear(classifier))


def _class_token(model: torch.nn.Module) -> None:
    cast(Any, model).global_pool = "token"


@dataclass(frozen=True)
class Variant:
    """``apply``: makes timm's network, before its weights are loaded, the published one; their names stay timm's."""

    apply: Callable[[torch.nn.Module], None]
    description: str


NORMALIZED_HEAD = "normalized-head"
VARIANTS: dict[str, Variant] = {
    "unpadded-stem": Variant(_unpadded_stem, "an EfficientNet whose first convolution has no padding"),
    "padding-for-380": Variant(_padding_for_380, "an EfficientNet padded as for 380 px, whatever the input's size"),
    NORMALIZED_HEAD: Variant(_normalized_head, "a network whose classifier is given embeddings of length 1"),
    "class-token": Variant(_class_token, "a ViT whose embedding is its class token"),
}

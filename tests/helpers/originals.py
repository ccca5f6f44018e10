"""Published networks with random weights, built by the packages that they were published with."""

import warnings

import torch
from efficientnet_pytorch import EfficientNet
from torch import nn
from torch.nn import functional

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own code compares strings by identity
    from pretrainedmodels.models.xception import Xception


def randomize(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give what starts as 0 or 1 (biases, scales, tokens) other values, and evaluate from now on.

    The statistics of batch normalisation become those of random images: with any others the images would hardly matter
    after some layers, and a wrong layer would pass for a right one.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.ndim < 2 and not name.endswith("bias"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif tensor.ndim < 2 or "token" in name or "embedding" in name:
                tensor.normal_(0, 0.2, generator=generator)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        if norms:
            for norm in norms:
                norm.momentum = 1.0  # the next images alone
            torch.manual_seed(seed)
            coarse = torch.rand(6, 3, 8, 8, generator=generator) * 2 - 1
            model.train()(functional.interpolate(coarse, 160, mode="bicubic"))
    return model.eval()


def log_odds_of_fake(logits: torch.Tensor) -> torch.Tensor:
    """The logit of fake that two classes' logits (n, 2) stand for: the probability's log-odds."""
    probability = torch.softmax(logits.double(), dim=1)[:, 1]
    return torch.logit(probability)


class SelfBlendedImages(nn.Module):
    """As SelfBlendedImages has it: the package's network as ``net``."""

    def __init__(self) -> None:
        super().__init__()
        self.net = EfficientNet.from_name("efficientnet-b4", num_classes=2)

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        return functional.adaptive_avg_pool2d(self.net.extract_features(images), 1).flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)


class BenchEfficientNet(nn.Module):
    """As DeepfakeBench has it: another first convolution, a classifier outside of the package's network."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.efficientnet = EfficientNet.from_name("efficientnet-b4")
        self.backbone.efficientnet._conv_stem = nn.Conv2d(3, 48, kernel_size=3, stride=2, bias=False)
        self.backbone.efficientnet._fc = nn.Identity()
        self.backbone.last_layer = nn.Linear(1792, 2)

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone.efficientnet.extract_features(images).mean(dim=(2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone.last_layer(self.embedding(images))


class BenchXception(nn.Module):
    """As DeepfakeBench has it: the network of ``pretrainedmodels``, with a layer that it doesn't use."""

    def __init__(self, dropout: bool) -> None:
        super().__init__()
        network = Xception(num_classes=2)
        linear = network.fc
        del network.fc
        network.last_linear = nn.Sequential(nn.Dropout(0.5), linear) if dropout else linear
        network.adjust_channel = nn.Sequential(nn.Conv2d(2048, 512, 1, 1), nn.BatchNorm2d(512), nn.ReLU())
        self.backbone = network

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.backbone.features(images)).mean(dim=(2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone.last_linear(self.embedding(images))


class GenD(nn.Module):
    """As GenD has it: an encoder as ``feature_extractor``, and a linear layer on embeddings, of length 1 or not.

    ``embed``: the encoder's embeddings of images.
    """

    def __init__(self, parts: dict[str, nn.Module], width: int, embed, normalized: bool) -> None:
        super().__init__()
        self.feature_extractor = nn.Module()
        for name, part in parts.items():
            self.feature_extractor.add_module(name, part)
        self.model = nn.Module()
        self.model.linear = nn.Linear(width, 2)
        self._embed, self._normalized = embed, normalized

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        return self._embed(self.feature_extractor, images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        embedding = self.embedding(images)
        return self.model.linear(functional.normalize(embedding, p=2, dim=1) if self._normalized else embedding)

"""MesoNet's published weights (https://github.com/DariusAf/MesoNet)."""

from pathlib import Path
from typing import cast

import torch

from stages.lib.backbone.mesonet import MesoNet
from stages.lib.backbone.network import classifier_of, create_network
from stages.lib.backbone.published.conversion import Published, WrongFormat, fill, finish
from stages.lib.backbone.published.files import read_original
from stages.lib.backbone.published.names import keras_names
from stages.lib.backbone.weights import Origin

_ORIGIN = Origin("https://github.com/DariusAf/MesoNet", "as its repository says", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_SIZE = 256  # px
_NETWORKS = {10: "meso4", 22: "mesoinception4"}  # by how many of their layers have weights


def read_mesonet(source: str) -> Published:
    """Meso4 or MesoInception4 of its ``classifiers.py``, whose output 1 is real, for pixels from 0 to 1.

    Layers are told by their order, as Keras itself tells them: the numbers in their names depend on what else was made
    before. Keras writes a network's layers by how far they are from its output, and those equally far in the order in
    which they are put together. Of an inception layer these are the 1x1 convolutions that the 3x3 ones stand on, then
    the 1x1 convolution that stands alone, then the 3x3 ones, of dilation 1, 2 and 3. That is the order in which
    :class:`Inception` registers its layers. Raises :class:`WrongFormat` where number, kind or shape differs.
    """
    original = read_original(Path(source))
    layers = list(dict.fromkeys(name.rpartition("/")[0] for name in original.state if "/" in name))
    if len(layers) not in _NETWORKS:
        raise WrongFormat(
            original.path,
            f"is no file of format 'mesonet': it has {len(layers)} layers of Keras with weights, expected 10 (Meso4) "
            "or 22 (MesoInception4)",
        )
    name = _NETWORKS[len(layers)]
    model = cast(MesoNet, create_network(name, _SIZE))
    fill(model, original, keras_names(model, layers), "mesonet")
    with torch.no_grad():
        model.fc.weight.copy_(_channels_first(model.fc.weight, model.num_features))
        for parameter in classifier_of(model).parameters():
            parameter.neg_()  # our logit is that of fake
    return finish(model, name, _SIZE, _ORIGIN, (), True)


def _channels_first(weight: torch.Tensor, channels: int) -> torch.Tensor:
    """For features that are flattened channel by channel, where Keras flattens pixel by pixel: (out, in) both."""
    return weight.reshape(len(weight), -1, channels).transpose(1, 2).flatten(1)

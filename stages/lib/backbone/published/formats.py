"""The formats that published weights come in.

To add one: a function that makes a :class:`Published` of what a user names, and an entry of ``FORMATS``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stages.lib.backbone.published.conversion import Published, WrongFormat
from stages.lib.backbone.published.detectors import (
    read_deepfakebench_efficientnet,
    read_deepfakebench_xception,
    read_gend,
    read_sbi,
)
from stages.lib.backbone.published.encoders import read_clip, read_timm
from stages.lib.backbone.published.files import read_original
from stages.lib.backbone.published.mesonet import read_mesonet
from stages.lib.errors import InputError

THEIRS = "those of its authors"  # which no file names


@dataclass(frozen=True)
class Format:
    """``read``: makes a backbone of what a user names. ``marker``: the name of a tensor that files of this format alone
    have, "" where none tells it. ``on_fakes``: whether its authors train on genuine fakes.
    """

    read: Callable[[str], Published]
    description: str
    marker: str = ""
    on_fakes: bool = False


FORMATS: dict[str, Format] = {
    "sbi": Format(read_sbi, "a checkpoint of SelfBlendedImages: EfficientNet-B4, 380 px", "net._conv_stem.weight"),
    "deepfakebench-efficientnetb4": Format(
        read_deepfakebench_efficientnet,
        "a checkpoint of DeepfakeBench's EfficientNet-B4, 256 px",
        "backbone.efficientnet._conv_stem.weight",
        on_fakes=True,
    ),
    "deepfakebench-xception": Format(
        read_deepfakebench_xception,
        "a checkpoint of DeepfakeBench's Xception, 256 px",
        "backbone.block12.rep.1.conv1.weight",
        on_fakes=True,
    ),
    "gend": Format(
        read_gend,
        "a model of GenD with its `config.json`: a CLIP, Perception Encoder or DINOv3 encoder, 224 px; or its name on "
        "the hub",
        "model.linear.weight",
        on_fakes=True,
    ),
    "mesonet": Format(
        read_mesonet,
        "a Keras 2 file (HDF5) of MesoNet's weights, of Meso4 or MesoInception4: 256 px",
        on_fakes=True,
    ),
    "clip": Format(
        read_clip,
        "the vision encoder of a CLIP model in transformers' format: a folder, or a name on the hub; no classifier",
        "vision_model.embeddings.class_embedding",
    ),
    "timm": Format(
        read_timm, "a network of timm: its name on the hub, or a folder downloaded from there; no classifier"
    ),
}


def read_published(kind: str, source: str) -> Published:
    """The backbone of what a user names: a file, a folder or a name on the hub, by the format ``kind`` of ``FORMATS``.

    Raises :class:`InputError` for what can't be read, or is of another format.
    """
    try:
        published = FORMATS[kind].read(source)
    except WrongFormat as error:
        raise InputError(f"{error}. {_what_it_may_be(error.path)}") from error
    published.model.eval()
    if FORMATS[kind].on_fakes:
        published = replace(published, architecture=replace(published.architecture, trained_on_fakes=(THEIRS,)))
    return published


def _what_it_may_be(path: Path) -> str:
    state = read_original(path).state
    fitting = [name for name, one in FORMATS.items() if one.marker and one.marker in state]
    if fitting:
        return f"Its names are those of format '{fitting[0]}'"
    return f"Its names begin with {', '.join(list(state)[:3])}; the formats are {', '.join(FORMATS)}"

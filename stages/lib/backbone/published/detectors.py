"""Published detectors: networks with a classifier of real and fake."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed

from stages.lib.backbone.network import create_network
from stages.lib.backbone.published.conversion import Published, fill, finish
from stages.lib.backbone.published.encoders import BESIDE_CLIP, CLIP_MEAN, CLIP_STD, clip_network
from stages.lib.backbone.published.files import Original, hub_folder, read_original
from stages.lib.backbone.published.names import clip_names, dinov3_names, efficientnet_names, xception_names
from stages.lib.backbone.weights import HALF, Origin
from stages.lib.errors import InputError

B4, XCEPTION = "tf_efficientnet_b4", "legacy_xception"  # timm's
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SBI = Origin(
    "https://github.com/mapooon/SelfBlendedImages", "non-commercial research only", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
)
_DEEPFAKEBENCH = Origin("https://github.com/SCLBD/DeepfakeBench", "CC BY-NC 4.0", HALF, HALF)
_GEND = Origin("https://github.com/yermandy/GenD", "as its model's page says")
_GEND_SIZE = 224  # px
_GEND_HEADS: dict[object, tuple[str, ...]] = {"linear": (), "LinearNorm": ("normalized-head",)}
_DINOV3_WIDTHS = {192: "tiny", 384: "small", 768: "base", 1024: "large"}
_GEND_PREFIXES = (
    "feature_extractor.vision_model.",
    "feature_extractor.backbone.model.",
    "feature_extractor.backbone.",
    "feature_extractor.",
)
_BESIDE_GEND = ("embeddings.mask_token", "criterion.")


def read_sbi(source: str) -> Published:
    """SelfBlendedImages: an EfficientNet-B4 of efficientnet-pytorch 0.7 as ``net``, whose class 1 is fake, for pixels
    from 0 to 1 (src/model.py, src/inference/ of its repository).
    """
    original = read_original(Path(source))
    variants = ("padding-for-380",)
    model = create_network(B4, 380, variants=variants)
    names = {ours: tuple(f"net.{name}" for name in theirs) for ours, theirs in efficientnet_names(model).items()}
    fill(model, original, names, "sbi")
    return finish(model, B4, 380, _SBI, variants, True)


def read_deepfakebench_efficientnet(source: str) -> Published:
    """DeepfakeBench's ``backbone``: an EfficientNet-B4 of efficientnet-pytorch 0.7.1, its first convolution replaced by
    one without padding (training/networks/efficientnetb4.py); also of its detectors that share it, as ``sbi``.
    """
    original = read_original(Path(source))
    variants = ("unpadded-stem", "padding-for-380")
    model = create_network(B4, 256, variants=variants)
    names = efficientnet_names(model)
    prefix = "backbone.efficientnet."
    names = {ours: tuple(f"{prefix}{name}" for name in theirs) for ours, theirs in names.items()}
    names |= {f"classifier.{kind}": (f"backbone.last_layer.{kind}",) for kind in ("weight", "bias")}
    fill(model, original, names, "deepfakebench-efficientnetb4")
    return finish(model, B4, 256, _DEEPFAKEBENCH, variants, True)


def read_deepfakebench_xception(source: str) -> Published:
    """DeepfakeBench's ``backbone``, an Xception (training/networks/xception.py); ``adjust_channel`` is unused in it."""
    original = read_original(Path(source))
    model = create_network(XCEPTION, 256)
    with_dropout = "backbone.last_linear.1.weight" in original.state
    names = xception_names(model, "last_linear.1" if with_dropout else "last_linear")
    names = {ours: tuple(f"backbone.{name}" for name in theirs) for ours, theirs in names.items()}
    fill(model, original, names, "deepfakebench-xception", ignored=("backbone.adjust_channel.",))
    return finish(model, XCEPTION, 256, _DEEPFAKEBENCH, (), True)


def read_gend(source: str) -> Published:
    """GenD, of its hub's format (src/hf/modeling_gend.py) or a Lightning checkpoint: an encoder as
    ``feature_extractor``, a linear layer as ``model.linear``, whose class 1 is fake, on embeddings that are brought to
    length 1 where the head is ``LinearNorm``.
    """
    original = read_original(hub_folder(source))
    backbone, head = (original.config.get(key) for key in ("backbone", "head"))
    if not isinstance(backbone, str) or head not in _GEND_HEADS:
        raise InputError(
            f"{original.path}: nothing says which encoder and head it has (found backbone {backbone!r}, head {head!r}; "
            f"expected head {' or '.join(map(str, _GEND_HEADS))}); put the model's config.json beside it"
        )
    variants = _GEND_HEADS[head]
    inner = original.without(*_GEND_PREFIXES)
    size, origin = _GEND_SIZE, _GEND
    if "clip" in backbone.lower():
        name, size = clip_network(inner, quick_gelu=True)  # GenD takes OpenAI's alone
        model = create_network(name, size, variants=variants)
        names, origin = clip_names(model), replace(origin, mean=CLIP_MEAN, std=CLIP_STD)
    elif "vit_pe" in backbone.lower() and timm.is_model(backbone):
        name, model = backbone, create_network(backbone, size, variants=variants)
        names = {ours: (ours,) for ours in model.state_dict()}
        inner = _resampled(inner, model)
    elif "dino" in backbone.lower():
        width = inner.state.get("embeddings.cls_token", torch.empty(0)).shape[-1]
        name, variants = f"vit_{_DINOV3_WIDTHS.get(width)}_patch16_dinov3_qkvb", ("class-token", *variants)
        if not timm.is_model(name):
            raise InputError(f"{original.path} is of {backbone}, which is no DINOv3 that timm has; choose another")
        model = create_network(name, size, variants=variants)
        names, origin = dinov3_names(model), replace(origin, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    else:
        raise InputError(f"{original.path} is of {backbone}; known are CLIP, Perception Encoder and DINOv3 encoders")
    names |= {f"head.{kind}": (f"model.linear.{kind}",) for kind in ("weight", "bias")}
    fill(model, inner, names, "gend", ignored=BESIDE_CLIP + _BESIDE_GEND)
    return finish(model, name, size, origin, variants, True)


def _resampled(original: Original, model: torch.nn.Module) -> Original:
    """With the position embeddings for the grid of a network's patches, as timm makes them for each input."""
    given = original.state.get("pos_embed")
    if given is None:
        return original
    network = cast(Any, model)
    grid = list(network.patch_embed.grid_size)
    fitting = resample_abs_pos_embed(given, grid, num_prefix_tokens=network.num_prefix_tokens)
    return replace(original, state=original.state | {"pos_embed": fitting})

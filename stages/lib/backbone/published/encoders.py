"""Published encoders: networks without a classifier of real and fake."""

import math
from pathlib import Path
from typing import Any, cast

import timm

from stages.lib.backbone.network import create_network
from stages.lib.backbone.published.conversion import Published, WrongFormat, fill, finish, head_of
from stages.lib.backbone.published.files import Original, hub_folder, read_original
from stages.lib.backbone.published.names import clip_names
from stages.lib.backbone.weights import Origin
from stages.lib.errors import InputError

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_CLIP_WIDTHS = {256: "xsmall", 512: "medium", 768: "base", 1024: "large", 1280: "huge", 1408: "giant", 1664: "gigantic"}
# What a CLIP model holds beside what its vision encoder needs
BESIDE_CLIP = ("visual_projection.", "text_projection.", "text_model.", "logit_scale", "embeddings.position_ids")


def clip_network(original: Original, quick_gelu: bool) -> tuple[str, int]:
    """timm's name of a CLIP vision encoder, and its input's size in px."""
    try:
        width = len(original.state["embeddings.class_embedding"])
        patch = original.state["embeddings.patch_embedding.weight"].shape[-1]
        cells = len(original.state["embeddings.position_embedding.weight"]) - 1
    except KeyError as error:
        raise WrongFormat(original.path, f"holds no CLIP vision encoder: no {error}") from error
    size = math.isqrt(cells) * patch
    start = f"vit_{_CLIP_WIDTHS.get(width)}_patch{patch}_clip_{'quickgelu_' if quick_gelu else ''}"
    known = timm.list_models(f"{start}[0-9]*")
    if not known:
        raise InputError(
            f"{original.path} holds a CLIP vision encoder of width {width} with patches of {patch} px, for which timm "
            f"{timm.__version__} has no network {start}…; choose another encoder"
        )
    return f"{start}{size}" if f"{start}{size}" in known else known[0], size


def read_clip(source: str) -> Published:
    """The vision encoder of a CLIP model of transformers, whose embedding is the class token before the projection."""
    original = read_original(hub_folder(source)).without("vision_model.")
    config = original.config.get("vision_config", original.config)
    if "hidden_act" not in config:
        raise InputError(
            f"{original.path}: no config.json beside it says hidden_act; put the model's config.json there"
        )
    name, size = clip_network(original, quick_gelu=config["hidden_act"] == "quick_gelu")
    model = create_network(name, size)
    heads = cast(Any, model).blocks[0].attn.num_heads
    if config.get("num_attention_heads", heads) != heads:
        raise InputError(
            f"{original.path} has {config['num_attention_heads']} attention heads, timm's {name} {heads}; choose "
            "another encoder"
        )
    fill(model, original, clip_names(model), "clip", ignored=BESIDE_CLIP)
    url = Path(source).name if Path(source).exists() else f"https://huggingface.co/{source}"
    return finish(model, name, size, Origin(url, "", CLIP_MEAN, CLIP_STD), (), False)


def read_timm(source: str) -> Published:
    """A network of timm with the weights that it has on the hub, or that lie in a folder downloaded from there."""
    return _timm_folder(Path(source)) if Path(source).exists() else _timm_from_hub(source)


def _timm_from_hub(source: str) -> Published:
    known = timm.get_pretrained_cfg(source) if timm.is_model(source) else None
    if known is None:
        close = timm.list_pretrained(f"*{source[:8]}*")[:5]
        raise InputError(
            f"'{source}' is neither a folder here nor a network that timm {timm.__version__} has weights of; close: "
            f"{', '.join(close) or 'none'}"
        )
    size = known.input_size[-1]
    try:
        model = create_network(source, size, pretrained=True)
    except Exception as error:  # hub, HTTP and file errors have no common type
        raise InputError(
            f"timm could not load weights of {source} ({type(error).__name__}: {str(error).splitlines()[0]}); go "
            f"online, or download their folder where you are online (`hf download {known.hf_hub_id} --local-dir "
            "FOLDER`) and name that"
        ) from error
    url = f"https://huggingface.co/{known.hf_hub_id}" if known.hf_hub_id else str(known.url)
    origin = Origin(url, known.license or "", tuple(known.mean), tuple(known.std))
    return finish(model, source.partition(".")[0], size, origin, (), False)


def _timm_folder(folder: Path) -> Published:
    original = read_original(folder)
    name, known = original.config.get("architecture"), original.config.get("pretrained_cfg", {})
    if not isinstance(name, str) or not timm.is_model(name) or not {"input_size", "mean", "std"} <= set(known):
        raise InputError(
            f"{folder}: no config.json says which of timm's networks it is; name a folder as the hub has it, with "
            "config.json and model.safetensors"
        )
    size = known["input_size"][-1]
    model = create_network(name, size)
    head = head_of(model)
    theirs = Original(original.path, {k: v for k, v in original.state.items() if k not in head}, original.config)
    fill(model, theirs, {ours: (ours,) for ours in model.state_dict() if ours not in head}, "timm")
    origin = Origin(folder.name, known.get("license") or "", tuple(known["mean"]), tuple(known["std"]))
    return finish(model, name, size, origin, (), False)

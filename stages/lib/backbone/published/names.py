"""By which names others keep the tensors of timm's networks: for each of timm's names, theirs, in the order in which
they are concatenated.
"""

from typing import Any, cast

import torch

Names = dict[str, tuple[str, ...]]

_DEPTHWISE = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_INVERTED = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
_INVERTED |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
_SQUEEZE = {"se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
_OUTSIDE = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}


def efficientnet_names(model: torch.nn.Module) -> Names:
    """Of an EfficientNet of the package ``efficientnet-pytorch``, which counts the blocks through."""
    modules = dict(_OUTSIDE)
    blocks = [
        (stage, at, block) for stage, row in cast(Any, model).blocks.named_children() for at, block in enumerate(row)
    ]
    for number, (stage, at, block) in enumerate(blocks):
        own = _INVERTED if hasattr(block, "conv_pwl") else _DEPTHWISE
        modules |= {f"blocks.{stage}.{at}.{ours}": f"_blocks.{number}.{one}" for ours, one in (own | _SQUEEZE).items()}
    return _of_modules(model, modules)


def xception_names(model: torch.nn.Module, classifier: str) -> Names:
    """Of the Xception of the package ``pretrainedmodels``: timm's own, but the classifier."""
    modules = {name.rpartition(".")[0]: name.rpartition(".")[0] for name in model.state_dict()}
    return _of_modules(model, modules | {"fc": classifier})


def _of_modules(model: torch.nn.Module, modules: dict[str, str]) -> Names:
    parts = {name: name.rpartition(".") for name in model.state_dict()}
    return {name: (f"{modules[module]}.{tensor}",) for name, (module, _, tensor) in parts.items()}


def clip_names(model: torch.nn.Module) -> Names:
    """Of the vision encoder of a CLIP of the package ``transformers``, all but the classifier."""
    names: Names = {
        "cls_token": ("embeddings.class_embedding",),
        "pos_embed": ("embeddings.position_embedding.weight",),
        "patch_embed.proj.weight": ("embeddings.patch_embedding.weight",),
    }
    for at in range(len(cast(Any, model).blocks)):
        ours, theirs = f"blocks.{at}", f"encoder.layers.{at}"
        for kind in ("weight", "bias"):
            names[f"{ours}.attn.qkv.{kind}"] = tuple(f"{theirs}.self_attn.{one}_proj.{kind}" for one in "qkv")
            names[f"{ours}.attn.proj.{kind}"] = (f"{theirs}.self_attn.out_proj.{kind}",)
            for layer in ("mlp.fc1", "mlp.fc2"):
                names[f"{ours}.{layer}.{kind}"] = (f"{theirs}.{layer}.{kind}",)
            for norm in "12":
                names[f"{ours}.norm{norm}.{kind}"] = (f"{theirs}.layer_norm{norm}.{kind}",)
    for kind in ("weight", "bias"):
        names[f"norm_pre.{kind}"] = (f"pre_layrnorm.{kind}",)
        names[f"norm.{kind}"] = (f"post_layernorm.{kind}",)
    return names


def dinov3_names(model: torch.nn.Module) -> Names:
    """Of a DINOv3 ViT of the package ``transformers``, all but the classifier."""
    names: Names = {
        "cls_token": ("embeddings.cls_token",),
        "reg_token": ("embeddings.register_tokens",),
        "patch_embed.proj.weight": ("embeddings.patch_embeddings.weight",),
        "patch_embed.proj.bias": ("embeddings.patch_embeddings.bias",),
        "norm.weight": ("norm.weight",),
        "norm.bias": ("norm.bias",),
    }
    layers = {"norm1": "norm1", "norm2": "norm2", "attn.proj": "attention.o_proj"}
    layers |= {"mlp.fc1": "mlp.up_proj", "mlp.fc2": "mlp.down_proj"}
    for at in range(len(cast(Any, model).blocks)):
        ours, theirs = f"blocks.{at}", f"layer.{at}"
        names[f"{ours}.attn.qkv.weight"] = tuple(f"{theirs}.attention.{one}_proj.weight" for one in "qkv")
        names |= {f"{ours}.attn.{one}_bias": (f"{theirs}.attention.{one}_proj.bias",) for one in "qv"}
        names |= {f"{ours}.gamma_{one}": (f"{theirs}.layer_scale{one}.lambda1",) for one in "12"}
        for kind in ("weight", "bias"):
            names |= {f"{ours}.{layer}.{kind}": (f"{theirs}.{one}.{kind}",) for layer, one in layers.items()}
    return names


_KERAS = {"weight": "kernel", "bias": "bias"}
_KERAS_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_KERAS_NORM |= {"num_batches_tracked": "num_batches_tracked"}  # Keras counts none


def keras_names(model: torch.nn.Module, layers: list[str]) -> Names:
    """Of a Keras file, whose ``layers`` with weights stand in the order of the network's modules with weights."""
    modules = [(name, one) for name, one in model.named_modules() if any(True for _ in one.parameters(recurse=False))]
    names: Names = {}
    for (ours, module), theirs in zip(modules, layers, strict=True):
        kinds = _KERAS_NORM if isinstance(module, torch.nn.BatchNorm2d) else _KERAS
        names |= {f"{ours}.{kind}": (f"{theirs}/{keras}",) for kind, keras in kinds.items()}
    return names

"""Stable Diffusion's parts, read from a local folder in diffusers' format or from the hub.

diffusers is imported only where there is guidance.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from stages.lib.errors import InputError
from stages.lib.fingerprint import fingerprint
from stages.lib.guidance.settings import GuidanceSettings

HUB = "stable-diffusion-v1-5/stable-diffusion-v1-5"
PROMPT = "empty_prompt"  # the tensor in the file of that name
_BESIDE_HUB = Path("inputs/stable-diffusion-v1-5")  # where the prompt of the hub's weights lies


@dataclass(frozen=True)
class Diffusion:
    """Stable Diffusion without its text encoder: diffusers' ``unet``, ``vae``, ``scheduler`` and the class
    ``controlnet``, and the embedding of the empty text, ``prompt`` (1, tokens, width).
    """

    unet: Any
    vae: Any
    scheduler: Any
    controlnet: Any
    prompt: torch.Tensor

    @property
    def stride(self) -> int:
        """px of an image for each cell of its latents."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


def prompt_file(weights: str) -> Path:
    """Where the embedding of the empty text lies, for a value of ``guidance.weights``."""
    return (_BESIDE_HUB if weights == "hub" else Path(weights)) / f"{PROMPT}.safetensors"


def fingerprints(weights: str) -> list[str]:
    """Of the files that ``guidance.weights`` names on this machine; for the hub those beside the empty text's."""
    folder = prompt_file(weights).parent
    return [f"{path.relative_to(folder)} {fingerprint(path)}" for path in sorted(folder.rglob("*")) if path.is_file()]


def load_diffusion(settings: GuidanceSettings) -> Diffusion:
    """The parts that ``guidance.weights`` names; with ``guidance.pretrained`` false the UNet's weights are random, and
    the VAE's, which the labels and the latents are made with, the same.

    Raises :class:`InputError` where diffusers isn't installed, and for parts that are absent, damaged or of a model
    that predicts something else than the noise.
    """
    weights = settings.weights
    try:
        from diffusers import AutoencoderKL, ControlNetModel, DDPMScheduler, UNet2DConditionModel
    except ImportError as error:
        raise InputError(
            f"guidance.weights is '{weights}', which needs diffusers ({error}); run `python -m pip install -r "
            "requirements-guidance.txt`, or set guidance.weights to none"
        ) from error
    if weights != "hub" and not Path(weights).is_dir():
        raise InputError(
            f"guidance.weights: no folder {weights}; set it to 'none', 'hub' or a folder with Stable Diffusion in "
            "diffusers' format (docs/guidance.md)"
        )
    prompt = _read_prompt(weights)
    where, local = (HUB, False) if weights == "hub" else (weights, True)
    try:
        vae = _whole(AutoencoderKL, where, "vae", local)
        if settings.pretrained:
            unet = _whole(UNet2DConditionModel, where, "unet", local)
        else:
            shapes = UNet2DConditionModel.load_config(where, subfolder="unet", local_files_only=local)
            unet = UNet2DConditionModel.from_config(shapes)
        scheduler = DDPMScheduler.from_pretrained(where, subfolder="scheduler", local_files_only=local)
    except Exception as error:  # hub, file and tensor errors have no common type
        raise InputError(
            f"guidance.weights is '{weights}', but Stable Diffusion could not be read from there "
            f"({type(error).__name__}: {error}); download it anew (docs/guidance.md), or set guidance.weights to none"
        ) from error
    _require_fit(weights, unet, vae, scheduler, prompt)
    return Diffusion(unet, vae, scheduler, ControlNetModel, prompt)


def _whole(kind: Any, where: str, part: str, local: bool) -> torch.nn.Module:
    """A part with all of its weights: diffusers would draw those that a file lacks."""
    model, found = kind.from_pretrained(
        where,
        subfolder=part,
        use_safetensors=True,
        local_files_only=local,
        low_cpu_mem_usage=False,
        output_loading_info=True,
    )
    if found["missing_keys"]:
        raise ValueError(f"{part} lacks {len(found['missing_keys'])} tensors ({found['missing_keys'][0]}, …)")
    return model  # type: ignore[no-any-return]


def _read_prompt(weights: str) -> torch.Tensor:
    path = prompt_file(weights)
    if not path.is_file():
        raise InputError(
            f"guidance.weights is '{weights}', but the embedding of the empty text is not at {path}; run `python -m "
            f"stages.empty_prompt {weights}` once"
        )
    try:
        return safetensors.torch.load_file(path)[PROMPT]
    except (safetensors.SafetensorError, KeyError) as error:
        raise InputError(
            f"{path}: no embedding of the empty text ({error}); delete it and run `python -m stages.empty_prompt "
            f"{weights}`"
        ) from error


def _require_fit(weights: str, unet: Any, vae: Any, scheduler: Any, prompt: torch.Tensor) -> None:
    """Raises :class:`InputError` for parts that don't go together."""
    wrong = None
    if scheduler.config.prediction_type != "epsilon":
        wrong = f"its UNet predicts '{scheduler.config.prediction_type}', not the noise ('epsilon')"
    elif prompt.ndim != 3 or prompt.shape[0] != 1 or prompt.shape[2] != unet.config.cross_attention_dim:
        wrong = (
            f"the embedding of the empty text has shape {tuple(prompt.shape)}, not (1, tokens, "
            f"{unet.config.cross_attention_dim})"
        )
    elif unet.config.in_channels != vae.config.latent_channels:
        wrong = f"its UNet takes {unet.config.in_channels} channels, its VAE gives {vae.config.latent_channels}"
    if wrong:
        raise InputError(
            f"guidance.weights is '{weights}', but {wrong}; choose Stable Diffusion 1.5 or another of its form"
        )

"""Stable Diffusion of a few thousand random weights, saved as a user's folder has it, and settings that name it."""

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

from stages.lib.guidance.settings import GuidanceSettings
from tests.helpers.params import SHIPPED, changed

SIZE = 64  # px of the images that are reconstructed; their latents are 8 x 8


def write_diffusion(folder: Path, prediction: str = "epsilon") -> None:
    """unet/, vae/, scheduler/ and the embedding of the empty text, of the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        unet = UNet2DConditionModel(
            sample_size=8,
            layers_per_block=1,
            block_out_channels=(8, 16),
            cross_attention_dim=8,
            attention_head_dim=2,
            norm_num_groups=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            norm_num_groups=4,
            sample_size=SIZE,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
        prompt = torch.randn(1, 5, 8)
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction
    )
    for part, name in ((unet, "unet"), (vae, "vae"), (scheduler, "scheduler")):
        part.save_pretrained(folder / name)
    safetensors.torch.save_file({"empty_prompt": prompt}, folder / "empty_prompt.safetensors")


def guidance_settings(folder: Path | str, **changes: Any) -> GuidanceSettings:
    return changed(SHIPPED.guidance, **{"weights": str(folder), "size": SIZE} | changes)

"""What guidance has learnt, as pictures: reconstructions of a source and a target, and the weights by kind of fake."""

from pathlib import Path
from typing import cast

import numpy as np
import torch

from stages.lib.figures import plt, save_png
from stages.lib.guidance.guide import Guidance
from stages.lib.guidance.modules import Alignment

STEP = 500  # of the schedule: how noisy the latents are that are reconstructed, of 1000 in Stable Diffusion
NOISES = 3


def _pixels(images: torch.Tensor) -> np.ndarray:
    """Images (n, 3, h, w) in [-1, 1] as uint8 (n, h, w, 3)."""
    levels = (images.float().clamp(-1, 1) + 1) * 127.5
    pixels: np.ndarray = levels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root of the mean squared difference of two pictures, in levels of 255."""
    return float(np.sqrt(np.mean((one.astype(float) - other) ** 2)))


@torch.no_grad()
def reconstructions(
    guidance: Guidance, features: torch.Tensor, source: torch.Tensor, target: torch.Tensor, seed: int
) -> np.ndarray:
    """Source and target of one fake in one step from latents with the noise of ``STEP``, for ``NOISES`` noises: uint8
    (2, NOISES, size, size, 3). The noisy latents hold what they are of: this is no picture made of the features alone.

    ``features``: the backbone's of the fake (1, …); ``source``, ``target``: (1, 3, size, size) in [-1, 1].
    """
    scale, draws = guidance.vae.config.scaling_factor, torch.Generator().manual_seed(seed)
    latents = guidance.posterior(torch.cat([source, target])).mode().float() * scale
    noise = torch.randn((NOISES, *latents.shape[1:]), generator=draws).to(latents)
    step = torch.full((NOISES,), STEP * guidance.scheduler.config.num_train_timesteps // 1000, device=latents.device)
    noisy = torch.cat([guidance.scheduler.add_noise(one.expand_as(noise), noise, step) for one in latents])
    maps = cast(Alignment, guidance.trained["alignment"]).maps(features).expand(NOISES, -1, -1, -1)
    found = guidance.predict(maps, guidance.weights(maps), noisy, step)
    kept = guidance.scheduler.alphas_cumprod.to(noisy)[step[0]]
    clean = (noisy - (1 - kept).sqrt() * found) / kept.sqrt()
    return _pixels(guidance.vae.decode(clean / scale).sample).reshape(2, NOISES, *target.shape[2:], 3)


def plot_reconstructions(
    path: Path,
    guidance: Guidance,
    features: torch.Tensor,
    fake: torch.Tensor,
    source: torch.Tensor,
    target: torch.Tensor,
    seed: int,
) -> None:
    """A fake, its source and target, and :func:`reconstructions` of both with their distances to either."""
    drawn = reconstructions(guidance, features, source, target, seed)
    shown = [_pixels(one)[0] for one in (fake, source, target)]
    figure, axes = plt.subplots(2, 2 + NOISES, figsize=(2.4 * (2 + NOISES), 5.6), layout="constrained")
    for row, name in enumerate(("source", "target")):
        panels = [("the fake", shown[0]), (f"its {name}", shown[1 + row])]
        for number, picture in enumerate(drawn[row]):
            to_source, to_target = (distance(picture, one) for one in shown[1:])
            title = f"{name}, noise {number + 1}: {to_source:.0f} from\nthe source, {to_target:.0f} from the target"
            panels.append((title, picture))
        for axis, (title, picture) in zip(axes[row], panels, strict=True):
            axis.imshow(picture)
            axis.set_title(title, fontsize=8)
            axis.set_axis_off()
    figure.suptitle(
        f"Reconstructed in one step from the VAE's latents with the noise of step {STEP} of 1000, a validation fake; "
        "distances: root mean square, of 255 levels",
        fontsize=8,
    )
    save_png(figure, path, dpi=90)


def plot_weights(path: Path, weights: np.ndarray, schemes: np.ndarray) -> None:
    """How like source and target the backbone takes fakes of each scheme to be: a dot for each, a bar at the mean.

    ``weights``: (2, n) in [0, 1], of source and target; ``schemes``: str (n,).
    """
    names = sorted(set(schemes))
    figure, axis = plt.subplots(figsize=(max(5.0, 1.5 + 1.1 * len(names)), 3.6), layout="constrained")
    for branch, (label, colour) in enumerate((("source", "#d95f0e"), ("target", "#3182bd"))):
        places = np.arange(len(names)) + (branch - 0.5) * 0.4
        groups = [weights[branch, schemes == name] for name in names]
        axis.bar(places, [group.mean() for group in groups], 0.36, color=colour, alpha=0.45, label=label)
        for place, group in zip(places, groups, strict=True):
            axis.plot(np.full(len(group), place), group, ".", color=colour, ms=3)
    axis.set_xticks(range(len(names)), [f"{name}\n({(schemes == name).sum()})" for name in names])
    axis.set_ylim(0, 1)
    axis.set_ylabel("weight: how like it the fake is")
    axis.set_title("Weights of validation fakes, by scheme (how many)", fontsize=9)
    axis.legend(fontsize=8)
    save_png(figure, path, dpi=90)

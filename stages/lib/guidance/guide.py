"""Guidance of a backbone: Stable Diffusion, frozen, reconstructs a fake's source and target from its features
(DiffusionFake, Sun et al., NeurIPS 2024).
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn.functional import mse_loss

from stages.lib.errors import InputError
from stages.lib.guidance.loading import Diffusion, load_diffusion
from stages.lib.guidance.modules import Alignment, FeatureFilter, WeightHead, similarity
from stages.lib.guidance.settings import GuidanceSettings


@dataclass(frozen=True)
class Terms:
    """What guidance adds to the loss: the ``total``, weighted, and its terms before they are (scalars).

    ``source``, ``target``: mean squared error of the noise that was to be predicted; ``weight_source``,
    ``weight_target``: of the similarities, 0 without weight heads.
    """

    total: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    weight_source: torch.Tensor
    weight_target: torch.Tensor


class Guidance(torch.nn.Module):
    """The frozen ``unet`` and ``vae``, and what is ``trained`` beside the backbone: the guide (the UNet's encoder
    copied, with convolutions that start at 0), the alignment, the filters and the weight heads.
    """

    def __init__(self, diffusion: Diffusion, backbone: torch.nn.Module, settings: GuidanceSettings) -> None:
        super().__init__()
        self.settings, self.scheduler, self.stride = settings, diffusion.scheduler, diffusion.stride
        self.unet, self.vae = diffusion.unet.requires_grad_(False), diffusion.vae.requires_grad_(False)
        self.register_buffer("prompt", diffusion.prompt)
        guide = diffusion.controlnet.from_unet(self.unet)
        guide.controlnet_cond_embedding = torch.nn.Identity()  # the features themselves, added after its conv_in
        if settings.checkpointing:
            guide.enable_gradient_checkpointing()
            self.unet.enable_gradient_checkpointing()
        network = cast(Any, backbone)  # timm's networks have no common type
        width, channels = network.num_features, self.unet.config.block_out_channels[0]
        channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        trained = {"guide": guide.requires_grad_(True)}
        trained["alignment"] = Alignment(width, channels, getattr(network, "num_prefix_tokens", 0), channels_last)
        for branch in ("source", "target"):
            if settings.filter:
                trained[f"filter_{branch}"] = FeatureFilter(channels)
            if settings.weight:
                trained[f"weight_{branch}"] = WeightHead(width)
        self.trained = torch.nn.ModuleDict(trained)
        self.train()

    def train(self, mode: bool = True) -> "Guidance":
        """Training mode of what is trained; the UNet and the VAE stay as they are."""
        super().train(mode)
        self.unet.eval()
        self.vae.eval()
        return self

    def posterior(self, images: torch.Tensor) -> Any:
        """The VAE's distribution of the latents of images (n, 3, size, size) in [-1, 1]."""
        with torch.no_grad():
            return self.vae.encode(images).latent_dist

    def weights(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How like source and target each fake is (n,), by :meth:`Alignment.maps`; 1 where there are no heads."""
        if not self.settings.weight:
            ones = maps.new_ones(len(maps), dtype=torch.float32)
            return ones, ones
        source, target = (self.trained[f"weight_{branch}"](maps) for branch in ("source", "target"))
        return source.float(), target.float()

    def predict(
        self, maps: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor], noisy: torch.Tensor, step: torch.Tensor
    ) -> torch.Tensor:
        """The noise in ``noisy`` latents (2n, 4, h, h), n of the sources then n of the targets, both at the same
        ``step`` (n,), as the UNet finds it with the help of ``maps`` (n, width, …) and ``weights``: float32.
        """
        aligned = self.trained["alignment"](maps, noisy.shape[-1])
        branches = [
            self.trained[f"filter_{branch}"](aligned) if self.settings.filter else aligned
            for branch in ("source", "target")
        ]
        steps, prompt = step.repeat(2), cast(torch.Tensor, self.prompt).expand(len(noisy), -1, -1)
        weight = torch.cat(weights)[:, None, None, None]
        down, middle = self.trained["guide"](
            noisy, steps, prompt, controlnet_cond=torch.cat(branches), return_dict=False
        )
        predicted: torch.Tensor = self.unet(
            noisy,
            steps,
            prompt,
            down_block_additional_residuals=[residual * weight for residual in down],
            mid_block_additional_residual=middle * weight,
        ).sample
        return predicted.float()

    def loss(
        self,
        features: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        source: torch.Tensor,
        generator: torch.Generator,
    ) -> Terms:
        """What guidance adds to the loss of n real faces with their fakes.

        ``features``: the backbone's of the real faces, then of the fakes (2n, …). ``real``, ``fake``, ``source``:
        images (n, 3, size, size) in [-1, 1], cut and changed alike. A fake's target is the real face that it was
        pasted into; a real face is its own source and target, and as similar to them as can be (1). ``generator``, on
        the CPU, draws latents, steps and noise; a fake's two branches have the same step and noise.
        """
        posterior, n = self.posterior(torch.cat([real, fake, source])), len(real)
        means = posterior.mode().float().split(n)
        deviations = posterior.std.float().split(n)
        # (which image is to be reconstructed, by real faces and by fakes) of the source branch and of the target's
        roles = ((0, 2), (0, 0))
        kept = slice(0 if self.settings.reals else n, None)

        def drawn(shape: torch.Size) -> torch.Tensor:
            return torch.randn(shape, generator=generator).to(real.device)

        latents = []
        for role in roles:
            mean, deviation = (torch.cat([some[at] for at in role]) for some in (means, deviations))
            latents.append((mean + deviation * drawn(mean.shape)) * self.vae.config.scaling_factor)
        step = torch.randint(self.scheduler.config.num_train_timesteps, (2 * n,), generator=generator).to(real.device)
        noise = drawn(latents[0].shape)
        maps = cast(Alignment, self.trained["alignment"]).maps(features)
        weights = self.weights(maps)
        noisy = torch.cat([self.scheduler.add_noise(one[kept], noise[kept], step[kept]) for one in latents])
        shown = (weights[0][kept], weights[1][kept])
        predicted = self.predict(maps[kept], shown, noisy, step[kept]).chunk(2)
        of_source, of_target = (mse_loss(one, noise[kept]) for one in predicted)
        labels = [torch.cat([torch.ones(n, device=real.device), similarity(means[1], means[at])]) for _, at in roles]
        of_weights = [mse_loss(weight, label) for weight, label in zip(weights, labels, strict=True)]
        return self._weighted(of_source, of_target, of_weights[0], of_weights[1])

    def _weighted(
        self, source: torch.Tensor, target: torch.Tensor, weight_source: torch.Tensor, weight_target: torch.Tensor
    ) -> Terms:
        total = self.settings.lambda_source * source + self.settings.lambda_target * target
        if not self.settings.weight:
            return Terms(total, source, target, torch.zeros_like(source), torch.zeros_like(target))
        total = total + self.settings.lambda_weight * (weight_source + weight_target)
        return Terms(total, source, target, weight_source, weight_target)


def build_guidance(settings: GuidanceSettings, backbone: torch.nn.Module, seed: int) -> Guidance:
    """Guidance of a timm network, what is trained of it as at the start. Draws from nothing but ``seed``.

    Raises :class:`InputError` for weights that can't be used, and for a size that they don't take.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        guidance = Guidance(load_diffusion(settings), backbone, settings)
    least = guidance.stride * 2 ** (len(guidance.unet.config.block_out_channels) - 1)
    if settings.size % least:
        raise InputError(
            f"guidance.size is {settings.size}, but the model of guidance.weights takes multiples of {least} px; set "
            f"it to {-(-settings.size // least) * least}"
        )
    return guidance

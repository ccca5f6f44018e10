"""SLADD (Chen et al., CVPR 2022): a synthesiser that learns which forgeries the detector misses."""

from dataclasses import replace

import torch
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, cross_entropy, interpolate

from stages.lib.systems.extension import Extension, Outputs, Shown, plain

REGIONS = ("whole", "upper", "lower", "middle")  # of what is forged in the bank
BLENDS = ("soft", "hard", "blurred")
RATIOS = (0.25, 0.5, 0.75, 1.0)
CHOICES = {"region": len(REGIONS), "blend": len(BLENDS), "ratio": len(RATIOS)}
TOLD_WEIGHT = 0.1  # of telling each choice, beside the classification
_SIDE = 64  # px that the synthesiser sees


def region_mask(mask: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """The part of masks (n, s, s) that each region (n,), an index of ``REGIONS``, leaves: halves, or the middle
    third, of the rows that are forged.
    """
    rows = torch.arange(mask.shape[1], device=mask.device).float()
    forged = mask.amax(dim=2) > 0
    first = torch.where(forged, rows, torch.inf).amin(dim=1)
    last = torch.where(forged, rows, -torch.inf).amax(dim=1)
    part = ((rows - first[:, None]) / (last - first).clamp_min(1)[:, None]).nan_to_num(0.0)
    keep = torch.stack([part >= -1, part < 0.5, part >= 0.5, (part >= 1 / 3) & (part < 2 / 3)], dim=1)
    chosen = keep[torch.arange(len(mask), device=mask.device), region]
    return mask * chosen[:, :, None]


def blend_mask(mask: torch.Tensor, blend: torch.Tensor) -> torch.Tensor:
    """Masks (n, s, s) in [0, 1] as each way of blending (n,), an index of ``BLENDS``, has them. Soft and blurred are
    averaged over 1/28 and 1/9 of the side, so that where a region was cut off is no edge.
    """
    soft, blurred = (
        avg_pool2d(mask[:, None], 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)[:, 0]
        for reach in (-(-mask.shape[1] // part) for part in (56, 18))
    )
    ways = torch.stack([soft, (mask > 0.5).float(), blurred], dim=1)
    return ways[torch.arange(len(mask), device=mask.device), blend]


class AdversarialSynthesis(Extension):
    """A small network sees a real face and its forgery and draws where, how and how strongly one is put into the other.

    It is rewarded by the detector's loss (REINFORCE, less the batch's mean); the detector also tells what was drawn. A
    genuine fake is shown as it is.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        self.policy = torch.nn.Sequential(
            torch.nn.Conv2d(6, 16, 5, 4, 2),
            torch.nn.ReLU(),
            torch.nn.Conv2d(16, 32, 3, 2, 1),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(32, sum(CHOICES.values())),
        )
        self.told = torch.nn.Linear(self.embedding_dim, sum(CHOICES.values()))

    def log_policy(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """The log-probabilities (n, k) of each choice for pairs of pictures (n, 6, h, h)."""
        return {name: logits.log_softmax(dim=1) for name, logits in _by_choice(self.policy(pictures)).items()}

    def show(self, network: torch.nn.Module, batch: Shown) -> Shown:
        """In place of the bank's pseudo-fakes, those that the synthesiser draws of the same two pictures."""
        n = len(batch.reals)
        real, source, mask = batch.reals, batch.images[n:], batch.mask[n:]
        pictures = interpolate(torch.cat([real, source], dim=1), (_SIDE, _SIDE), mode="bilinear", antialias=True)
        generator, extra = batch.generator, {"pictures": pictures}
        with torch.no_grad():
            for name, log in self.log_policy(pictures).items():
                drawn = torch.multinomial(log.float().exp().cpu(), 1, generator=generator)[:, 0]
                extra[name] = drawn.to(real.device)
        chosen = blend_mask(region_mask(mask, extra["region"]), extra["blend"])
        chosen = chosen * torch.tensor(RATIOS, device=real.device)[extra["ratio"]][:, None, None]
        chosen = torch.where(batch.genuine[:, None, None], 1.0, chosen)
        fake = real + (source - real) * chosen[:, None]
        return replace(batch, images=torch.cat([real, fake]), mask=torch.cat([batch.mask[:n], chosen]), extra=extra)

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        found = plain(network, images)
        return replace(found, extra={"told": self.told(found.embedding)}) if self.training else found

    def loss(self, found: Outputs, batch: Shown) -> torch.Tensor:
        """The detector's cross-entropy and what it tells of each choice, less the reward of the synthesiser."""
        n, own = len(batch.reals), (~batch.genuine).float()

        def mean(of_fakes: torch.Tensor) -> torch.Tensor:
            return (of_fakes * own).sum() / own.sum().clamp_min(1)  # of those that the synthesiser made

        of_each = binary_cross_entropy_with_logits(found.logit.float(), batch.label, reduction="none")
        total, reward = of_each.mean(), of_each[n:].detach()
        advantage = reward - mean(reward)
        log = self.log_policy(batch.extra["pictures"])
        for name, logits in _by_choice(found.extra["told"][n:].float()).items():
            drawn = batch.extra[name]
            total = total + TOLD_WEIGHT * mean(cross_entropy(logits, drawn, reduction="none"))
            total = total - mean(advantage * log[name].float().gather(1, drawn[:, None])[:, 0])
        return total


def _by_choice(values: torch.Tensor) -> dict[str, torch.Tensor]:
    """Columns of values (n, sum of ``CHOICES``) by what they are of."""
    return dict(zip(CHOICES, torch.split(values, list(CHOICES.values()), dim=1), strict=True))

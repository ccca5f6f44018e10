"""Guidance through a training: its optimizer, its draws by epoch, and what is logged of it."""

from typing import Any

import numpy as np
import torch

from stages.lib.guidance.guide import Guidance


class Guiding:
    """Trains a :class:`Guidance` beside the backbone, with AdamW of its own at ``guidance.learning_rate``.

    ``seed``: of the draws, each epoch's of their own, so that a resumed training makes the same ones.
    """

    def __init__(self, guidance: Guidance, seed: int, device: torch.device) -> None:
        self.guidance, self._seed, self._device = guidance.to(device), seed, device
        self._optimizer = torch.optim.AdamW(guidance.trained.parameters(), guidance.settings.learning_rate)
        self.start(0)

    @property
    def size(self) -> int:
        """px of the images that :meth:`loss` takes."""
        return self.guidance.settings.size

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint keeps of it. Of the frozen UNet and VAE nothing: they are read again."""
        return {"guidance": self.guidance.trained, "guidance_optimizer": self._optimizer}

    def start(self, epoch: int) -> None:
        """Begin an epoch."""
        draws = np.random.default_rng([self._seed, 4, epoch])
        self._generator = torch.Generator().manual_seed(int(draws.integers(2**63)))
        self._logged: list[dict[str, torch.Tensor]] = []
        self.guidance.train()

    def loss(
        self, features: torch.Tensor, real: torch.Tensor, fake: torch.Tensor, source: torch.Tensor
    ) -> torch.Tensor:
        """:meth:`Guidance.loss`, the total; remembers its terms, and how much it pulls at the features."""
        pulled = features.view_as(features)  # so that its gradient is known from that of the rest
        terms = self.guidance.loss(pulled, real, fake, source, self._generator)
        named = ("source", "target", "weight_source", "weight_target")
        logged = {name: getattr(terms, name).detach() for name in named}
        self._logged.append(logged)
        own: list[torch.Tensor] = []
        pulled.register_hook(lambda gradient: own.append(gradient.float()))  # type: ignore[no-untyped-call]

        def compare(gradient: torch.Tensor) -> None:
            logged["pull"] = own[0].norm() / (gradient.float() - own[0]).norm().clamp_min(1e-12)

        features.register_hook(compare)  # type: ignore[no-untyped-call]
        return terms.total

    def step(self) -> None:
        """Step what is trained beside the backbone, after the backward pass."""
        self._optimizer.step()
        self._optimizer.zero_grad()

    def means(self) -> dict[str, float]:
        """Over the epoch's steps: the terms before they are weighted, and ``pull``: the norm of guidance's gradient at
        the features by that of the rest of the loss.
        """
        return {name: torch.stack([logged[name] for logged in self._logged]).mean().item() for name in self._logged[0]}

"""A backbone and its guidance together: what guidance is given of a batch, and pictures of both once trained."""

from pathlib import Path

import numpy as np
import torch

from stages.lib.backbone.batches import Batch, training_batch
from stages.lib.backbone.network import forward, prepare
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.backbone.validation import as_input, spread_fakes
from stages.lib.guidance.guide import Guidance
from stages.lib.guidance.modules import Alignment
from stages.lib.guidance.pictures import plot_reconstructions, plot_weights
from stages.lib.pseudo_fakes.bank import FakeBank

SHOWN = 256  # pseudo-fakes at most whose weights are drawn


def guidance_pictures(batch: Batch, size: int, device: torch.device) -> list[torch.Tensor]:
    """Real faces, pseudo-fakes and sources of a batch as :meth:`Guidance.loss` takes them: (n, 3, size, size) each."""
    n = len(batch.sources)
    return [prepare(images, size).to(device) for images in (batch.images[:n], batch.images[n:], batch.sources)]


@torch.no_grad()
def show_guidance(
    folder: Path,
    guidance: Guidance,
    bank: FakeBank,
    settings: TrainingSettings,
    input_size: int,
    seed: int,
    model: torch.nn.Module,
) -> None:
    """Draw ``guidance_reconstructions.png``, of one pseudo-fake, and with weight heads ``guidance_weights.png``.

    ``bank``: of validation, whose pseudo-fakes are taken evenly, cut as they are validated.
    """
    device = next(model.parameters()).device
    model.eval()
    guidance.eval()
    pairs = spread_fakes(bank, SHOWN)
    rng, weights = np.random.default_rng([seed, 5]), []
    for at in range(0, len(pairs), settings.batch_size):
        faces, variants = pairs[at : at + settings.batch_size].T
        batch = training_batch(bank, faces, variants, settings, input_size, rng, augment=False, with_sources=True)
        features = forward(model, as_input(batch.images, device), with_features=True).features
        assert features is not None  # they were asked for
        of_fakes = features[len(faces) :]
        if at == 0:
            real, fake, source = (one[:1] for one in guidance_pictures(batch, guidance.settings.size, device))
            path = folder / "guidance_reconstructions.png"
            plot_reconstructions(path, guidance, of_fakes[:1], fake, source, real, seed)
        alignment = guidance.trained["alignment"]
        assert isinstance(alignment, Alignment)
        weights.append(torch.stack(guidance.weights(alignment.maps(of_fakes))).cpu().numpy())
    if guidance.settings.weight:
        schemes = bank.schemes[tuple(pairs.T)]
        plot_weights(folder / "guidance_weights.png", np.concatenate(weights, axis=1), schemes)

"""How well a network tells the faces of a bank from their pseudo-fakes: the same images each time it is asked."""

import warnings

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from stages.lib.backbone.batches import training_batch
from stages.lib.backbone.checkpoint import Epoch
from stages.lib.backbone.distributed import ALONE, Processes
from stages.lib.backbone.network import forward, prepare
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.errors import InputError
from stages.lib.pseudo_fakes.bank import FakeBank

VALIDATED = 1024  # pseudo-fakes at most that an epoch is validated on
NEAR_CHANCE = 0.6  # a best validation AUC below this is worth a warning


def as_input(images: list[np.ndarray], device: torch.device) -> torch.Tensor:
    """Images of a batch as the network's input (:func:`prepare`), at their own size: patches, or the input's."""
    return prepare(images, images[0].shape[0]).to(device, memory_format=torch.channels_last)


def spread_fakes(bank: FakeBank, most: int) -> np.ndarray:
    """All fakes of a bank, or ``most`` that are spread evenly over its faces and variants: (face, variant), (n, 2)."""
    pairs = np.stack(np.divmod(np.arange(len(bank) * bank.variants), bank.variants), axis=1)
    spread: np.ndarray = pairs[np.linspace(0, len(pairs) - 1, min(len(pairs), most)).astype(int)]
    return spread


@torch.inference_mode()
def bank_logits(
    model: torch.nn.Module,
    bank: FakeBank,
    settings: TrainingSettings,
    input_size: int,
    seed: int,
    device: torch.device,
    processes: Processes = ALONE,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels (2n,) of a bank's faces with their pseudo-fakes: all, or ``VALIDATED`` that are spread evenly
    over the faces and variants. Several processes take whole batches in turn, so that each has the logits that one
    process finds.
    """
    model.eval()
    pairs = spread_fakes(bank, VALIDATED)
    rng = np.random.default_rng([seed, 3])
    logits, labels = [], []
    for number, at in enumerate(range(0, len(pairs), settings.batch_size)):
        faces, variants = pairs[at : at + settings.batch_size].T
        mine = number % processes.count == processes.number
        share = None if mine else slice(0)
        batch = training_batch(bank, faces, variants, settings, input_size, rng, augment=False, share=share)
        if mine:
            logits.append(forward(model, as_input(batch.images, device)).logit.float().cpu())
        else:
            logits.append(torch.zeros(2 * len(faces)))
        labels.append(torch.arange(2).repeat_interleave(len(faces)).float())
    return processes.sum(torch.cat(logits)), torch.cat(labels)


def loss_and_auc(logit: torch.Tensor, label: torch.Tensor) -> tuple[float, float]:
    """Mean cross-entropy (equation 2) and AUC of logits and labels (n,)."""
    auc = float(roc_auc_score(label.numpy(), logit.numpy()))
    return binary_cross_entropy_with_logits(logit, label).item(), auc


def measure(
    model: torch.nn.Module,
    input_size: int,
    train_bank: FakeBank,
    val_bank: FakeBank,
    settings: TrainingSettings,
    seed: int,
    device: str,
) -> Epoch:
    """What a network gives that nothing trains (``train.tune: none``), as if it were an epoch: the losses on both banks
    and the validation AUC, of whole crops, whatever ``train.patch`` is.

    Raises :class:`InputError` for a logit that is not a finite number.
    """
    whole = settings.model_copy(update={"patch": 0})
    model.to(torch.device(device)).to(memory_format=torch.channels_last)
    found = []
    for bank in (train_bank, val_bank):
        logit, label = bank_logits(model, bank, whole, input_size, seed, torch.device(device))
        if not torch.isfinite(logit).all():
            raise InputError(
                "the weights of backbone.weights give a logit that is not a finite number; set backbone.name, "
                "input_size and normalization to what they were trained with, or choose other weights"
            )
        found.append(loss_and_auc(logit, label))
    (train_loss, _), (val_loss, val_auc) = found
    if val_auc < NEAR_CHANCE:
        warnings.warn(
            f"the classifier as it is hardly tells validation reals from their pseudo-fakes (AUC {val_auc:.3f}, chance "
            "is 0.5): leave `classifier` out of scoring.evidence, unless it does better on fakes that you have",
            stacklevel=2,
        )
    return Epoch(0, train_loss, val_loss, val_auc, learning_rate=0.0)

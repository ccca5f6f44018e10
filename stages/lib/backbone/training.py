"""Training the backbone on real faces against their pseudo-fakes (sections 3.1 and 4.1): SAM, best validation AUC
kept.
"""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from stages.lib.backbone.checkpoint import Checkpoint, Epoch, TrainingState
from stages.lib.backbone.network import classifier_of, forward, prepare
from stages.lib.backbone.sam import SharpnessAwareStep
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.errors import InputError
from stages.lib.pseudo_fakes.augmentation import crop_alike, flip_alike, recolour_alike
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.runtime import progress

NEAR_CHANCE = 0.6  # a best validation AUC below this is worth a warning


def learning_rate_factor(step: int, n_steps: int) -> float:
    """1 for the first three quarters of the steps, then linearly to 0 (section 4.1: from epoch 75 of 100)."""
    return min(1.0, (n_steps - step) / (n_steps / 4))


def fresh_variants(n_faces: int, n_variants: int, epoch: int, seed: int) -> np.ndarray:
    """Which pseudo-fake of each face an epoch shows, int64 (n_faces,): none again before all have been shown."""
    rng = np.random.default_rng([seed, 2, epoch // n_variants])
    order = rng.permuted(np.tile(np.arange(n_variants), (n_faces, 1)), axis=1)
    return order[:, epoch % n_variants]


def set_trainable(model: torch.nn.Module, tune: str) -> list[torch.nn.Parameter]:
    """The parameters that ``train.tune`` lets training change; the others are frozen.

    ``all``; ``norm``: normalisation layers and the classifier; ``head``: the classifier alone.
    """
    head = list(classifier_of(model).parameters())
    norms = [p for module in model.modules() if _is_norm(module) for p in module.parameters(recurse=False)]
    chosen = {"all": list(model.parameters()), "norm": [*norms, *head], "head": head}[tune]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def _is_norm(module: torch.nn.Module) -> bool:
    """Whether a module normalises: BatchNorm, LayerNorm, GroupNorm and timm's kinds of them (all named so)."""
    return "norm" in type(module).__name__.lower()


def _train_mode(model: torch.nn.Module, tune: str) -> None:
    """Training mode; with ``head`` only of the classifier, so that the statistics of the frozen rest stay as they
    are.
    """
    model.train(tune != "head")
    classifier_of(model).train()


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to train under bfloat16 autocast; ``auto``: where the device has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    return torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def _optimizer(parameters: list[torch.nn.Parameter], settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)


def training_batch(
    bank: FakeBank, faces: np.ndarray, variants: np.ndarray, augment: bool, rng: np.random.Generator
) -> list[np.ndarray]:
    """2n images (side, side, 3): reals, then their pseudo-fakes; each pair flipped, and with ``augment`` changed,
    alike.
    """
    images, pairs = bank.pairs(faces, variants), []
    for real, fake in zip(*np.split(images, 2), strict=True):
        pair = flip_alike([real, fake], rng)
        pairs.append(recolour_alike(crop_alike(pair, rng), rng) if augment else pair)
    return [pair[which] for which in (0, 1) for pair in pairs]


class Trainer:
    """Trains a network in place, on real faces of one bank against their pseudo-fakes, and validates on another bank.

    Each batch holds as many real faces as pseudo-fakes, face by face, augmented alike. An epoch shows every face once,
    with a variant that it has not shown before the others.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        input_size: int,
        train_bank: FakeBank,
        val_bank: FakeBank,
        settings: TrainingSettings,
        seed: int,
        device: str,
    ) -> None:
        self.model, self._input_size, self._settings, self._seed = model, input_size, settings, seed
        self._train_bank, self._val_bank = train_bank, val_bank
        self._device = torch.device(device)
        self._bf16 = uses_bf16(settings.precision, self._device)
        model.to(self._device).to(memory_format=torch.channels_last)
        self._n_batches = -(-len(train_bank) // (settings.batch_size // 2))
        self._optimizer = _optimizer(set_trainable(model, settings.tune), settings)
        n_steps = settings.epochs * self._n_batches
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: learning_rate_factor(step, n_steps)
        )
        self._step = SharpnessAwareStep(model, self._optimizer, settings.sam_rho)

    def fit(self, on_epoch: Callable[[Epoch], None], checkpoint: Checkpoint | None = None) -> Epoch:
        """Train all epochs; the model ends with the weights of the epoch of the best validation AUC, which is returned.

        With a ``checkpoint``, a run resumes after the last whole epoch of an interrupted one and ends with the same
        weights; ``on_epoch`` is called for the earlier epochs as well. Raises :class:`InputError` where training
        diverges.
        """
        parts = {"model": self.model, "optimizer": self._optimizer, "schedule": self._schedule}
        state = checkpoint.load(parts) if checkpoint else TrainingState([])
        for epoch in state.epochs:
            on_epoch(epoch)
        for number in range(len(state.epochs), self._settings.epochs):
            rate = self._schedule.get_last_lr()[0]
            train_loss = self._train_epoch(number)
            val_loss, val_auc = self._validate(number)
            state.add(Epoch(number, train_loss, val_loss, val_auc, float(rate)), self.model)
            on_epoch(state.epochs[-1])
            if checkpoint:
                checkpoint.save(state, parts)
        self.model.load_state_dict(state.best_weights)
        if state.best.val_auc < NEAR_CHANCE:
            warnings.warn(
                "the backbone hardly tells validation reals from their pseudo-fakes (best AUC "
                f"{state.best.val_auc:.3f}, "
                "chance is 0.5). Every score after this means little. Train longer (train.epochs), on more people, "
                "from pretrained weights (backbone.weights), or look at metrics/pseudo_fakes.png",
                stacklevel=2,
            )
        return state.best

    def _train_epoch(self, number: int) -> float:
        """One pass over the training faces; the mean of the losses before each step."""
        # An epoch's draws depend on its number alone, so that a resumed run makes the same ones.
        rng = np.random.default_rng([self._seed, 1, number])
        torch.manual_seed(int(rng.integers(2**63)))
        _train_mode(self.model, self._settings.tune)
        shown = fresh_variants(len(self._train_bank), self._train_bank.variants, number, self._seed)
        batches = np.array_split(rng.permutation(len(self._train_bank)), self._n_batches)
        losses = []
        for faces in progress(batches, f"epoch {number + 1}/{self._settings.epochs}", unit="batch"):
            images = training_batch(self._train_bank, faces, shown[faces], self._settings.augment, rng)
            losses.append(self._step(self._loss_of(images)))
            self._schedule.step()
        _require_finite(torch.stack(losses), "training loss", number)
        return torch.stack(losses).mean().item()

    def _loss_of(self, images: list[np.ndarray]) -> Callable[[], torch.Tensor]:
        """The loss of a batch (equation 2), reals first, as a function of the model's present weights."""
        x = self._input(images)
        label = torch.arange(2, device=self._device).repeat_interleave(len(images) // 2).float()

        def loss() -> torch.Tensor:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                logits = forward(self.model, x)[1]
            return binary_cross_entropy_with_logits(logits.float(), label)

        return loss

    def _validate(self, number: int) -> tuple[float, float]:
        """(loss, AUC) over every validation face with each of its pseudo-fakes: the same images in every epoch."""
        self.model.eval()
        logits, labels = [], []
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            for images in self._validation_batches():
                logits.append(forward(self.model, self._input(images))[1].float().cpu())
                labels.append(torch.arange(2).repeat_interleave(len(images) // 2).float())
        logit, label = torch.cat(logits), torch.cat(labels)
        _require_finite(logit, "validation logit", number)
        auc = float(roc_auc_score(label.numpy(), logit.numpy()))
        return binary_cross_entropy_with_logits(logit, label).item(), auc

    def _validation_batches(self) -> Iterator[np.ndarray]:
        bank, n = self._val_bank, self._settings.batch_size
        faces, variants = np.repeat(np.arange(len(bank)), bank.variants), np.tile(np.arange(bank.variants), len(bank))
        for i in range(0, len(faces), n):
            yield bank.pairs(faces[i : i + n], variants[i : i + n])

    def _input(self, images: np.ndarray | list[np.ndarray]) -> torch.Tensor:
        return prepare(images, self._input_size).to(self._device, memory_format=torch.channels_last)


def _require_finite(values: torch.Tensor, what: str, epoch: int) -> None:
    if not torch.isfinite(values).all():
        raise InputError(
            f"the {what} is not a finite number in epoch {epoch + 1}: training diverged; "
            "lower train.learning_rate or train.sam_rho, or set train.precision to fp32"
        )

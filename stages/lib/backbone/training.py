"""Training the backbone on real faces against their pseudo-fakes (sections 3.1 and 4.1): SAM, best validation AUC
kept.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stages.lib.backbone.checkpoint import Checkpoint, Epoch, TrainingState
from stages.lib.backbone.network import classifier_of, forward, prepare, takes_one_size
from stages.lib.backbone.sam import SharpnessAwareStep
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.errors import InputError
from stages.lib.images import resize
from stages.lib.pseudo_fakes.augmentation import boundary_of, crop_alike, flip_alike, patch_alike, recolour_alike
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.runtime import made_ahead, progress

SCALES = (0.75, 1.25)  # at which patches of videos are seen
PHOTO_SCALES = (0.62, 1.0)  # and of photos, which are mostly enlarged to a crop's size and have no finer detail
VALIDATED = 1024  # pseudo-fakes at most that an epoch is validated on
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

    ``all``; ``norm``: normalisation layers and the heads (classifier and boundary map); ``head``: the heads alone.
    """
    head = [parameter for one in _heads(model) for parameter in one.parameters()]
    norms = [p for module in model.modules() if _is_norm(module) for p in module.parameters(recurse=False)]
    chosen = {"all": list(model.parameters()), "norm": [*norms, *head], "head": head}[tune]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def _heads(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The classifier, and the boundary map's head where there is one."""
    return [classifier_of(model), *([cast(Any, model).boundary_head] if hasattr(model, "boundary_head") else [])]


def _is_norm(module: torch.nn.Module) -> bool:
    """Whether a module normalises: BatchNorm, LayerNorm, GroupNorm and timm's kinds of them (all named so)."""
    return "norm" in type(module).__name__.lower()


def _train_mode(model: torch.nn.Module, tune: str) -> None:
    """Training mode; with ``head`` only of the heads, so that the statistics of the frozen rest stay as they are."""
    model.train(tune != "head")
    for head in _heads(model):
        head.train()


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


@dataclass(frozen=True)
class Batch:
    """n real faces, then their pseudo-fakes in the same order.

    ``images``: 2n arrays, RGB uint8 (s, s, 3); ``boundary``: float32 (n, s, s) in [0, 1], where each pseudo-fake has a
    boundary (:func:`boundary_of`).
    """

    images: list[np.ndarray]
    boundary: np.ndarray


def training_batch(
    bank: FakeBank,
    faces: np.ndarray,
    variants: np.ndarray,
    settings: TrainingSettings,
    input_size: int,
    rng: np.random.Generator,
    augment: bool = True,
) -> Batch:
    """The faces with a pseudo-fake each, ``input_size`` px, or patches of ``train.patch`` px; a pair is changed alike.

    Patches are cut in any case, and images flipped with ``augment`` (training, not validation). ``train.augment`` also
    cuts whole faces, scales patches and recolours.
    """
    reals, fakes, boundaries = [], [], []
    for face, variant in zip(faces, variants, strict=True):
        stored = bank.face(face, variant)
        parts = [np.ascontiguousarray(part) for part in (stored[..., :3], stored[..., 3:6], _whole(stored[..., 6]))]
        parts = [resize(part, input_size) for part in parts]
        changed = augment and settings.augment
        if settings.patch:
            scales = SCALES if bank.is_video[face] else PHOTO_SCALES
            parts = patch_alike(parts, parts[2], settings.patch, rng.uniform(*scales) if changed else 1.0, rng)
        elif changed:
            parts = [resize(np.ascontiguousarray(part), input_size) for part in crop_alike(parts, rng)]
        parts = flip_alike(parts, rng) if augment else parts
        real, fake = recolour_alike(parts[:2], rng) if changed else parts[:2]
        reals.append(real)
        fakes.append(fake)
        boundaries.append(boundary_of(parts[2].astype(np.float32) / 255))
    return Batch(reals + fakes, np.stack(boundaries))


def _whole(mask: np.ndarray) -> np.ndarray:
    """A mask, uint8, as if the forgery were opaque: where it is, not how strongly. A boundary is then where it ends,
    and not the whole inside of what is half transparent.
    """
    peak = int(mask.max())
    return mask if peak in (0, 255) else cv2.convertScaleAbs(mask, alpha=255 / peak)


def shown_faces(bank: FakeBank, photo_share: float, rng: np.random.Generator) -> np.ndarray:
    """The faces of an epoch in random order: every video's once, and as many photos as make up their share.

    Photos are drawn without repetition as far as there are enough. A share of 1 is all photos, once and alone; a bank
    without videos or without photos gives what it has.
    """
    videos, photos = np.flatnonzero(bank.is_video), np.flatnonzero(~bank.is_video)
    if not len(videos) or not len(photos):
        return rng.permutation(len(bank))
    if photo_share in (0, 1):
        return rng.permutation(photos if photo_share else videos)
    wanted = round(len(videos) * photo_share / (1 - photo_share))
    times = -(-wanted // len(photos))
    drawn = np.concatenate([rng.permutation(photos) for _ in range(times)])[:wanted]
    return rng.permutation(np.concatenate([videos, drawn]))


class Trainer:
    """Trains a network in place, on real faces of one bank against their pseudo-fakes, and validates on another bank.

    Each batch holds as many real faces as pseudo-fakes, face by face, augmented alike. An epoch shows every face of a
    video once, with a variant that it has not shown before the others, and photos in the share that is set.
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
        """Raises :class:`InputError` for patches of a size that the network doesn't take."""
        if settings.patch not in (0, input_size) and takes_one_size(model):
            raise InputError(
                f"train.patch is {settings.patch}, but the network takes images of {input_size} px alone; set it to 0, "
                "or backbone.name to a convolutional network"
            )
        self.model, self._input_size, self._settings, self._seed = model, input_size, settings, seed
        self._train_bank, self._val_bank = train_bank, val_bank
        self._device = torch.device(device)
        self._bf16 = uses_bf16(settings.precision, self._device)
        model.to(self._device).to(memory_format=torch.channels_last)
        n_shown = len(shown_faces(train_bank, settings.photo_share, np.random.default_rng(0)))
        self._n_batches = -(-n_shown // (settings.batch_size // 2))
        self._optimizer = _optimizer(set_trainable(model, settings.tune), settings)
        n_steps = settings.epochs * self._n_batches
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: learning_rate_factor(step, n_steps)
        )
        self._step = SharpnessAwareStep(model, self._optimizer, settings.sam_rho)
        average = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        self._averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True) if settings.average else None

    def fit(self, on_epoch: Callable[[Epoch], None], checkpoint: Checkpoint | None = None) -> Epoch:
        """Train all epochs; the model ends with the weights of the epoch of the best validation AUC, which is returned.

        With a ``checkpoint``, a run resumes after the last whole epoch of an interrupted one and ends with the same
        weights; ``on_epoch`` is called for the earlier epochs as well. Raises :class:`InputError` where training
        diverges.
        """
        parts = {"model": self.model, "optimizer": self._optimizer, "schedule": self._schedule}
        parts |= {"averaged": self._averaged} if self._averaged else {}
        state = checkpoint.load(parts) if checkpoint else TrainingState([])
        for epoch in state.epochs:
            on_epoch(epoch)
        for number in range(len(state.epochs), self._settings.epochs):
            rate = self._schedule.get_last_lr()[0]
            train_loss = self._train_epoch(number)
            val_loss, val_auc = self._validate(number)
            state.add(Epoch(number, train_loss, val_loss, val_auc, float(rate)), self._validated)
            on_epoch(state.epochs[-1])
            if checkpoint:
                checkpoint.save(state, parts)
        self.model.load_state_dict(state.best_weights)
        if state.best.val_auc < NEAR_CHANCE:
            warnings.warn(
                "the backbone hardly tells validation reals from their pseudo-fakes (best AUC "
                f"{state.best.val_auc:.3f}, chance is 0.5). Every score after this means little. Train longer "
                "(train.epochs), on more people, from pretrained weights (backbone.weights), or look at "
                "metrics/pseudo_fakes.png",
                stacklevel=2,
            )
        return state.best

    def _train_epoch(self, number: int) -> float:
        """One pass over the training faces; the mean of the losses before each step."""
        # An epoch's draws depend on its number alone, so that a resumed run makes the same ones.
        rng = np.random.default_rng([self._seed, 1, number])
        torch.manual_seed(int(rng.integers(2**63)))
        _train_mode(self.model, self._settings.tune)
        variants = fresh_variants(len(self._train_bank), self._train_bank.variants, number, self._seed)
        shown = shown_faces(self._train_bank, self._settings.photo_share, rng)
        losses = []

        def make(faces: np.ndarray) -> Batch:
            return training_batch(self._train_bank, faces, variants[faces], self._settings, self._input_size, rng)

        batches = np.array_split(shown, self._n_batches)
        shown_as = f"epoch {number + 1}/{self._settings.epochs}"
        for batch in progress(made_ahead(make, batches), shown_as, self._n_batches, "batch"):
            losses.append(self._step(self._loss_of(batch)))
            self._schedule.step()
            if self._averaged:
                self._averaged.update_parameters(self.model)
        _require_finite(torch.stack(losses), "training loss", number)
        return torch.stack(losses).mean().item()

    def _loss_of(self, batch: Batch) -> Callable[[], torch.Tensor]:
        """The loss of a batch as a function of the model's present weights: equation 2, and with ``train.boundary`` the
        mean cross-entropy of the boundary map's cells, weighted.
        """
        x, weight = self._input(batch.images), self._settings.boundary
        label = self._label(batch)
        boundary = torch.from_numpy(batch.boundary).to(self._device)

        def loss() -> torch.Tensor:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                found = forward(self.model, x)
            of_class = binary_cross_entropy_with_logits(found.logit.float(), label)
            if not weight:
                return of_class
            assert found.boundary is not None  # build_backbone gave the network its head
            cells = adaptive_avg_pool2d(boundary[:, None], found.boundary.shape[-1])[:, 0]
            target = torch.cat([torch.zeros_like(cells), cells])  # a real face has none
            return of_class + weight * binary_cross_entropy_with_logits(found.boundary.float(), target)

        return loss

    def _label(self, batch: Batch) -> torch.Tensor:
        """0 for the real faces, 1 for their pseudo-fakes."""
        return torch.arange(2, device=self._device).repeat_interleave(len(batch.images) // 2).float()

    @property
    def _validated(self) -> torch.nn.Module:
        """The model that is validated and kept: the average of the weights, or what is trained."""
        return self._averaged.module if self._averaged else self.model

    def _validate(self, number: int) -> tuple[float, float]:
        """(loss, AUC) over the validation faces with their pseudo-fakes: the same images in every epoch."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            logit, label = _logits(
                self._validated, self._val_bank, self._settings, self._input_size, self._seed, self._device
            )
        _require_finite(logit, "validation logit", number)
        return _loss_and_auc(logit, label)

    def _input(self, images: np.ndarray | list[np.ndarray]) -> torch.Tensor:
        return _input(images, self._device)


def _input(images: np.ndarray | list[np.ndarray], device: torch.device) -> torch.Tensor:
    size = images[0].shape[0]  # of the patches, or of the input
    return prepare(images, size).to(device, memory_format=torch.channels_last)


@torch.inference_mode()
def _logits(
    model: torch.nn.Module,
    bank: FakeBank,
    settings: TrainingSettings,
    input_size: int,
    seed: int,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels (2n,) of a bank's faces with their pseudo-fakes: all, or ``VALIDATED`` that are spread evenly
    over the faces and variants.
    """
    model.eval()
    pairs = np.stack(np.divmod(np.arange(len(bank) * bank.variants), bank.variants), axis=1)
    pairs = pairs[np.linspace(0, len(pairs) - 1, min(len(pairs), VALIDATED)).astype(int)]
    rng = np.random.default_rng([seed, 3])
    logits, labels = [], []
    for at in range(0, len(pairs), settings.batch_size):
        faces, variants = pairs[at : at + settings.batch_size].T
        batch = training_batch(bank, faces, variants, settings, input_size, rng, augment=False)
        logits.append(forward(model, _input(batch.images, device)).logit.float().cpu())
        labels.append(torch.arange(2).repeat_interleave(len(faces)).float())
    return torch.cat(logits), torch.cat(labels)


def _loss_and_auc(logit: torch.Tensor, label: torch.Tensor) -> tuple[float, float]:
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
        logit, label = _logits(model, bank, whole, input_size, seed, torch.device(device))
        if not torch.isfinite(logit).all():
            raise InputError(
                "the weights of backbone.weights give a logit that is not a finite number; set backbone.name, "
                "input_size and normalization to what they were trained with, or choose other weights"
            )
        found.append(_loss_and_auc(logit, label))
    (train_loss, _), (val_loss, val_auc) = found
    if val_auc < NEAR_CHANCE:
        warnings.warn(
            f"the classifier as it is hardly tells validation reals from their pseudo-fakes (AUC {val_auc:.3f}, chance "
            "is 0.5): leave `classifier` out of scoring.evidence, unless it does better on fakes that you have",
            stacklevel=2,
        )
    return Epoch(0, train_loss, val_loss, val_auc, learning_rate=0.0)


def _require_finite(values: torch.Tensor, what: str, epoch: int) -> None:
    if not torch.isfinite(values).all():
        raise InputError(
            f"the {what} is not a finite number in epoch {epoch + 1}: training diverged; "
            "lower train.learning_rate or train.sam_rho, or set train.precision to fp32"
        )

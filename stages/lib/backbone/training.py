"""Training the backbone on real faces against their pseudo-fakes (sections 3.1 and 4.1): SAM, best validation AUC
kept.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits, normalize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stages.lib.backbone.batches import Batch, fresh_variants, shown_faces, training_batch
from stages.lib.backbone.checkpoint import Checkpoint, Epoch, restored
from stages.lib.backbone.distributed import ALONE, Processes
from stages.lib.backbone.guided import guidance_pictures
from stages.lib.backbone.network import classifier_of, forward, takes_one_size
from stages.lib.backbone.sam import SharpnessAwareStep
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.backbone.validation import NEAR_CHANCE, as_input, bank_logits, loss_and_auc
from stages.lib.backbone.variants import NormalizedLinear
from stages.lib.errors import InputError
from stages.lib.guidance.guide import Guidance
from stages.lib.guidance.guiding import Guiding
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.runtime import made_ahead, progress
from stages.lib.systems.extension import Extension, Outputs, Shown, classification_loss


def learning_rate_factor(step: int, n_steps: int) -> float:
    """1 for the first three quarters of the steps, then linearly to 0 (section 4.1: from epoch 75 of 100)."""
    return min(1.0, (n_steps - step) / (n_steps / 4))


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
    return "norm" in type(module).__name__.lower() and not isinstance(module, NormalizedLinear)


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


class _Logits(torch.nn.Module):
    """What training takes the loss of, as one call of a module: what DDP needs to meet every gradient."""

    def __init__(self, network: torch.nn.Module, with_features: bool) -> None:
        super().__init__()
        self.network, self._with_features = network, with_features

    def forward(self, images: torch.Tensor) -> tuple[Any, ...]:
        """The fields of :class:`Outputs`, as the tuple that what wraps a module can look into."""
        found = forward(self.network, images, self._with_features)
        return found.embedding, found.logit, found.boundary, found.features, found.extra


ALIGNMENT, UNIFORMITY = 0.1, 0.5  # GenD's weights of its terms beside the cross-entropy


def alignment_and_uniformity(embedding: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How close embeddings (n, d) of one label (n,) lie on the sphere of radius 1, and how evenly all of them do.

    The mean squared distance of two of one label, and the logarithm of the mean of exp(-2 squared distance) over all
    twos: the terms of Wang and Isola (ICML 2020) as GenD (Yermakov et al., WACV 2026) has them. Smaller is better.
    """
    first, second = torch.triu_indices(len(label), len(label), 1, device=label.device)
    on_sphere = normalize(embedding.float(), dim=1)
    distance = (on_sphere[first] - on_sphere[second]).square().sum(dim=1)
    alike = label[first] == label[second]  # none where a batch has one face of each
    alignment = torch.where(alike, distance, 0).sum() / alike.sum().clamp_min(1)
    return alignment, distance.mul(-2).exp().mean().log()


class Trainer:
    """Trains a network in place, on real faces of one bank against their pseudo-fakes, and validates on another bank.

    Each batch holds as many real faces as pseudo-fakes, face by face, augmented alike. An epoch shows every face of a
    video once, with a variant that it has not shown before the others, and photos in the share that is set.

    Several processes make one step together: each batch, with its draws, is split among them, and losses and gradients
    are those of the whole. Only dropout and drop path draw otherwise than in one process.
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
        processes: Processes = ALONE,
        guidance: Guidance | None = None,
    ) -> None:
        """Raises :class:`InputError` for patches of a size that the network doesn't take, for more processes than a
        batch has real faces, and for several with a loss that compares all faces of a batch, or with guidance.
        """
        if guidance and processes.count > 1:
            raise InputError(
                f"guidance.weights is '{guidance.settings.weights}', and {processes.count} processes are to train, "
                "but guidance is trained in one; unset DIFFFAKE_DEVICES"
            )
        if settings.loss == "gend" and processes.count > 1:
            raise InputError(
                f"train.loss is gend, which compares all faces of a batch, and {processes.count} processes are to "
                "train, each of which sees a part of it; unset DIFFFAKE_DEVICES"
            )
        if settings.system != "none" and processes.count > 1:
            raise InputError(
                f"train.system is {settings.system}, which one process trains, but {processes.count} are to; unset "
                "DIFFFAKE_DEVICES"
            )
        if settings.patch not in (0, input_size) and takes_one_size(model):
            raise InputError(
                f"train.patch is {settings.patch}, but the network takes images of {input_size} px alone; set it to 0, "
                "or backbone.name to a convolutional network"
            )
        self.model, self._input_size, self._settings, self._seed = model, input_size, settings, seed
        self._train_bank, self._val_bank = train_bank, val_bank
        self._device = torch.device(device)
        self._bf16 = uses_bf16(settings.precision, self._device)
        self._processes = processes
        self._system: Extension | None = getattr(model, "system", None)
        model.to(self._device).to(memory_format=torch.channels_last)
        processes.synchronize(model, self._device)
        n_shown = len(shown_faces(train_bank, settings.photo_share, np.random.default_rng(0)))
        self._n_batches = -(-n_shown // (settings.batch_size // 2))
        if processes.count > (least := n_shown // self._n_batches):
            raise InputError(
                f"{processes.count} processes are to train, but a batch has only {least} real faces; lower "
                "DIFFFAKE_DEVICES, or raise train.batch_size"
            )
        self._optimizer = _optimizer(set_trainable(model, settings.tune), settings)
        n_steps = settings.epochs * self._n_batches
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: learning_rate_factor(step, n_steps)
        )
        self._logits = processes.reducing(_Logits(model, guidance is not None))
        self._guiding = Guiding(guidance, seed, self._device) if guidance else None
        self._step = SharpnessAwareStep(model, self._optimizer, settings.sam_rho)
        average = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        self._averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True) if settings.average else None

    def fit(
        self,
        on_epoch: Callable[[Epoch], None],
        checkpoint: Checkpoint | None = None,
        on_trained: Callable[[torch.nn.Module], None] | None = None,
    ) -> Epoch:
        """Train all epochs; the model ends with the weights of the epoch of the best validation AUC, which is returned.

        With a ``checkpoint``, a run resumes after the last whole epoch of an interrupted one and ends with the same
        weights; ``on_epoch`` is called for the earlier epochs as well. Of several processes only the first is given a
        checkpoint, and the others resume with it. ``on_trained`` is called at the end with the network of the last
        epoch, which guidance fits. Raises :class:`InputError` where training diverges.
        """
        parts = {"model": self.model, "optimizer": self._optimizer, "schedule": self._schedule}
        parts |= {"averaged": self._averaged} if self._averaged else {}
        parts |= self._guiding.parts if self._guiding else {}
        selects = self._settings.selects
        read = self._processes.from_first(checkpoint.read() if checkpoint else None)
        state = restored(read, parts, keeps_last=not selects)
        for epoch in state.epochs:
            on_epoch(epoch)
        for number in range(len(state.epochs), self._settings.epochs):
            rate = self._schedule.get_last_lr()[0]
            train_loss = self._train_epoch(number)
            val_loss, val_auc = self._validate(number)
            guidance = self._guiding.means() if self._guiding else {}
            state.add(Epoch(number, train_loss, val_loss, val_auc, float(rate), guidance), self._validated)
            on_epoch(state.epochs[-1])
            if checkpoint:
                checkpoint.save(state, parts)
        if on_trained:
            on_trained(self.model)
        self.model.load_state_dict(state.best_weights)
        if selects and state.best.val_auc < NEAR_CHANCE and self._processes.is_first:
            whose = "their pseudo-fakes" if self._settings.fakes == "pseudo" else "fakes"
            warnings.warn(
                f"the backbone hardly tells validation reals from {whose} (best AUC "
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
        torch.manual_seed(int(rng.integers(2**63)) + self._processes.number)
        _train_mode(self.model, self._settings.tune)
        variants = fresh_variants(len(self._train_bank), self._train_bank.variants, number, self._seed)
        shown = shown_faces(self._train_bank, self._settings.photo_share, rng)
        losses, guided = [], self._guiding is not None

        def make(faces: np.ndarray) -> Batch:
            of = (self._train_bank, faces, variants[faces], self._settings, self._input_size, rng)
            return training_batch(*of, share=self._processes.share(len(faces)), with_sources=guided)

        if self._guiding:
            self._guiding.start(number)

        batches: Iterable[Batch] = made_ahead(make, np.array_split(shown, self._n_batches))
        if self._processes.is_first:
            batches = progress(batches, f"epoch {number + 1}/{self._settings.epochs}", self._n_batches, "batch")
        for at, batch in enumerate(batches):
            losses.append(self._step(self._loss_of(batch, draws=_draws(self._seed, number, at))))
            if self._guiding:
                self._guiding.step()
            self._schedule.step()
            if self._averaged:
                self._averaged.update_parameters(self.model)
        of_batches = self._processes.sum(torch.stack(losses)) / self._processes.count
        _require_finite(of_batches, "training loss", number)
        return of_batches.mean().item()

    def _loss_of(self, batch: Batch, draws: int = 0) -> Callable[[], torch.Tensor]:
        """The loss of a batch as a function of the model's present weights: that of ``train.system`` (without one
        equation 2), GenD's terms if ``train.loss`` is that, with ``train.boundary`` the mean cross-entropy of the
        boundary map's cells, weighted, and guidance's.

        Of a share it is such that the mean over the processes is the loss of the whole batch, however it is split.
        ``draws``: seeds what a system draws.
        """
        weight, label = self._settings.boundary, self._label(batch)
        shown = Shown(as_input(batch.images, self._device), label, draws=draws)
        if self._system is not None:
            mask = torch.from_numpy(batch.mask).to(self._device)
            genuine = torch.from_numpy(batch.genuine).to(self._device)
            shown = replace(shown, mask=torch.cat([torch.zeros_like(mask), mask]), genuine=genuine)
            shown = self._system.show(self.model, shown)
        share = batch.share * self._processes.count  # 1 where all have as many
        boundary = torch.from_numpy(batch.boundary).to(self._device)
        guiding = self._guiding
        pictures = guidance_pictures(batch, guiding.size, self._device) if guiding else []

        def loss() -> torch.Tensor:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                found = Outputs(*self._logits(shown.images))
                guided = guiding.loss(cast(torch.Tensor, found.features), *pictures) if guiding else None
            of_class = self._system.loss(found, shown) if self._system else classification_loss(found, shown)
            if self._settings.loss == "gend":
                alignment, uniformity = alignment_and_uniformity(found.embedding, label)
                of_class = of_class + ALIGNMENT * alignment + UNIFORMITY * uniformity
            if guided is not None:
                of_class = of_class + guided
            if not weight:
                return of_class * share
            assert found.boundary is not None  # build_backbone gave the network its head
            cells = adaptive_avg_pool2d(boundary[:, None], found.boundary.shape[-1])[:, 0]
            target = torch.cat([torch.zeros_like(cells), cells])  # a real face has none
            return (of_class + weight * binary_cross_entropy_with_logits(found.boundary.float(), target)) * share

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
        model, bank, settings = self._validated, self._val_bank, self._settings
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            logit, label = bank_logits(
                model, bank, settings, self._input_size, self._seed, self._device, self._processes
            )
        _require_finite(logit, "validation logit", number)
        return loss_and_auc(logit, label)


def _draws(seed: int, epoch: int, step: int) -> int:
    """A seed of what a system draws in a step, of an epoch's own: a resumed run draws the same."""
    return int(np.random.default_rng([seed, 4, epoch, step]).integers(2**63))


def _require_finite(values: torch.Tensor, what: str, epoch: int) -> None:
    if not torch.isfinite(values).all():
        raise InputError(
            f"the {what} is not a finite number in epoch {epoch + 1}: training diverged; "
            "lower train.learning_rate or train.sam_rho, or set train.precision to fp32"
        )

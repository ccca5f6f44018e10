"""Training the backbone on real faces against their pseudo-fakes (sections 3.1 and 4.1): SAM, best validation AUC kept."""

import copy
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from stages.lib.augmentation import crop_alike, flip_alike, recolour_alike
from stages.lib.backbone import forward, prepare
from stages.lib.config import Train
from stages.lib.errors import InputError
from stages.lib.files import atomic_path
from stages.lib.runtime import progress

NEAR_CHANCE = 0.6  # a best validation AUC below this is said loudly


class FakeBank:
    """The faces of one split with their pseudo-fakes, read from disk as they are needed.

    ``data/fakes/<video_id>.npy`` holds uint8 (n, variants, 2, size, size, 3): real face, then pseudo-fake.
    """

    def __init__(self, folder: Path, fakes: pa.Table, split: str):
        table = fakes.filter(pc.equal(fakes["split"], split)).to_pandas()
        self.variants = int(table["variant"].max()) + 1 if len(table) else 0
        faces = table[["video_id", "face_row"]].drop_duplicates().sort_values(["video_id", "face_row"])
        self._faces = list(faces.itertuples(index=False, name=None))
        self._arrays = {
            video_id: np.load(folder / f"{video_id}.npy", mmap_mode="r") for video_id in faces["video_id"].unique()
        }
        if not self._faces:
            raise InputError(
                f"no {split} face in {folder}: the training dataset has no usable real video with split={split}; see metrics/coverage.json"
            )

    def __len__(self) -> int:
        return len(self._faces)

    def pairs(self, faces: np.ndarray, variants: np.ndarray) -> np.ndarray:
        """uint8 (2n, size, size, 3) of n faces: all reals, then their pseudo-fakes in the same order."""
        pairs = np.stack(
            [self._arrays[self._faces[f][0]][self._faces[f][1], v] for f, v in zip(faces, variants, strict=True)]
        )
        return np.concatenate([pairs[:, 0], pairs[:, 1]])


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; losses are mean binary cross-entropies (equation 2)."""

    number: int
    train_loss: float
    val_loss: float
    val_auc: float
    learning_rate: float


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
    head = list(model.get_classifier().parameters())
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
    """Training mode; with ``head`` only of the classifier, so that the statistics of the frozen rest stay as they are."""
    model.train(tune != "head")
    model.get_classifier().train()


class SharpnessAwareStep:
    """One SAM step [19]: climb ``rho`` along the gradient, take the gradient there, step from where it began.

    ``rho`` 0 is a plain step of the base optimizer.
    """

    def __init__(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, rho: float):
        self._model, self._optimizer, self._rho = model, optimizer, rho
        self._norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]

    def __call__(self, loss_of: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Step on the loss that ``loss_of`` computes; returns the loss before the step, detached."""
        loss = loss_of()
        loss.backward()
        if not self._rho:
            return self._finish(loss)
        parameters = [p for p in self._model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        with torch.no_grad():
            climb = [p.grad * (self._rho / (norm + 1e-12)) for p in parameters]
            torch._foreach_add_(parameters, climb)
        self._optimizer.zero_grad()
        # Running statistics belong to the weights that are kept, so the second pass must not add to them.
        momenta = [norm_layer.momentum for norm_layer in self._norms]
        for norm_layer in self._norms:
            norm_layer.momentum = 0.0
        loss_of().backward()
        for norm_layer, momentum in zip(self._norms, momenta, strict=True):
            norm_layer.momentum = momentum
        with torch.no_grad():
            torch._foreach_sub_(parameters, climb)
        return self._finish(loss)

    def _finish(self, loss: torch.Tensor) -> torch.Tensor:
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to train under bfloat16 autocast; ``auto``: where the device has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    return torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def _optimizer(parameters: list[torch.nn.Parameter], settings: Train) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)


def _validate(
    model: torch.nn.Module, bank: FakeBank, input_size: int, batch: int, device: torch.device, bf16: bool, epoch: int
) -> tuple[float, float]:
    """(loss, AUC) over every validation face with each of its pseudo-fakes: the same images in every epoch."""
    model.eval()
    faces = np.repeat(np.arange(len(bank)), bank.variants)
    variants = np.tile(np.arange(bank.variants), len(bank))
    logits, labels = [], []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for i in range(0, len(faces), batch):
            images = bank.pairs(faces[i : i + batch], variants[i : i + batch])
            logits.append(
                forward(model, prepare(images, input_size).to(device, memory_format=torch.channels_last))[1]
                .float()
                .cpu()
            )
            labels.append(torch.arange(2).repeat_interleave(len(images) // 2).float())
    logit, label = torch.cat(logits), torch.cat(labels)
    _require_finite(logit, "validation logit", epoch)
    return binary_cross_entropy_with_logits(logit, label).item(), float(roc_auc_score(label.numpy(), logit.numpy()))


def _batch(bank: FakeBank, faces: np.ndarray, variants: np.ndarray, augment: bool, rng: np.random.Generator) -> list:
    """2n images (side, side, 3): reals, then their pseudo-fakes; each pair flipped, and with ``augment`` changed, alike."""
    images, pairs = bank.pairs(faces, variants), []
    for real, fake in zip(*np.split(images, 2), strict=True):
        pair = flip_alike([real, fake], rng)
        pairs.append(recolour_alike(crop_alike(pair, rng), rng) if augment else pair)
    return [pair[which] for which in (0, 1) for pair in pairs]


@dataclass
class Progress:
    """What a training run has done so far: enough to go on as if it had not been interrupted."""

    epochs: list[Epoch]
    best_state: dict[str, torch.Tensor] | None = None

    @property
    def best(self) -> Epoch:
        return max(self.epochs, key=lambda epoch: (epoch.val_auc, -epoch.val_loss))


def _save_checkpoint(path: Path, key: str, done: Progress, parts: dict) -> None:
    with atomic_path(path) as temporary:
        state = {"key": key, "epochs": [asdict(epoch) for epoch in done.epochs], "best_state": done.best_state}
        torch.save(state | {name: part.state_dict() for name, part in parts.items()}, temporary)


def _resume(path: Path, key: str, parts: dict) -> Progress:
    """Load ``parts`` from a checkpoint of the same key and say so; whatever else is there is left alone, and said."""
    if not path.is_file():
        return Progress([])
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive fails in many ways
        print(f"{path}: not a readable checkpoint ({type(error).__name__}); training starts over")
        return Progress([])
    if state["key"] != key:
        print(f"{path}: left by training with other settings, data or code; training starts over")
        return Progress([])
    for name, part in parts.items():
        part.load_state_dict(state[name])
    epochs = [Epoch(**epoch) for epoch in state["epochs"]]
    print(f"resuming training after epoch {len(epochs)}, from {path}")
    return Progress(epochs, state["best_state"])


def _require_finite(values: torch.Tensor, what: str, epoch: int) -> None:
    if not torch.isfinite(values).all():
        raise InputError(
            f"the {what} is not a finite number in epoch {epoch + 1}: training diverged; "
            "lower train.learning_rate or train.sam_rho, or set train.precision to fp32"
        )


def train_backbone(
    model: torch.nn.Module,
    input_size: int,
    train_bank: FakeBank,
    val_bank: FakeBank,
    settings: Train,
    seed: int,
    device: torch.device,
    on_epoch: Callable[[Epoch], None],
    checkpoint: Path | None = None,
    key: str = "",
) -> Epoch:
    """Train in place; the model ends with the weights of the epoch of the best validation AUC, which is returned.

    Each batch holds as many real faces as pseudo-fakes, face by face, augmented alike. An epoch shows every face once,
    with a variant that it has not shown before the others. ``checkpoint`` is written after each epoch; a run that finds
    one of the same ``key`` goes on after it, says so, and ends with the same weights as one that was not interrupted.
    ``on_epoch`` is called for the epochs of before as well. Raises :class:`InputError` where training diverges.
    """
    model.to(device, memory_format=torch.channels_last)
    optimizer = _optimizer(set_trainable(model, settings.tune), settings)
    half = settings.batch_size // 2
    n_batches = -(-len(train_bank) // half)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, settings.epochs * n_batches)
    )
    step, bf16 = SharpnessAwareStep(model, optimizer, settings.sam_rho), uses_bf16(settings.precision, device)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    done = _resume(checkpoint, key, parts) if checkpoint else Progress([])
    for epoch in done.epochs:
        on_epoch(epoch)
    for number in range(len(done.epochs), settings.epochs):
        # An epoch's draws depend on its number alone, so that a resumed run makes the same ones.
        rng = np.random.default_rng([seed, 1, number])
        torch.manual_seed(int(rng.integers(2**63)))
        _train_mode(model, settings.tune)
        losses, rate = [], schedule.get_last_lr()[0]
        shown = fresh_variants(len(train_bank), train_bank.variants, number, seed)
        batches = np.array_split(rng.permutation(len(train_bank)), n_batches)
        for faces in progress(batches, f"epoch {number + 1}/{settings.epochs}", unit="batch"):
            images = _batch(train_bank, faces, shown[faces], settings.augment, rng)
            x = prepare(images, input_size).to(device, memory_format=torch.channels_last)
            label = torch.arange(2, device=device).repeat_interleave(len(faces)).float()

            def loss_of(x: torch.Tensor = x, label: torch.Tensor = label) -> torch.Tensor:
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    logits = forward(model, x)[1]
                return binary_cross_entropy_with_logits(logits.float(), label)

            losses.append(step(loss_of))
            schedule.step()
        _require_finite(torch.stack(losses), "training loss", number)
        val_loss, val_auc = _validate(model, val_bank, input_size, settings.batch_size, device, bf16, number)
        epoch = Epoch(number, torch.stack(losses).mean().item(), val_loss, val_auc, rate)
        done.epochs.append(epoch)
        if done.best is epoch:
            done.best_state = copy.deepcopy(model.state_dict())
        on_epoch(epoch)
        if checkpoint:
            _save_checkpoint(checkpoint, key, done, parts)
    model.load_state_dict(done.best_state)
    if done.best.val_auc < NEAR_CHANCE:
        print(
            f"WARNING: the backbone hardly tells validation reals from their pseudo-fakes (best AUC {done.best.val_auc:.3f}, "
            "chance is 0.5). Every score after this means little. Train longer (train.epochs), on more people, "
            "from pretrained weights (backbone.weights), or look at metrics/pseudo_fakes.png",
            file=sys.stderr,
        )
    return done.best

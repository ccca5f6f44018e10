"""Training the backbone on real faces against their pseudo-fakes (sections 3.1 and 4.1): SAM, best validation AUC kept."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from stages.lib.backbone import forward, prepare
from stages.lib.config import Train
from stages.lib.errors import InputError
from stages.lib.runtime import progress


class FakeBank:
    """The faces of one split with their pseudo-fakes, read from disk as they are needed.

    ``data/fakes/<video_id>.npy`` holds uint8 (n, variants, 2, size, size, 3): real face, then pseudo-fake.
    """

    def __init__(self, folder: Path, fakes: pa.Table, split: str):
        table = fakes.filter(pa.compute.equal(fakes["split"], split)).to_pandas()
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


class SharpnessAwareStep:
    """One SAM step [19]: climb ``rho`` along the gradient, take the gradient there, step from where it began."""

    def __init__(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, rho: float):
        self._model, self._optimizer, self._rho = model, optimizer, rho
        self._norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]

    def __call__(self, loss_of: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Step on the loss that ``loss_of`` computes; returns the loss before the step, detached."""
        loss = loss_of()
        loss.backward()
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
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to train under bfloat16 autocast; ``auto``: where the device has matrix units for it."""
    if precision != "auto":
        return precision == "bf16"
    return torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_amx_tile_supported()


def _optimizer(model: torch.nn.Module, settings: Train) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(), settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay
        )
    return torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)


def _validate(
    model: torch.nn.Module, bank: FakeBank, input_size: int, batch: int, device: torch.device, bf16: bool
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
    return binary_cross_entropy_with_logits(logit, label).item(), float(roc_auc_score(label.numpy(), logit.numpy()))


def train_backbone(
    model: torch.nn.Module,
    input_size: int,
    train_bank: FakeBank,
    val_bank: FakeBank,
    settings: Train,
    seed: int,
    device: torch.device,
    on_epoch: Callable[[Epoch], None],
) -> Epoch:
    """Train in place; the model ends with the weights of the epoch of the best validation AUC, which is returned.

    Each batch holds as many real faces as pseudo-fakes, face by face, flipped alike. An epoch shows every face once,
    with one of its variants.
    """
    rng = np.random.default_rng([seed, 1])
    model.to(device, memory_format=torch.channels_last)
    optimizer = _optimizer(model, settings)
    half = settings.batch_size // 2
    n_batches = -(-len(train_bank) // half)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, settings.epochs * n_batches)
    )
    step, bf16 = SharpnessAwareStep(model, optimizer, settings.sam_rho), uses_bf16(settings.precision, device)
    best, best_state = None, None
    for number in range(settings.epochs):
        model.train()
        losses, rate = [], schedule.get_last_lr()[0]
        batches = np.array_split(rng.permutation(len(train_bank)), n_batches)
        for faces in progress(batches, f"epoch {number + 1}/{settings.epochs}", unit="batch"):
            images = train_bank.pairs(faces, rng.integers(train_bank.variants, size=len(faces)))
            flip = np.tile(rng.random(len(faces)) < 0.5, 2)
            images[flip] = images[flip, :, ::-1]
            x = prepare(images, input_size).to(device, memory_format=torch.channels_last)
            label = torch.arange(2, device=device).repeat_interleave(len(faces)).float()

            def loss_of(x: torch.Tensor = x, label: torch.Tensor = label) -> torch.Tensor:
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    logits = forward(model, x)[1]
                return binary_cross_entropy_with_logits(logits.float(), label)

            losses.append(step(loss_of))
            schedule.step()
        val_loss, val_auc = _validate(model, val_bank, input_size, settings.batch_size, device, bf16)
        epoch = Epoch(number, torch.stack(losses).mean().item(), val_loss, val_auc, rate)
        on_epoch(epoch)
        if best is None or (epoch.val_auc, -epoch.val_loss) > (best.val_auc, -best.val_loss):
            best, best_state = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return best

"""SAM against a reference written from its paper, the schedule, the bank, and that training learns."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from stages.lib.config import Train
from stages.lib.errors import InputError
from stages.lib.tables import FAKES
from stages.lib.training import FakeBank, SharpnessAwareStep, learning_rate_factor, train_backbone

SETTINGS = Train(
    epochs=4, batch_size=8, optimizer="adamw", learning_rate=3e-3, weight_decay=0.0, sam_rho=0.05, precision="fp32"
)


def test_sam_steps_along_the_gradient_at_the_climbed_point():
    weight = torch.nn.Parameter(torch.tensor([3.0, -1.0]))
    model = torch.nn.Module()
    model.weight = weight
    scale = torch.tensor([1.0, 4.0])
    SharpnessAwareStep(model, torch.optim.SGD([weight], lr=0.1), rho=0.5)(lambda: (scale * weight**2).sum() / 2)
    start = np.array([3.0, -1.0])
    gradient = np.array([1.0, 4.0]) * start
    climbed = start + 0.5 * gradient / np.linalg.norm(gradient)
    np.testing.assert_allclose(weight.detach().numpy(), start - 0.1 * np.array([1.0, 4.0]) * climbed, rtol=1e-6)


def test_sam_updates_batch_norm_statistics_once_a_step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    x = torch.randn(16, 3)
    with torch.no_grad():
        mean = model[0](x).mean(dim=0)
    SharpnessAwareStep(model, torch.optim.SGD(model.parameters(), lr=0.1), rho=0.5)(lambda: model(x).pow(2).mean())
    torch.testing.assert_close(model[1].running_mean, 0.1 * mean)
    assert model[1].momentum == 0.1


def test_learning_rate_decays_linearly_over_the_last_quarter():
    assert [learning_rate_factor(step, 100) for step in (0, 50, 75)] == [1, 1, 1]
    assert [learning_rate_factor(step, 100) for step in (80, 90, 99, 100)] == pytest.approx([0.8, 0.4, 0.04, 0])


def _bank(folder, split: str, n_videos: int = 2) -> FakeBank:
    """Easy pseudo-fakes: a bright square on a dark noise."""
    rng, rows = np.random.default_rng(len(split)), []
    for v in range(n_videos):
        array = rng.integers(0, 90, (6, 2, 2, 32, 32, 3), np.uint8)
        array[:, :, 1, 10:20, 10:20] += 120
        np.save(folder / f"{split}{v}.npy", array)
        how = {"scheme": "global", "blend_ratio": 1.0, "transformed": "source"}
        rows += [
            {"video_id": f"{split}{v}", "split": split, "face_row": f, "variant": k, **how}
            for f in range(6)
            for k in range(2)
        ]
    return FakeBank(folder, pa.Table.from_pylist(rows, schema=FAKES), split)


def test_bank_gives_reals_then_their_own_fakes(tmp_path):
    bank = _bank(tmp_path, "train")
    images = bank.pairs(np.array([0, 7]), np.array([1, 0]))
    assert len(bank) == 12 and bank.variants == 2
    for i, (video, face, variant) in enumerate([("train0", 0, 1), ("train1", 1, 0)]):
        np.testing.assert_array_equal(images[[i, i + 2]], np.load(tmp_path / f"{video}.npy")[face, variant])


def test_an_empty_split_is_a_clear_error(tmp_path):
    bank_of_nothing = pa.Table.from_pylist([], schema=FAKES)
    with pytest.raises(InputError, match="no val face in .*no usable real video with split=val"):
        FakeBank(tmp_path, bank_of_nothing, "val")


def _train(folder, seed: int) -> tuple[torch.nn.Module, list, object]:
    import timm

    torch.manual_seed(seed)
    model, epochs = timm.create_model("test_resnet", num_classes=1), []
    banks = _bank(folder, "train"), _bank(folder, "val")
    best = train_backbone(model, 32, *banks, SETTINGS, seed, torch.device("cpu"), epochs.append)
    return model, epochs, best


def test_training_learns_keeps_the_best_epoch_and_is_seeded(tmp_path):
    model, epochs, best = _train(tmp_path, seed=0)
    again, epochs_again, _ = _train(tmp_path, seed=0)
    assert epochs == epochs_again and len(epochs) == 4
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert best.val_auc == max(epoch.val_auc for epoch in epochs) > 0.9
    assert epochs[-1].train_loss < epochs[0].train_loss

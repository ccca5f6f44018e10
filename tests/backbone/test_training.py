"""SAM against a reference written from its paper, the schedule, the bank, and that training learns."""

import numpy as np
import pyarrow as pa
import pytest
import timm
import torch

from stages.lib.backbone.sam import SharpnessAwareStep
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.backbone.training import fresh_variants, learning_rate_factor, set_trainable, train_backbone
from stages.lib.errors import InputError
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.tables import FAKES

SETTINGS = TrainingSettings(
    epochs=4,
    batch_size=8,
    optimizer="adamw",
    learning_rate=3e-3,
    weight_decay=0.0,
    sam_rho=0.05,
    tune="all",
    augment=False,
    precision="fp32",
)


def _settings(**changes) -> TrainingSettings:
    return SETTINGS.model_copy(update=changes)


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
        how = {"scheme": "global", "blend_ratio": 1.0, "transformed": "source", "donor": None}
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


def test_rho_0_is_the_plain_base_optimizer():
    weights = [torch.nn.Parameter(torch.tensor([3.0, -1.0])) for _ in range(2)]
    model = torch.nn.Module()
    model.weight = weights[0]
    SharpnessAwareStep(model, torch.optim.AdamW([weights[0]], lr=0.1), rho=0)(lambda: weights[0].pow(2).sum())
    plain = torch.optim.AdamW([weights[1]], lr=0.1)
    weights[1].pow(2).sum().backward()
    plain.step()
    torch.testing.assert_close(weights[0], weights[1])


def test_no_variant_comes_again_before_all_have_been_shown():
    shown = np.array([fresh_variants(50, 4, epoch, seed=0) for epoch in range(8)])
    for cycle in (shown[:4], shown[4:]):
        assert (np.sort(cycle, axis=0) == np.arange(4)[:, None]).all()
    assert (shown[:4] != shown[4:]).any() and (shown[0] != shown[0, 0]).any()


def _model(name: str = "test_resnet", **more) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=1, **more)


def _train(folder, model: torch.nn.Module, settings: TrainingSettings = SETTINGS, seed: int = 0, on_epoch=None, **more) -> tuple:
    epochs = []
    banks = _bank(folder, "train"), _bank(folder, "val")
    best = train_backbone(model, 32, *banks, settings, seed, torch.device("cpu"), on_epoch or epochs.append, **more)
    return epochs, best


def _equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_learns_keeps_the_best_epoch_and_is_seeded(tmp_path):
    model, again = _model(), _model()
    (epochs, best), (epochs_again, _) = _train(tmp_path, model), _train(tmp_path, again)
    assert epochs == epochs_again and len(epochs) == 4 and _equal(model, again)
    assert best.val_auc == max(epoch.val_auc for epoch in epochs) > 0.9
    assert epochs[-1].train_loss < epochs[0].train_loss


@pytest.mark.parametrize(
    "change", [{"augment": True}, {"optimizer": "sgd"}, {"sam_rho": 0.0}, {"weight_decay": 0.5}, {"precision": "bf16"}]
)
def test_each_setting_changes_what_is_trained(tmp_path, change):
    plain, changed = _model(), _model()
    _train(tmp_path, plain, _settings(epochs=1))
    _train(tmp_path, changed, _settings(epochs=1, **change))
    assert not _equal(plain, changed)


class Killed(Exception):
    pass


def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(tmp_path, capsys):
    whole, cut, resumed = (
        _model("test_resnet", drop_rate=0.3),
        _model("test_resnet", drop_rate=0.3),
        _model("test_resnet", drop_rate=0.3),
    )
    epochs, best = _train(tmp_path, whole)
    checkpoint = tmp_path / "backbone.checkpoint"

    def kill_in_the_third(epoch):
        if epoch.number == 2:
            raise Killed

    with pytest.raises(Killed):
        _train(tmp_path, cut, on_epoch=kill_in_the_third, checkpoint=checkpoint, key="k")
    torch.manual_seed(99)
    epochs_resumed, best_resumed = _train(tmp_path, resumed, checkpoint=checkpoint, key="k")
    assert "resuming training after epoch 2" in capsys.readouterr().out
    assert (epochs_resumed, best_resumed) == (epochs, best) and _equal(whole, resumed)


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [("other", None, "other settings, data or code"), ("k", b"cut off", "not a readable checkpoint")],
)
def test_a_checkpoint_of_something_else_is_not_gone_on_from(tmp_path, capsys, key, content, said):
    checkpoint = tmp_path / "backbone.checkpoint"
    _train(tmp_path, _model(), _settings(epochs=1), checkpoint=checkpoint, key="k")
    if content:
        checkpoint.write_bytes(content)
    fresh, resumed = _model(), _model()
    _train(tmp_path, fresh)
    _train(tmp_path, resumed, checkpoint=checkpoint, key=key)
    said_at_all = capsys.readouterr().out
    assert said in said_at_all and "training starts over" in said_at_all and _equal(fresh, resumed)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@pytest.mark.parametrize("tune", ["all", "norm", "head"])
def test_tune_changes_what_it_says_and_nothing_else(tmp_path, name, tune):
    model = _model(name, **({"img_size": 32} if name == "test_vit" else {}))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    _train(tmp_path, model, _settings(epochs=1, tune=tune))
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    head = {key for key in before if model.get_submodule(key.rpartition(".")[0]) is model.get_classifier()}
    norms = {
        key
        for key in before
        if isinstance(model.get_submodule(key.rpartition(".")[0]), torch.nn.BatchNorm2d | torch.nn.LayerNorm)
    }
    assert changed & head
    assert changed <= {"all": set(before), "norm": norms | head, "head": head}[tune]
    assert bool(changed & norms) == (tune != "head") and bool(changed - norms - head) == (tune == "all")


def test_frozen_parameters_take_no_gradient():
    model = _model()
    chosen = set_trainable(model, "head")
    assert [p for p in model.parameters() if p.requires_grad] == chosen == list(model.get_classifier().parameters())


def test_divergence_is_an_error_with_its_remedy(tmp_path):
    model = _model()
    with torch.no_grad():
        model.get_classifier().weight.fill_(float("nan"))
    with pytest.raises(
        InputError,
        match="training loss is not a finite number in epoch 1: training diverged; lower train.learning_rate",
    ):
        _train(tmp_path, model)


def test_a_backbone_at_chance_is_said_loudly(tmp_path, capsys):
    _train(tmp_path, _model(), _settings(epochs=1, learning_rate=1e-9))
    assert "WARNING: the backbone hardly tells validation reals from their pseudo-fakes" in capsys.readouterr().err

"""The schedule, what is trained, that training learns, and that it resumes."""

import numpy as np
import pytest
import timm
import torch

from stages.lib.backbone.checkpoint import Checkpoint
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.backbone.training import Trainer, fresh_variants, learning_rate_factor, set_trainable
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import training_settings


def test_learning_rate_decays_linearly_over_the_last_quarter():
    assert [learning_rate_factor(step, 100) for step in (0, 50, 75)] == [1, 1, 1]
    assert [learning_rate_factor(step, 100) for step in (80, 90, 99, 100)] == pytest.approx([0.8, 0.4, 0.04, 0])


def test_no_variant_comes_again_before_all_have_been_shown():
    shown = np.array([fresh_variants(50, 4, epoch, seed=0) for epoch in range(8)])
    for cycle in (shown[:4], shown[4:]):
        assert (np.sort(cycle, axis=0) == np.arange(4)[:, None]).all()
    assert (shown[:4] != shown[4:]).any()
    assert (shown[0] != shown[0, 0]).any()


def _model(name: str = "test_resnet", **more) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=1, **more)


def _train(
    folder,
    model: torch.nn.Module,
    settings: TrainingSettings | None = None,
    on_epoch=None,
    checkpoint=None,
) -> tuple:
    epochs = []
    banks = bank_of(folder, "train"), bank_of(folder, "val")
    trainer = Trainer(model, 32, *banks, settings or training_settings(), seed=0, device="cpu")
    best = trainer.fit(on_epoch or epochs.append, checkpoint)
    return epochs, best


def _equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_learns_keeps_the_best_epoch_and_is_seeded(tmp_path):
    model, again = _model(), _model()
    (epochs, best), (epochs_again, _) = _train(tmp_path, model), _train(tmp_path, again)
    assert epochs == epochs_again
    assert len(epochs) == 4
    assert _equal(model, again)
    assert best.val_auc == max(epoch.val_auc for epoch in epochs) > 0.9
    assert epochs[-1].train_loss < epochs[0].train_loss


@pytest.mark.parametrize(
    "change", [{"augment": True}, {"optimizer": "sgd"}, {"sam_rho": 0.0}, {"weight_decay": 0.5}, {"precision": "bf16"}]
)
def test_each_setting_changes_what_is_trained(tmp_path, change):
    plain, changed = _model(), _model()
    _train(tmp_path, plain, training_settings(epochs=1))
    _train(tmp_path, changed, training_settings(epochs=1, **change))
    assert not _equal(plain, changed)


class Killed(Exception):
    pass


def test_an_interrupted_run_resumes_and_ends_with_the_same_weights(tmp_path, capsys):
    whole, cut, resumed = (
        _model("test_resnet", drop_rate=0.3),
        _model("test_resnet", drop_rate=0.3),
        _model("test_resnet", drop_rate=0.3),
    )
    epochs, best = _train(tmp_path, whole)
    checkpoint = Checkpoint(tmp_path / "backbone.checkpoint", "k")

    def kill_in_the_third(epoch):
        if epoch.number == 2:
            raise Killed

    with pytest.raises(Killed):
        _train(tmp_path, cut, on_epoch=kill_in_the_third, checkpoint=checkpoint)
    torch.manual_seed(99)
    epochs_resumed, best_resumed = _train(tmp_path, resumed, checkpoint=checkpoint)
    assert "resuming training after epoch 2" in capsys.readouterr().out
    assert (epochs_resumed, best_resumed) == (epochs, best)
    assert _equal(whole, resumed)


@pytest.mark.parametrize(
    ("key", "content", "reported"),
    [("other", None, "other settings, data or code"), ("k", b"cut off", "not a readable checkpoint")],
)
def test_training_does_not_resume_from_a_checkpoint_of_something_else(tmp_path, capsys, key, content, reported):
    path = tmp_path / "backbone.checkpoint"
    _train(tmp_path, _model(), training_settings(epochs=1), checkpoint=Checkpoint(path, "k"))
    if content:
        path.write_bytes(content)
    fresh, resumed = _model(), _model()
    _train(tmp_path, fresh)
    _train(tmp_path, resumed, checkpoint=Checkpoint(path, key))
    printed = capsys.readouterr().out
    assert reported in printed
    assert "training starts over" in printed
    assert _equal(fresh, resumed)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@pytest.mark.parametrize("tune", ["all", "norm", "head"])
def test_tune_changes_what_it_says_and_nothing_else(tmp_path, name, tune):
    model = _model(name, **({"img_size": 32} if name == "test_vit" else {}))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    _train(tmp_path, model, training_settings(epochs=1, tune=tune))
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    head = {key for key in before if model.get_submodule(key.rpartition(".")[0]) is model.get_classifier()}
    norms = {
        key
        for key in before
        if isinstance(model.get_submodule(key.rpartition(".")[0]), torch.nn.BatchNorm2d | torch.nn.LayerNorm)
    }
    assert changed & head
    assert changed <= {"all": set(before), "norm": norms | head, "head": head}[tune]
    assert bool(changed & norms) == (tune != "head")
    assert bool(changed - norms - head) == (tune == "all")


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


def test_a_backbone_at_chance_is_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="the backbone hardly tells validation reals from their pseudo-fakes"):
        _train(tmp_path, _model(), training_settings(epochs=1, learning_rate=1e-9))

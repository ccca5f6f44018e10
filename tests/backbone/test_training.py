"""The schedule, what is trained, that training learns, and that it resumes."""

import numpy as np
import pytest
import timm
import torch

from stages.lib.backbone.batches import training_batch
from stages.lib.backbone.checkpoint import Checkpoint
from stages.lib.backbone.network import add_boundary_head, forward, prepare
from stages.lib.backbone.settings import TrainingSettings
from stages.lib.backbone.training import Trainer, learning_rate_factor, set_trainable
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import training_settings


def test_learning_rate_decays_linearly_over_the_last_quarter():
    assert [learning_rate_factor(step, 100) for step in (0, 50, 75)] == [1, 1, 1]
    assert [learning_rate_factor(step, 100) for step in (80, 90, 99, 100)] == pytest.approx([0.8, 0.4, 0.04, 0])


def _model(name: str = "test_resnet", **more) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=1, **more)


def _with_boundary_head(name: str = "test_resnet", **more) -> torch.nn.Module:
    model = _model(name, **more)
    add_boundary_head(model, name)
    return model


def _train(
    folder,
    model: torch.nn.Module,
    settings: TrainingSettings | None = None,
    on_epoch=None,
    checkpoint=None,
    n_photos: int = 0,
) -> tuple:
    epochs = []
    banks = bank_of(folder, "train", n_photos=n_photos), bank_of(folder, "val")
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
    "change",
    [
        {"augment": True},
        {"optimizer": "sgd"},
        {"sam_rho": 0.0},
        {"weight_decay": 0.5},
        {"precision": "bf16"},
        {"patch": 32, "augment": True},
        {"average": 0.5},
    ],
)
def test_each_setting_changes_what_is_trained(tmp_path, change):
    plain, changed = _model(), _model()
    _train(tmp_path, plain, training_settings(epochs=1))
    _train(tmp_path, changed, training_settings(epochs=1, **change))
    assert not _equal(plain, changed)


class Killed(Exception):
    pass


RESUMED = {
    "plain": {},
    "averaged": {"average": 0.9},
    "boundary": {"boundary": 0.5},
    "patches": {"patch": 32, "augment": True},
}


@pytest.mark.parametrize("changes", RESUMED)
def test_an_interrupted_run_resumes_and_ends_with_the_same_weights(tmp_path, capsys, changes):
    whole, cut, resumed = (_with_boundary_head("test_resnet", drop_rate=0.3) for _ in range(3))
    settings = training_settings(**RESUMED[changes])
    epochs, best = _train(tmp_path, whole, settings)
    checkpoint = Checkpoint(tmp_path / "backbone.checkpoint", "k")

    def kill_in_the_third(epoch):
        if epoch.number == 2:
            raise Killed

    with pytest.raises(Killed):
        _train(tmp_path, cut, settings, on_epoch=kill_in_the_third, checkpoint=checkpoint)
    torch.manual_seed(99)
    epochs_resumed, best_resumed = _train(tmp_path, resumed, settings, checkpoint=checkpoint)
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


def test_training_takes_photos_and_validates_without(tmp_path):
    with_photos, without = _model(), _model()
    _train(tmp_path, with_photos, training_settings(epochs=1, photo_share=0.5), n_photos=1)
    _train(tmp_path, without, training_settings(epochs=1, photo_share=0.0), n_photos=1)
    assert not _equal(with_photos, without)


def test_patches_for_a_network_of_one_size_are_an_error(tmp_path):
    with pytest.raises(InputError, match="train.patch is 64, but the network takes images of 32 px alone; set it to 0"):
        _train(tmp_path, _model("test_vit", img_size=32), training_settings(patch=64))


# The boundary map


def _boundary_loss(folder, model: torch.nn.Module) -> float:
    """How far the mean cross-entropy of the map's cells on the validation bank, whose mask is known, is above the
    least that it can be.
    """
    bank = bank_of(folder, "val")
    stored = np.stack([bank.face(face, 0) for face in range(len(bank))])
    mask = torch.from_numpy(stored[..., 6] / 255.0)
    cells = (4 * mask * (1 - mask)).reshape(-1, 2, 16, 2, 16).mean(dim=(2, 4)).float()
    model.eval()
    with torch.inference_mode():
        maps = forward(model, prepare(np.concatenate([stored[..., :3], stored[..., 3:6]]), 32)).boundary
    target = torch.cat([torch.zeros_like(cells), cells])
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return (loss(maps, target) - loss(torch.logit(target, 1e-7), target)).item()


def test_training_with_a_boundary_lowers_its_loss(tmp_path):
    model = _with_boundary_head()
    before = _boundary_loss(tmp_path, model)
    _train(tmp_path, model, training_settings(boundary=1.0, learning_rate=0.01, sam_rho=0.0))
    assert _boundary_loss(tmp_path, model) < 0.3 * before


def test_the_trained_loss_is_that_of_classifier_and_cells(tmp_path):
    """With a vanishing step the reported loss is that of the first weights."""
    model, still = _with_boundary_head(), {"epochs": 1, "learning_rate": 1e-9, "sam_rho": 0.0, "batch_size": 48}
    bank = bank_of(tmp_path, "train")
    losses = {}
    for weight in (0.0, 2.0):
        settings = training_settings(boundary=weight, **still)
        trainer = Trainer(model, 32, bank, bank, settings, seed=0, device="cpu")
        batch = training_batch(bank, np.arange(12), np.zeros(12, int), settings, 32, np.random.default_rng(0))
        model.eval()
        losses[weight] = trainer._loss_of(batch)().item()
    boundary = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(batch.boundary), 2)
    with torch.inference_mode():
        maps = forward(model, prepare(batch.images, 32)).boundary
    target = torch.cat([torch.zeros_like(boundary), boundary])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(maps, target).item()
    assert losses[2.0] - losses[0.0] == pytest.approx(2 * expected, rel=1e-4)


@pytest.mark.parametrize("tune", ["all", "norm", "head"])
def test_the_boundary_head_is_trained_whatever_else_is(tmp_path, tune):
    model = _with_boundary_head()
    before = model.boundary_head.layers[0].weight.clone()
    _train(tmp_path, model, training_settings(epochs=1, boundary=1.0, tune=tune))
    assert not torch.equal(model.boundary_head.layers[0].weight, before)


def test_the_heads_alone_are_trained_where_tune_says_so():
    model = _with_boundary_head()
    heads = [*model.get_classifier().parameters(), *model.boundary_head.parameters()]
    assert set_trainable(model, "head") == heads


# The average of the weights


def test_the_average_is_of_the_weights_of_all_steps(tmp_path):
    """Of one epoch: its steps' weights, each counting half as much as the next."""
    model, steps = _model(), []
    banks = bank_of(tmp_path, "train"), bank_of(tmp_path, "val")
    trainer = Trainer(model, 32, *banks, training_settings(epochs=1, average=0.5), seed=0, device="cpu")
    step = trainer._step

    def remember(loss_of):
        loss = step(loss_of)
        steps.append(model.get_classifier().weight.detach().clone())
        return loss

    trainer._step = remember
    trainer.fit(lambda epoch: None)
    expected = steps[0]
    for weight in steps[1:]:
        expected = 0.5 * expected + 0.5 * weight
    torch.testing.assert_close(model.get_classifier().weight.detach(), expected)


def test_an_average_is_of_the_statistics_of_normalisation_too(tmp_path):
    plain, averaged = _model(), _model()
    _train(tmp_path, plain, training_settings(epochs=1))
    _train(tmp_path, averaged, training_settings(epochs=1, average=0.5))
    means = [model.state_dict()["bn1.running_mean"] for model in (plain, averaged)]
    assert not torch.equal(*means)


def test_averaged_training_learns(tmp_path):
    _, best = _train(tmp_path, _model(), training_settings(average=0.8))
    assert best.val_auc > 0.9

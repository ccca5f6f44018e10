"""A backbone trained under guidance: what it changes and what it leaves as it was."""

import numpy as np
import pytest
import timm
import torch

from stages.lib.backbone.batches import training_batch
from stages.lib.backbone.checkpoint import Checkpoint, save_backbone
from stages.lib.backbone.distributed import Processes
from stages.lib.backbone.network import Architecture, prepare
from stages.lib.backbone.training import Trainer
from stages.lib.errors import InputError
from stages.lib.guidance.guide import Guidance, build_guidance
from tests.helpers.banks import bank_of
from tests.helpers.diffusion import SIZE, guidance_settings
from tests.helpers.params import training_settings

N = 4  # real faces of a batch


def _settings(**changes):
    return training_settings(**{"epochs": 2, "sam_rho": 0.0} | changes)


def _trainer(folder, weights=None, guided=None, processes=None, **changes) -> Trainer:
    """Guided by ``weights`` where they are given, with the changes ``guided`` of guidance's settings."""
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=1, drop_rate=0.3)
    guidance = build_guidance(guidance_settings(weights, **guided or {}), model, 0) if weights else None
    banks = bank_of(folder, "train"), bank_of(folder, "val")
    return Trainer(model, 32, *banks, _settings(**changes), 0, "cpu", processes or Processes(), guidance)


def _fitted(trainer: Trainer, on_epoch=None, checkpoint=None) -> tuple[Trainer, list]:
    epochs = []
    trainer.fit(on_epoch or epochs.append, checkpoint)
    return trainer, epochs


def _equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def _batch(trainer: Trainer):
    bank, faces, rng = trainer._train_bank, np.arange(N), np.random.default_rng(0)
    variants = np.array([0, 1, 0, 1])
    return training_batch(bank, faces, variants, _settings(), 32, rng, augment=False, with_sources=True)


def test_guidance_changes_what_is_trained(tmp_path, weights):
    plain, guided = (_fitted(_trainer(tmp_path, one))[0] for one in (None, weights))
    assert not _equal(plain.model, guided.model)


@pytest.mark.parametrize("changes", [{}, {"augment": True, "patch": 32}])
def test_guidance_that_weighs_nothing_trains_the_weights_of_before(tmp_path, weights, changes):
    """Bit for bit: guidance takes no draw of the faces, of dropout or of the order from training."""
    nothing = dict.fromkeys(("lambda_source", "lambda_target", "lambda_weight"), 0.0)
    plain, _ = _fitted(_trainer(tmp_path, **changes))
    guided, _ = _fitted(_trainer(tmp_path, weights, nothing, **changes))
    assert _equal(plain.model, guided.model)


def test_the_reconstructions_alone_change_what_is_trained(tmp_path, weights):
    plain, _ = _fitted(_trainer(tmp_path))
    guided, _ = _fitted(_trainer(tmp_path, weights, {"lambda_weight": 0.0, "learning_rate": 1e-2}))
    assert not _equal(plain.model, guided.model)


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_training_leaves_what_is_frozen_as_it_was(tmp_path, weights, part):
    trainer = _trainer(tmp_path, weights)
    frozen = getattr(trainer._guiding.guidance, part)
    before = {name: tensor.clone() for name, tensor in frozen.state_dict().items()}
    _fitted(trainer)
    assert [name for name, tensor in frozen.state_dict().items() if not torch.equal(tensor, before[name])] == []


class Killed(Exception):
    pass


def _kill_in_the_second(epoch) -> None:
    if epoch.number == 1:
        raise Killed


def test_an_interrupted_run_resumes_and_ends_with_the_same_weights(tmp_path, weights):
    whole, epochs = _fitted(_trainer(tmp_path, weights, epochs=3))
    checkpoint = Checkpoint(tmp_path / "checkpoint", "k")
    with pytest.raises(Killed):
        _fitted(_trainer(tmp_path, weights, epochs=3), _kill_in_the_second, checkpoint)
    resumed, epochs_resumed = _fitted(_trainer(tmp_path, weights, epochs=3), checkpoint=checkpoint)
    assert epochs_resumed == epochs
    assert _equal(whole.model, resumed.model)
    assert _equal(whole._guiding.guidance, resumed._guiding.guidance)


def test_a_checkpoint_keeps_what_is_trained_alone(tmp_path, weights):
    checkpoint = Checkpoint(tmp_path / "checkpoint", "k")
    trainer, _ = _fitted(_trainer(tmp_path, weights, epochs=1), checkpoint=checkpoint)
    kept = torch.load(checkpoint.path, weights_only=True)
    assert set(kept["guidance"]) == set(trainer._guiding.guidance.trained.state_dict())


def test_a_backbones_file_has_nothing_of_guidance(tmp_path, weights):
    sizes = []
    for one in (None, weights):
        trainer, _ = _fitted(_trainer(tmp_path, one, epochs=1))
        save_backbone(tmp_path / "b.safetensors", trainer.model, Architecture("test_resnet", 32, 96))
        sizes.append((sorted(trainer.model.state_dict()), (tmp_path / "b.safetensors").stat().st_size))
    assert sizes[0] == sizes[1]


def test_guidance_has_a_learning_rate_of_its_own_that_does_not_decay(tmp_path, weights):
    trainer, _ = _fitted(_trainer(tmp_path, weights, {"learning_rate": 0.02}))
    assert trainer._guiding.parts["guidance_optimizer"].param_groups[0]["lr"] == 0.02


def test_what_is_trained_beside_the_backbone_moves(tmp_path, weights):
    trainer = _trainer(tmp_path, weights, epochs=1)
    trained = trainer._guiding.guidance.trained
    before = {name: p.detach().clone() for name, p in trained.named_parameters()}
    _fitted(trainer)
    assert [name for name, p in trained.named_parameters() if torch.equal(p, before[name])] == []


def test_the_loss_is_that_of_before_and_guidances(tmp_path, weights, monkeypatch):
    trainer, totals = _trainer(tmp_path, weights), []
    loss = Guidance.loss

    def remember(self, *arguments):
        terms = loss(self, *arguments)
        totals.append(terms.total.item())
        return terms

    monkeypatch.setattr(Guidance, "loss", remember)
    trainer.model.eval()
    together = trainer._loss_of(_batch(trainer))().item()
    plain = _trainer(tmp_path)
    plain.model.eval()
    assert together == pytest.approx(plain._loss_of(_batch(plain))().item() + totals[0], rel=1e-6)


def test_terms_are_logged_by_epoch(tmp_path, weights):
    _, epochs = _fitted(_trainer(tmp_path, weights))
    expected = {"source", "target", "weight_source", "weight_target", "pull"}
    assert [set(epoch.guidance) for epoch in epochs] == [expected, expected]


def test_without_guidance_nothing_is_logged_of_it(tmp_path):
    assert [epoch.guidance for epoch in _fitted(_trainer(tmp_path))[1]] == [{}, {}]


def test_the_pull_is_guidances_gradient_at_the_features_by_the_rests(tmp_path, weights):
    trainer = _trainer(tmp_path, weights)
    guiding, draws = trainer._guiding, torch.Generator().manual_seed(0)
    features = torch.randn(2 * N, 96, 1, 1, generator=draws).requires_grad_()
    images = [torch.rand(N, 3, SIZE, SIZE, generator=draws) for _ in range(3)]
    inner = features * 1
    (guiding.loss(inner, *images) + 3 * inner.sum()).backward()
    guiding_alone = features.grad - 3
    expected = guiding_alone.norm() / torch.full_like(features, 3.0).norm()
    assert guiding.means()["pull"] == pytest.approx(expected.item(), rel=1e-3)


def test_a_loss_is_given_the_real_faces_fakes_and_sources_of_the_bank(tmp_path, weights, monkeypatch):
    """By the arrays themselves, which the bank has under other names."""
    given = []
    loss = Guidance.loss
    monkeypatch.setattr(Guidance, "loss", lambda self, *a: given.append(a[1:4]) or loss(self, *a))
    trainer = _trainer(tmp_path, weights)
    trainer._loss_of(_batch(trainer))()
    bank = trainer._train_bank
    stored = [bank.face(face, face % 2) for face in range(N)]
    pasted = [bank.pasted(face, face % 2) for face in range(N)]
    expected = [[one[..., :3] for one in stored], [one[..., 3:6] for one in stored], pasted]
    for found, images in zip(given[0], expected, strict=True):
        assert torch.equal(found, prepare([np.ascontiguousarray(one) for one in images], SIZE))


@pytest.mark.parametrize(("branch", "kind"), [(0, "pasted"), (1, "real")])
def test_a_fakes_branch_is_asked_for_the_banks_own_array(tmp_path, weights, monkeypatch, branch, kind):
    """All the way: source branch and target branch, from the bank to the latents. Swapped roles fail here."""
    asked, predict = [], Guidance.predict
    monkeypatch.setattr(
        Guidance, "predict", lambda self, *arguments: asked.append(arguments[2]) or predict(self, *arguments)
    )
    trainer = _trainer(tmp_path, weights)
    guidance, bank = trainer._guiding.guidance, trainer._train_bank
    monkeypatch.setattr(type(guidance.scheduler), "add_noise", lambda self, latents, noise, step: latents)
    with torch.no_grad():
        guidance.vae.quant_conv.bias[4:] -= 100  # no deviation to speak of
    trainer._loss_of(_batch(trainer))()
    with torch.no_grad():
        faces = [
            bank.pasted(face, face % 2) if kind == "pasted" else bank.face(face, face % 2)[..., :3] for face in range(N)
        ]
        latents = guidance.vae.encode(prepare([np.ascontiguousarray(one) for one in faces], SIZE)).latent_dist.mode()
    of_branch = asked[0].chunk(2)[branch][N:]
    torch.testing.assert_close(of_branch, latents * guidance.vae.config.scaling_factor, rtol=0, atol=1e-5)


def test_guidance_trains_in_bf16(tmp_path, weights):
    """A finite loss: divergence would be an error."""
    _, (epoch,) = _fitted(_trainer(tmp_path, weights, precision="bf16", epochs=1))
    assert 0 < epoch.guidance["target"] < 10


@pytest.mark.parametrize("changes", [{"tune": "norm"}, {"average": 0.5}, {"optimizer": "sgd"}, {"loss": "gend"}])
def test_guidance_goes_with_other_settings_of_training(tmp_path, weights, changes):
    plain, guided = (_fitted(_trainer(tmp_path, one, epochs=1, **changes))[0] for one in (None, weights))
    assert not _equal(plain.model, guided.model)


def test_several_processes_are_refused(tmp_path, weights):
    several = Processes()
    several.count = 2
    with pytest.raises(InputError) as error:
        _trainer(tmp_path, weights, processes=several)
    assert str(error.value) == (
        f"guidance.weights is '{weights}', and 2 processes are to train, but guidance is trained in one; unset "
        "DIFFFAKE_DEVICES"
    )


def test_a_bank_without_sources_is_an_error_with_its_remedy(tmp_path, weights):
    trainer = _trainer(tmp_path, weights)
    for path in (tmp_path / "sources").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="run `dvc repro -f synthesize_fakes` to make it"):
        _fitted(trainer)

"""GenD's loss: its two terms, what training makes of them, and the network that it wants."""

import numpy as np
import pytest
import torch

from stages.lib.backbone.batches import training_batch
from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.distributed import Processes
from stages.lib.backbone.network import build_backbone, classifier_of, forward, prepare
from stages.lib.backbone.training import Trainer, alignment_and_uniformity
from stages.lib.backbone.variants import VARIANTS, NormalizedLinear
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import backbone_settings, training_settings


def test_the_terms_by_hand():
    embedding = torch.tensor([[3.0, 0.0], [0.0, 2.0], [-5.0, 0.0]])  # on the circle at 0, 90 and 180 degrees
    alignment, uniformity = alignment_and_uniformity(embedding, torch.tensor([0.0, 0.0, 1.0]))
    assert alignment.item() == pytest.approx(2)  # of the first two
    assert uniformity.item() == pytest.approx(np.log((2 * np.exp(-4) + np.exp(-8)) / 3), rel=1e-5)


def test_lengths_do_not_matter():
    embedding, label = torch.randn(8, 5), torch.arange(2).repeat_interleave(4)
    for one, other in zip(
        alignment_and_uniformity(embedding, label), alignment_and_uniformity(7 * embedding, label), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.fixture
def trainer(tmp_path):
    """A function that makes a trainer of an encoder whose norms and classifier alone are trained."""

    def make(**changes) -> Trainer:
        torch.manual_seed(0)
        model, _ = build_backbone(backbone_settings(name="test_vit", input_size=160), normalized=True)
        banks = bank_of(tmp_path, "train"), bank_of(tmp_path, "val")
        settings = training_settings(**{"tune": "norm", "sam_rho": 0.0, "epochs": 8, "learning_rate": 0.01} | changes)
        return Trainer(model, 160, *banks, settings, seed=0, device="cpu")

    return make


def test_the_loss_is_the_cross_entropy_with_both_terms_weighted(trainer):
    losses = {}
    for loss in ("cross_entropy", "gend"):
        made = trainer(loss=loss)
        bank = made._train_bank
        batch = training_batch(bank, np.arange(6), np.zeros(6, int), made._settings, 160, np.random.default_rng(0))
        made.model.eval()
        losses[loss] = made._loss_of(batch)().item()
    with torch.inference_mode():
        embedding = forward(made.model, prepare(batch.images, 160)).embedding
    alignment, uniformity = alignment_and_uniformity(embedding, torch.arange(2).repeat_interleave(6))
    expected = 0.1 * alignment.item() + 0.5 * uniformity.item()
    assert losses["gend"] - losses["cross_entropy"] == pytest.approx(expected, rel=1e-4)


def test_a_batch_with_one_face_of_each_class_has_no_alignment():
    alignment, uniformity = alignment_and_uniformity(torch.randn(2, 5, requires_grad=True), torch.tensor([0.0, 1.0]))
    assert alignment.item() == 0 and torch.isfinite(uniformity)


def test_training_with_it_learns(trainer):
    assert trainer(loss="gend").fit(lambda epoch: None).val_auc > 0.9


def test_the_classifier_is_given_embeddings_of_length_1_after_loading_too(tmp_path):
    model, architecture = build_backbone(backbone_settings(), normalized=True)
    assert architecture.variants == ("normalized-head",)
    save_backbone(tmp_path / "b.safetensors", model, architecture)
    loaded, again = load_backbone(tmp_path / "b.safetensors", "cpu")
    assert again == architecture and isinstance(classifier_of(loaded), NormalizedLinear)


def test_a_network_without_a_linear_classifier_is_an_error():
    class Other(torch.nn.Module):
        def get_classifier(self):
            return torch.nn.Conv2d(1, 1, 1)

    with pytest.raises(InputError, match="is a Conv2d, and only a linear one can be given embeddings of length 1"):
        VARIANTS["normalized-head"].apply(Other())


def test_several_processes_are_refused(tmp_path):
    processes = Processes()
    processes.count = 2
    model, _ = build_backbone(backbone_settings(), normalized=True)
    banks = bank_of(tmp_path, "train"), bank_of(tmp_path, "val")
    with pytest.raises(InputError, match="gend, which compares all faces of a batch, and 2 processes are to train"):
        Trainer(model, 32, *banks, training_settings(loss="gend"), 0, "cpu", processes)

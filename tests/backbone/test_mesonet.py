"""MesoNet's two networks: of the published size, with timm's interface, and trained and saved like any other."""

import numpy as np
import pytest
import timm
import torch

from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.embedding import embed
from stages.lib.backbone.network import build_backbone, classifier_of, create_network, forward, prepare, takes_one_size
from stages.lib.backbone.training import Trainer
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import backbone_settings, training_settings

NAMES = ("meso4", "mesoinception4")
FACES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.mark.parametrize(("name", "parameters"), [("meso4", 27977), ("mesoinception4", 28615)])
def test_it_has_as_many_parameters_as_published(name, parameters):
    """The numbers are the paper's."""
    assert sum(parameter.numel() for parameter in create_network(name, 256).parameters()) == parameters


def test_timms_own_call_is_the_classifier_of_the_embedding(name):
    model = create_network(name, 64).eval()
    images = prepare(FACES, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model(images)[:, 0], forward(model, images).logit)


def test_without_a_classifier_it_gives_the_embedding(name):
    model = create_network(name, 64).eval()
    images = prepare(FACES, 64)
    with torch.inference_mode():
        embedding = forward(model, images).embedding
        model.reset_classifier(0)
        torch.testing.assert_close(model(images), embedding)


def test_training_drops_parts_of_what_the_classifier_is_given():
    torch.manual_seed(0)
    embedding = forward(create_network("meso4", 64).train(), prepare(FACES, 64)).embedding
    assert (embedding == 0).float().mean().item() == pytest.approx(0.5, abs=0.25)


def test_a_size_of_no_whole_cells_is_taken_too(name):
    model = create_network(name, 100).eval()
    assert forward(model, prepare(FACES, 100)).embedding.shape == (3, 16)


def test_it_takes_the_one_size_that_it_was_made_for(name):
    assert takes_one_size(create_network(name, 64))


def test_timm_knows_that_the_published_weights_take_pixels_from_0_to_1(name):
    known = timm.get_pretrained_cfg(name)
    assert (known.input_size, known.mean, known.std) == ((3, 256, 256), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_hub_has_no_weights_of_it(name):
    with pytest.raises(InputError, match=f"backbone.weights is 'hub', but timm could not load .* weights of {name}"):
        build_backbone(backbone_settings(name=name, weights="hub", input_size=64))


def test_a_boundary_map_is_refused(name):
    with pytest.raises(InputError, match=f"train.boundary is above 0, but {name} has no features at stride 16"):
        build_backbone(backbone_settings(name=name, input_size=64), boundary=True)


def test_a_saved_backbone_embeds_as_before(name, tmp_path):
    torch.manual_seed(0)
    model, architecture = build_backbone(backbone_settings(name=name, input_size=64))
    before = embed(model.eval(), FACES, 64, "cpu")
    save_backbone(tmp_path / "b.safetensors", model, architecture)
    loaded, _ = load_backbone(tmp_path / "b.safetensors", "cpu")
    np.testing.assert_allclose(embed(loaded, FACES, 64, "cpu").embedding, before.embedding, rtol=1e-4, atol=1e-5)


def test_training_changes_every_weight(name, tmp_path):
    torch.manual_seed(0)
    model, _ = build_backbone(backbone_settings(name=name, input_size=64))
    before = {key: tensor.clone() for key, tensor in model.named_parameters()}
    banks = bank_of(tmp_path, "train"), bank_of(tmp_path, "val")
    Trainer(model, 64, *banks, training_settings(epochs=1, sam_rho=0.0), seed=0, device="cpu").fit(lambda epoch: None)
    assert [key for key, tensor in model.named_parameters() if torch.equal(tensor, before[key])] == []


def test_a_new_network_starts_with_biases_of_0():
    """As Keras has it; the classifier starts as that of every network here."""
    model = create_network("meso4", 64)
    biases = {m.bias.abs().max().item() for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)}
    assert biases == {0.0, classifier_of(model).bias.abs().max().item()}

"""What published networks do otherwise than timm's."""

import pytest
import timm
import torch
from torch.nn import functional

from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.network import build_backbone, classifier_of, create_network
from stages.lib.backbone.variants import VARIANTS, NormalizedLinear, PaddedConv2d
from stages.lib.backbone.weights import Architecture
from stages.lib.errors import InputError
from tests.helpers.params import backbone_settings

FITTING = {
    "unpadded-stem": "test_efficientnet",
    "padding-for-380": "tf_efficientnet_b0",
    "normalized-head": "test_vit",
    "class-token": "test_vit",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_keeps_the_names_and_shapes_of_timms_tensors(variant):
    plain, changed = create_network(FITTING[variant], 64), create_network(FITTING[variant], 64, variants=[variant])
    shapes = [{name: tensor.shape for name, tensor in model.state_dict().items()} for model in (plain, changed)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"class-token"}))  # which is how test_vit pools in any case
def test_a_variant_changes_what_a_network_gives(variant):
    torch.manual_seed(0)
    plain = create_network(FITTING[variant], 64).eval()
    changed = create_network(FITTING[variant], 64, variants=[variant]).eval()
    changed.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(plain(images), changed(images))


def test_a_padded_convolution_pads_before_and_after():
    plain = torch.nn.Conv2d(3, 4, 3, stride=2, bias=False)
    images = torch.rand(2, 3, 8, 8)
    padded = functional.pad(images, (1, 2, 1, 2))
    torch.testing.assert_close(PaddedConv2d(plain, 1, 2)(images), plain(padded))


def test_a_normalized_head_sees_the_direction_alone():
    layer = NormalizedLinear(torch.nn.Linear(5, 1))
    vectors = torch.rand(3, 5)
    torch.testing.assert_close(layer(vectors), layer(7 * vectors))


def test_the_class_token_is_the_embedding():
    model = create_network("vit_tiny_patch16_dinov3_qkvb", 64, variants=["class-token"]).eval()
    assert timm.create_model("vit_tiny_patch16_dinov3_qkvb").global_pool == "avg"
    with torch.inference_mode():
        features = model.forward_features(torch.rand(2, 3, 64, 64))
        assert torch.equal(model.forward_head(features, pre_logits=True), features[:, 0])


def test_variants_travel_and_stay_when_their_weights_are_started_from(tmp_path):
    path, variants = tmp_path / "b.safetensors", ("normalized-head",)
    model = create_network("test_vit", 64, variants=variants)
    save_backbone(path, model, Architecture("test_vit", 64, 64, variants=variants))
    loaded, _ = load_backbone(path, "cpu")
    assert isinstance(classifier_of(loaded), NormalizedLinear)
    started, architecture = build_backbone(backbone_settings(name="test_vit", weights=str(path), input_size=64))
    assert architecture.variants == variants
    assert isinstance(classifier_of(started), NormalizedLinear)


def test_a_file_with_an_unknown_variant_is_refused(tmp_path):
    model = create_network("test_resnet", 32)
    save_backbone(tmp_path / "b.safetensors", model, Architecture("test_resnet", 32, 8, variants=("no-such",)))
    with pytest.raises(InputError, match="not a whole backbone of this project .*no-such"):
        load_backbone(tmp_path / "b.safetensors", "cpu")

"""The input transform, weights in and out, and what a bad backbone says."""

import dataclasses

import cv2
import numpy as np
import pytest
import safetensors.torch
import timm
import torch

from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.network import (
    Architecture,
    Outputs,
    boundary_cells,
    build_backbone,
    classifier_of,
    create_network,
    forward,
    prepare,
    set_normalization,
    takes_one_size,
)
from stages.lib.backbone.weights import Origin
from stages.lib.errors import InputError
from tests.helpers.params import TINY_NETWORK, backbone_settings

CPU = "cpu"
FACES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)


@torch.inference_mode()
def _forward(model: torch.nn.Module, size: int = 32) -> Outputs:
    return forward(model, prepare(FACES, size))


def test_prepare_normalises_with_mean_and_deviation_a_half():
    faces = np.zeros((2, 32, 32, 3), np.uint8)
    faces[1, ..., 0] = 255
    x = prepare(faces, 32)
    assert x.shape == (2, 3, 32, 32)
    assert x.dtype == torch.float32
    assert (x[0] == -1).all()
    assert (x[1, 0] == 1).all()
    assert (x[1, 1:] == -1).all()
    expected = (cv2.resize(FACES[0], (32, 32), interpolation=cv2.INTER_AREA) / 255.0 - 0.5) / 0.5
    np.testing.assert_allclose(prepare(FACES, 32)[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_vit"])
def test_a_new_classifier_is_undecided_whatever_the_network(name):
    """For one output timm draws an EfficientNet's weights from [-1, 1]."""
    assert classifier_of(create_network(name, 64)).weight.std().item() == pytest.approx(0.01, rel=0.3)


def test_embedding_is_timms_pooled_feature_and_the_logit_its_classifier():
    model = timm.create_model(TINY_NETWORK, num_classes=1).eval()
    pooled = timm.create_model(TINY_NETWORK, num_classes=0).eval()
    pooled.load_state_dict(model.state_dict(), strict=False)
    found = _forward(model)
    with torch.inference_mode():
        np.testing.assert_allclose(found.embedding, pooled(prepare(FACES, 32)).numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.logit, model(prepare(FACES, 32))[:, 0].numpy(), rtol=1e-4, atol=1e-6)


def test_a_network_that_wants_another_normalisation_changes_prepared_images_itself():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    model = timm.create_model(TINY_NETWORK, num_classes=1).eval()
    x = torch.from_numpy(((FACES / 255.0 - mean) / std).astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = model(x)[:, 0]
    set_normalization(model, Origin(mean=mean, std=std))
    torch.testing.assert_close(_forward(model, 64).logit, expected, rtol=1e-4, atol=1e-5)


def test_a_normalisation_is_no_weight():
    model = timm.create_model(TINY_NETWORK, num_classes=1)
    names = list(model.state_dict())
    set_normalization(model, Origin(mean=(0.4, 0.4, 0.4)))
    assert list(model.state_dict()) == names


def test_from_scratch_the_normalisation_is_the_papers():
    _, architecture = build_backbone(backbone_settings())
    assert (architecture.origin.mean, architecture.origin.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_local_weights_are_loaded_all_but_a_foreign_classifier(tmp_path):
    pretrained = timm.create_model(TINY_NETWORK, num_classes=1000)
    safetensors.torch.save_file(pretrained.state_dict(), tmp_path / "w.safetensors")
    torch.save(pretrained.state_dict(), tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        model, _ = build_backbone(backbone_settings(weights=str(tmp_path / name)))
        assert torch.equal(model.conv1[0].weight, pretrained.conv1[0].weight)
        assert model.get_classifier().out_features == 1


def test_a_local_file_is_normalised_as_timm_says_of_its_network(tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(timm.create_model("resnet10t").state_dict(), path)
    _, architecture = build_backbone(backbone_settings(name="resnet10t", weights=str(path)))
    assert architecture.origin == Origin("w.safetensors", "", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_a_local_backbone_of_this_project_keeps_its_origin(tmp_path):
    path, origin = tmp_path / "w.safetensors", Origin("https://example.org/w", "MIT", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    model, architecture = build_backbone(backbone_settings())
    save_backbone(path, model, dataclasses.replace(architecture, origin=origin))
    assert build_backbone(backbone_settings(weights=str(path)))[1].origin == origin


def _saved(path, name: str = TINY_NETWORK, size: int = 32, **changes) -> str:
    """A file of a backbone of this project."""
    model, architecture = build_backbone(backbone_settings(name=name, input_size=size))
    save_backbone(path, model, dataclasses.replace(architecture, **changes))
    return str(path)


def test_a_local_backbone_of_another_network_names_it(tmp_path):
    weights = _saved(tmp_path / "w.safetensors")
    expected = "backbone.name is test_vit, but backbone.weights names .*; set backbone.name to test_resnet"
    with pytest.raises(InputError, match=expected):
        build_backbone(backbone_settings(name="test_vit", weights=weights))


def test_a_local_backbone_of_one_size_names_it(tmp_path):
    weights = _saved(tmp_path / "w.safetensors", "test_vit", 64)
    with pytest.raises(InputError, match="set backbone.input_size to 64"):
        build_backbone(backbone_settings(name="test_vit", weights=weights, input_size=32))


def test_weights_that_stay_as_they_are_need_their_own_normalisation(tmp_path):
    weights = _saved(tmp_path / "w.safetensors", origin=Origin("x", "", (0.0,) * 3, (1.0,) * 3))
    settings = backbone_settings(weights=weights, normalization="half")
    with pytest.raises(InputError, match="set backbone.normalization to weights .*train.tune is none"):
        build_backbone(settings, unchanged=True)
    assert build_backbone(settings)[1].origin.mean == (0.5, 0.5, 0.5)


def test_hub_weights_bring_source_licence_and_unless_told_otherwise_normalisation(monkeypatch):
    offline = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **more: offline(name, **more))
    _, architecture = build_backbone(backbone_settings(weights="hub", name="resnet10t"))
    assert architecture.origin.source == "https://huggingface.co/timm/resnet10t.c3_in1k"
    assert architecture.origin.licence == "apache-2.0"
    assert architecture.origin.mean == (0.485, 0.456, 0.406)
    assert architecture.origin.std == (0.229, 0.224, 0.225)
    model, papers = build_backbone(backbone_settings(weights="hub", name="resnet10t", normalization="half"))
    assert papers.origin == dataclasses.replace(architecture.origin, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert not hasattr(model, "input_scale")


def test_bad_weights_are_named(tmp_path):
    with pytest.raises(InputError, match="no file .*none.safetensors; set it to .* an existing .safetensors or"):
        build_backbone(backbone_settings(weights=str(tmp_path / "none.safetensors")))
    (tmp_path / "bad.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="bad.safetensors is not a readable weights file"):
        build_backbone(backbone_settings(weights=str(tmp_path / "bad.safetensors")))
    safetensors.torch.save_file(timm.create_model("test_vit", num_classes=1).state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(InputError, match="does not fit backbone.name: .* tensors are missing or of another shape"):
        build_backbone(backbone_settings(weights=str(tmp_path / "vit.safetensors")))


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code ran')",))

    torch.save({"x": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="evil.pth is not a readable weights file"):
        build_backbone(backbone_settings(weights=str(tmp_path / "evil.pth")))


def test_a_hub_out_of_reach_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        InputError, match="could not load pretrained weights of resnet18 .*go online, or set backbone.weights"
    ):
        build_backbone(backbone_settings(weights="hub", name="resnet18"))


def test_an_unknown_name_lists_close_ones():
    with pytest.raises(InputError, match="backbone.name is 'resnet19', which timm .* does not have; close: .*resnet"):
        build_backbone(backbone_settings(name="resnet19"))


@pytest.mark.parametrize(
    ("name", "dimension"),
    [("efficientnet_b4", 1792), ("resnet50", 2048), ("legacy_xception", 2048), ("vit_tiny_patch16_224", 192)],
)
def test_the_papers_backbones_and_a_vit_embed_save_and_load(tmp_path, name, dimension):
    model, architecture = build_backbone(backbone_settings(name=name, input_size=64))
    model.eval()
    found = _forward(model, 64)
    assert found.embedding.shape == (5, dimension)
    assert architecture == Architecture(name, 64, dimension)
    assert torch.isfinite(found.logit).all()
    save_backbone(tmp_path / "b.safetensors", model, architecture)
    loaded, _ = load_backbone(tmp_path / "b.safetensors", CPU)
    torch.testing.assert_close(_forward(loaded, 64).embedding, found.embedding, rtol=1e-3, atol=1e-5)


# The boundary map

WITH_STRIDE_16 = [TINY_NETWORK, "test_efficientnet", "test_vit"]


@pytest.mark.parametrize("name", WITH_STRIDE_16)
def test_a_boundary_map_has_a_cell_for_each_16_pixels(name):
    model, _ = build_backbone(backbone_settings(name=name, input_size=64), boundary=True)
    assert _forward(model.eval(), 64).boundary.shape == (5, 4, 4)


@pytest.mark.parametrize("name", WITH_STRIDE_16)
def test_a_boundary_head_leaves_embedding_and_logit_as_they_were(name):
    torch.manual_seed(0)
    plain, _ = build_backbone(backbone_settings(name=name, input_size=64))
    torch.manual_seed(0)
    model, _ = build_backbone(backbone_settings(name=name, input_size=64), boundary=True)
    ours, theirs = _forward(model.eval(), 64), _forward(plain.eval(), 64)
    torch.testing.assert_close((ours.embedding, ours.logit), (theirs.embedding, theirs.logit))


def test_a_map_is_of_the_place_that_it_is_of():
    """What changes in the lower right changes the cells there most."""
    model, _ = build_backbone(backbone_settings(input_size=128), boundary=True)
    model.eval()
    faces = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    faces[1] = faces[0]
    faces[1, 96:, 64:96] = 255 - faces[0, 96:, 64:96]
    with torch.inference_mode():
        maps = forward(model, prepare(faces, 128)).boundary
    row, column = divmod(int((maps[1] - maps[0]).abs().argmax()), 8)
    assert (row, column) in {(row, column) for row in (5, 6, 7) for column in (3, 4, 5, 6)}


def test_a_network_without_a_boundary_head_has_no_map():
    model, _ = build_backbone(backbone_settings())
    assert _forward(model.eval()).boundary is None


def test_a_network_without_features_at_stride_16_is_an_error():
    settings = backbone_settings(name="vit_small_patch32_224", input_size=64)
    with pytest.raises(InputError, match="vit_small_patch32_224 has no features at stride 16; set it to 0, or"):
        build_backbone(settings, boundary=True)


def test_a_network_that_gives_no_features_is_an_error(monkeypatch):
    monkeypatch.delattr(timm.models.resnet.ResNet, "forward_intermediates")
    with pytest.raises(InputError, match=f"{TINY_NETWORK} has no features at stride 16"):
        build_backbone(backbone_settings(), boundary=True)


def test_an_input_of_no_whole_cells_is_an_error():
    with pytest.raises(InputError, match="backbone.input_size is 40; set it to a multiple of 16"):
        build_backbone(backbone_settings(input_size=40), boundary=True)


@pytest.mark.parametrize(("boundary", "cells"), [(True, 4), (False, 0)])
def test_an_architecture_knows_the_cells_of_its_map(boundary, cells):
    _, architecture = build_backbone(backbone_settings(input_size=64), boundary=boundary)
    assert boundary_cells(architecture) == cells


@pytest.mark.parametrize(("name", "one_size"), [(TINY_NETWORK, False), ("test_vit", True)])
def test_networks_that_take_one_size_are_known(name, one_size):
    model, _ = build_backbone(backbone_settings(name=name))
    assert takes_one_size(model) == one_size

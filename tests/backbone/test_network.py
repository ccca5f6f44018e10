"""The input transform, weights in and out, and what a bad backbone says."""

import cv2
import numpy as np
import pytest
import safetensors.torch
import timm
import torch

from stages.lib.backbone.checkpoint import Architecture, load_backbone, save_backbone
from stages.lib.backbone.network import build_backbone, forward, prepare
from stages.lib.errors import InputError
from tests.helpers.params import TINY_NETWORK, backbone_settings

CPU = "cpu"
FACES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)


@torch.inference_mode()
def _forward(model: torch.nn.Module, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
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


def test_embedding_is_timms_pooled_feature_and_the_logit_its_classifier():
    model = timm.create_model(TINY_NETWORK, num_classes=1).eval()
    pooled = timm.create_model(TINY_NETWORK, num_classes=0).eval()
    pooled.load_state_dict(model.state_dict(), strict=False)
    embedding, logit = _forward(model)
    with torch.inference_mode():
        np.testing.assert_allclose(embedding, pooled(prepare(FACES, 32)).numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(logit, model(prepare(FACES, 32))[:, 0].numpy(), rtol=1e-4, atol=1e-6)


def test_local_weights_are_loaded_all_but_a_foreign_classifier(tmp_path):
    pretrained = timm.create_model(TINY_NETWORK, num_classes=1000)
    safetensors.torch.save_file(pretrained.state_dict(), tmp_path / "w.safetensors")
    torch.save(pretrained.state_dict(), tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        model = build_backbone(backbone_settings(weights=str(tmp_path / name)))
        assert torch.equal(model.conv1[0].weight, pretrained.conv1[0].weight)
        assert model.get_classifier().out_features == 1


def test_bad_weights_are_named(tmp_path):
    with pytest.raises(InputError, match="no file .*none.safetensors; set it to 'none', 'hub' or an existing"):
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
    model = build_backbone(backbone_settings(name=name, input_size=64)).eval()
    embedding, logit = _forward(model, 64)
    assert embedding.shape == (5, dimension) == (5, model.head_hidden_size)
    assert torch.isfinite(logit).all()
    save_backbone(tmp_path / "b.safetensors", model, Architecture(name, 64, dimension))
    loaded, _ = load_backbone(tmp_path / "b.safetensors", CPU)
    torch.testing.assert_close(_forward(loaded, 64)[0], embedding, rtol=1e-3, atol=1e-5)

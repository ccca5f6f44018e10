"""Backbone files: saved, loaded, and refused where they are damaged."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.network import Outputs, build_backbone, forward, prepare, set_normalization
from stages.lib.backbone.weights import Architecture, Origin
from stages.lib.errors import InputError
from tests.helpers.params import TINY_NETWORK, backbone_settings

CPU = "cpu"
FACES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)


@torch.inference_mode()
def _forward(model: torch.nn.Module, size: int = 32) -> Outputs:
    return forward(model, prepare(FACES, size))


def test_saved_and_loaded_backbones_embed_alike(tmp_path):
    model, architecture = build_backbone(backbone_settings())
    model.eval()
    save_backbone(tmp_path / "b.safetensors", model, architecture)
    loaded, loaded_architecture = load_backbone(tmp_path / "b.safetensors", CPU)
    assert loaded_architecture == architecture
    ours, theirs = _forward(loaded), _forward(model)
    torch.testing.assert_close((ours.embedding, ours.logit), (theirs.embedding, theirs.logit), rtol=1e-5, atol=1e-6)


def test_a_boundary_head_travels(tmp_path):
    model, architecture = build_backbone(backbone_settings(), boundary=True)
    save_backbone(tmp_path / "b.safetensors", model, architecture)
    loaded, _ = load_backbone(tmp_path / "b.safetensors", CPU)
    torch.testing.assert_close(_forward(loaded).boundary, _forward(model.eval()).boundary, rtol=1e-5, atol=1e-6)


def test_a_files_origin_travels_and_normalises_again(tmp_path):
    origin = Origin("https://example.org/weights", "MIT", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    model, _ = build_backbone(backbone_settings())
    set_normalization(model.eval(), origin)
    save_backbone(tmp_path / "b.safetensors", model, Architecture(TINY_NETWORK, 32, model.num_features, origin=origin))
    loaded, architecture = load_backbone(tmp_path / "b.safetensors", CPU)
    assert architecture.origin == origin
    torch.testing.assert_close(_forward(loaded).logit, _forward(model).logit, rtol=1e-5, atol=1e-6)


def test_a_file_from_before_origins_were_kept_has_the_papers_normalisation(tmp_path):
    model, _ = build_backbone(backbone_settings())
    config = {"name": TINY_NETWORK, "input_size": 32, "embedding_dim": model.num_features}
    safetensors.torch.save_file(model.state_dict(), tmp_path / "b.safetensors", metadata={"config": json.dumps(config)})
    loaded, architecture = load_backbone(tmp_path / "b.safetensors", CPU)
    assert architecture.origin == Origin("", "", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    torch.testing.assert_close(_forward(loaded).logit, _forward(model.eval()).logit, rtol=1e-5, atol=1e-6)


def test_damaged_backbones_are_refused(tmp_path):
    path = tmp_path / "b.safetensors"
    with pytest.raises(InputError, match="no such file; run `dvc repro train_backbone`"):
        load_backbone(path, CPU)
    model, architecture = build_backbone(backbone_settings())
    save_backbone(path, model, architecture)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole backbone"):
        load_backbone(path, CPU)
    metadata = {"config": json.dumps({"name": "test_vit", "input_size": 32, "embedding_dim": 64})}
    safetensors.torch.save_file(model.state_dict(), path, metadata=metadata)
    with pytest.raises(InputError, match="not a whole backbone"):
        load_backbone(path, CPU)


def test_a_backbone_of_pseudo_fakes_has_the_text_from_before_others_could_be(tmp_path):
    model, architecture = build_backbone(backbone_settings())
    save_backbone(tmp_path / "b.safetensors", model, architecture)
    with safetensors.safe_open(tmp_path / "b.safetensors", framework="pt") as file:
        text = file.metadata()["config"]
    assert text == json.dumps(json.loads(text), sort_keys=True)
    assert set(json.loads(text)) == {"boundary", "embedding_dim", "input_size", "name", "origin", "variants"}


def test_the_methods_of_fakes_travel_also_into_what_is_trained_from_the_file(tmp_path):
    path = tmp_path / "b.safetensors"
    model, architecture = build_backbone(backbone_settings())
    save_backbone(path, model, replace(architecture, trained_on_fakes=("X", "Y")))
    assert load_backbone(path, CPU)[1].trained_on_fakes == ("X", "Y")
    assert build_backbone(backbone_settings(weights=str(path)))[1].trained_on_fakes == ("X", "Y")

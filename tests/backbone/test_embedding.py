"""What the backbone makes of faces."""

import numpy as np
import pytest
import torch

from stages.lib.backbone.checkpoint import save_backbone
from stages.lib.backbone.embedding import embed, embed_by
from stages.lib.backbone.network import build_backbone, forward, prepare
from stages.lib.fingerprint import sha256
from tests.helpers.params import backbone_settings

CPU = "cpu"
FACES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)


def test_embedded_faces_have_the_maps_probabilities():
    model, _ = build_backbone(backbone_settings(input_size=64), boundary=True)
    model.eval()
    with torch.inference_mode():
        expected = torch.sigmoid(forward(model, prepare(FACES, 64)).boundary).numpy()
    np.testing.assert_allclose(embed(model, FACES, 64, CPU, batch=2).boundary, expected, rtol=1e-4, atol=1e-6)


def test_embedded_faces_have_no_map_without_a_head():
    model, _ = build_backbone(backbone_settings())
    assert embed(model.eval(), FACES, 32, CPU).boundary is None


@pytest.fixture
def one_cpu_thread(monkeypatch):
    """What embed_by sets for its process, put back."""
    monkeypatch.setenv("DIFFFAKE_DEVICE", CPU)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_files_network_embeds_as_the_network_does(tmp_path, one_cpu_thread):
    model, architecture = build_backbone(backbone_settings())
    save_backbone(tmp_path / "backbone.safetensors", model, architecture)
    found = embed_by(tmp_path / "backbone.safetensors", sha256(tmp_path / "backbone.safetensors"), FACES)
    expected = embed(model.eval(), FACES, architecture.input_size, CPU)
    np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-4, atol=1e-6)


def test_another_file_of_the_same_name_is_read_anew(tmp_path, one_cpu_thread):
    path, found = tmp_path / "backbone.safetensors", []
    for seed in range(2):
        torch.manual_seed(seed)
        save_backbone(path, *build_backbone(backbone_settings()))
        found.append(embed_by(path, sha256(path), FACES).embedding)
    assert not np.allclose(*found)

"""Pictures of what guidance has learnt."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from stages.lib.backbone.guided import show_guidance
from stages.lib.guidance.guide import Guidance, build_guidance
from stages.lib.guidance.pictures import NOISES, distance, reconstructions
from tests.helpers.banks import bank_of
from tests.helpers.diffusion import SIZE, guidance_settings
from tests.helpers.params import training_settings


def test_distance_is_the_root_of_the_mean_square():
    one, other = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)
    other[0] = 100
    assert distance(one, other) == pytest.approx(np.sqrt((200**2 + 100**2) / 2))


def test_a_unet_that_finds_the_very_noise_gives_the_vaes_pictures(weights, monkeypatch):
    model = timm.create_model("test_resnet", num_classes=1)
    guidance = build_guidance(guidance_settings(weights), model, 0).eval()
    draws = torch.Generator().manual_seed(0)
    source, target = (torch.rand(1, 3, SIZE, SIZE, generator=draws) for _ in range(2))
    noise = torch.randn((NOISES, 4, 8, 8), generator=torch.Generator().manual_seed(7))
    monkeypatch.setattr(Guidance, "predict", lambda *arguments: noise.repeat(2, 1, 1, 1))
    drawn = reconstructions(guidance, torch.randn(1, 96, 2, 2), source, target, seed=7)
    with torch.no_grad():
        passed = [guidance.vae.decode(guidance.vae.encode(one).latent_dist.mode()).sample for one in (source, target)]
    for row, one in zip(drawn, passed, strict=True):
        expected = (one[0].clamp(-1, 1) + 1).permute(1, 2, 0).numpy() * 127.5
        assert max(distance(picture, expected) for picture in row) < 1


def _shown(folder, weights, **changes) -> dict[str, bytes]:
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=1)
    guidance = build_guidance(guidance_settings(weights, **changes), model, 0)
    show_guidance(folder / "out", guidance, bank_of(folder, "val"), training_settings(), 32, 0, model)
    return {path.name: path.read_bytes() for path in Path(folder / "out").iterdir()}


def test_reconstructions_and_weights_are_drawn(tmp_path, weights):
    drawn = _shown(tmp_path, weights)
    assert sorted(drawn) == ["guidance_reconstructions.png", "guidance_weights.png"]
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_without_weight_heads_no_weights_are_drawn(tmp_path, weights):
    assert list(_shown(tmp_path, weights, weight=False)) == ["guidance_reconstructions.png"]


def test_the_same_is_drawn_again(tmp_path, weights):
    assert _shown(tmp_path, weights) == _shown(tmp_path, weights)

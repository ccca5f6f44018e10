"""Stable Diffusion's parts from a user's folder, and what each mistake says."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from diffusers import PNDMScheduler, UNet2DConditionModel

from stages.lib.errors import InputError
from stages.lib.guidance.loading import fingerprints, load_diffusion, prompt_file
from tests.helpers.diffusion import guidance_settings, write_diffusion


def _states_equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def _error(folder: Path | str, **changes) -> str:
    with pytest.raises(InputError) as error:
        load_diffusion(guidance_settings(folder, **changes))
    return str(error.value)


@pytest.fixture
def copied(weights, tmp_path) -> Path:
    """A folder of one's own, to spoil."""
    return Path(shutil.copytree(weights, tmp_path / "weights"))


def test_the_unet_is_the_folders_bit_for_bit(weights):
    saved = UNet2DConditionModel.from_pretrained(weights, subfolder="unet")
    assert _states_equal(load_diffusion(guidance_settings(weights)).unet, saved)


def test_the_prompt_is_the_folders(weights):
    saved = safetensors.torch.load_file(weights / "empty_prompt.safetensors")["empty_prompt"]
    assert torch.equal(load_diffusion(guidance_settings(weights)).prompt, saved)


def test_a_unet_that_is_not_pretrained_has_other_weights(weights):
    one, other = (load_diffusion(guidance_settings(weights, pretrained=yes)).unet for yes in (True, False))
    assert not torch.equal(one.conv_in.weight, other.conv_in.weight)


def test_a_unet_that_is_not_pretrained_has_the_same_shapes(weights):
    one, other = (load_diffusion(guidance_settings(weights, pretrained=yes)).unet for yes in (True, False))
    assert [p.shape for p in one.parameters()] == [p.shape for p in other.parameters()]


def test_the_vae_is_pretrained_in_any_case(weights):
    one, other = (load_diffusion(guidance_settings(weights, pretrained=yes)).vae for yes in (True, False))
    assert _states_equal(one, other)


def test_the_stride_is_the_vaes(weights):
    assert load_diffusion(guidance_settings(weights)).stride == 8


def test_a_vae_with_the_published_names_of_attention_is_read(weights, copied):
    """Stable Diffusion 1.5's file has the names of diffusers' first releases."""
    path = copied / "vae/diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = safetensors.torch.load_file(path)
    for new, name in old.items():
        state = {key.replace(f"attentions.0.{new}.", f"attentions.0.{name}."): one for key, one in state.items()}
    assert any("proj_attn" in key for key in state)
    safetensors.torch.save_file(state, path, metadata={"format": "pt"})
    one, other = (load_diffusion(guidance_settings(folder)).vae for folder in (weights, copied))
    assert _states_equal(one, other)


def test_the_published_scheduler_gives_the_schedule_of_training(weights, copied):
    """Stable Diffusion 1.5 comes with a scheduler that samples, of another kind."""
    shutil.rmtree(copied / "scheduler")
    PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(
        copied / "scheduler"
    )
    one, other = (load_diffusion(guidance_settings(folder)).scheduler for folder in (weights, copied))
    assert torch.equal(one.alphas_cumprod, other.alphas_cumprod)


def test_the_schedule_is_that_of_section_6(weights):
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    found = load_diffusion(guidance_settings(weights)).scheduler.alphas_cumprod.double()
    torch.testing.assert_close(found, torch.cumprod(1 - betas, 0), rtol=1e-4, atol=1e-6)


def test_fingerprints_notice_a_changed_file(copied):
    before = fingerprints(str(copied))
    safetensors.torch.save_file({"empty_prompt": torch.zeros(1, 5, 8)}, copied / "empty_prompt.safetensors")
    assert fingerprints(str(copied)) != before


def test_without_guidance_there_is_nothing_to_fingerprint():
    assert fingerprints("none") == []


def test_diffusers_is_not_imported_without_guidance():
    code = "import sys, stages.train_backbone, stages.synthesize_fakes; sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_folder_is_an_error():
    assert _error("nowhere") == (
        "guidance.weights: no folder nowhere; set it to 'none', 'hub' or a folder with Stable Diffusion in diffusers' "
        "format (docs/guidance.md)"
    )


def test_no_prompt_is_an_error(copied):
    (copied / "empty_prompt.safetensors").unlink()
    assert _error(copied) == (
        f"guidance.weights is '{copied}', but the embedding of the empty text is not at "
        f"{copied}/empty_prompt.safetensors; run `python -m stages.empty_prompt {copied}` once"
    )


def test_the_prompt_of_the_hubs_weights_lies_in_inputs():
    assert prompt_file("hub") == Path("inputs/stable-diffusion-v1-5/empty_prompt.safetensors")


def test_a_prompt_of_another_name_is_an_error(copied):
    safetensors.torch.save_file({"text": torch.zeros(1, 5, 8)}, copied / "empty_prompt.safetensors")
    assert "empty_prompt.safetensors: no embedding of the empty text" in _error(copied)


def test_a_prompt_of_another_width_is_an_error(copied):
    safetensors.torch.save_file({"empty_prompt": torch.zeros(1, 5, 9)}, copied / "empty_prompt.safetensors")
    assert _error(copied) == (
        f"guidance.weights is '{copied}', but the embedding of the empty text has shape (1, 5, 9), not (1, tokens, 8); "
        "choose Stable Diffusion 1.5 or another of its form"
    )


@pytest.mark.parametrize("part", ["unet", "vae", "scheduler"])
def test_a_part_that_is_not_there_is_an_error(copied, part):
    shutil.rmtree(copied / part)
    assert f"guidance.weights is '{copied}', but Stable Diffusion could not be read from there" in _error(copied)


def test_a_file_that_lacks_a_tensor_is_an_error(copied):
    path = copied / "unet/diffusion_pytorch_model.safetensors"
    state = safetensors.torch.load_file(path)
    del state["conv_in.bias"]
    safetensors.torch.save_file(state, path, metadata={"format": "pt"})
    assert "(ValueError: unet lacks 1 tensors (conv_in.bias, …))" in _error(copied)


def test_a_pickle_is_not_read(copied):
    path = copied / "unet/diffusion_pytorch_model.safetensors"
    torch.save(safetensors.torch.load_file(path), path.with_suffix(".bin"))
    path.unlink()
    assert "could not be read from there" in _error(copied)


def test_a_model_that_predicts_no_noise_is_an_error(tmp_path):
    write_diffusion(tmp_path, prediction="v_prediction")
    assert _error(tmp_path) == (
        f"guidance.weights is '{tmp_path}', but its UNet predicts 'v_prediction', not the noise ('epsilon'); choose "
        "Stable Diffusion 1.5 or another of its form"
    )


def test_no_diffusers_is_an_error_that_says_what_to_install(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    message = _error(weights)
    assert "run `python -m pip install -r requirements-guidance.txt`, or set guidance.weights to none" in message

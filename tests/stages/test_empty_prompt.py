"""The embedding of the empty text, from a tiny text encoder of CLIP's form."""

import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from stages.empty_prompt import write_empty_prompt
from stages.lib.errors import InputError
from stages.lib.guidance.loading import load_diffusion
from tests.helpers.diffusion import guidance_settings, write_diffusion

START, END, LONGEST = 2, 3, 5  # tokens, and how many the encoder takes


@pytest.fixture
def folder(tmp_path) -> Path:
    """Stable Diffusion with its tokenizer and text encoder, without the embedding."""
    write_diffusion(tmp_path)
    (tmp_path / "empty_prompt.safetensors").unlink()
    torch.manual_seed(0)
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=4,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=LONGEST,
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=END,
        )
    ).save_pretrained(tmp_path / "text_encoder")
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    vocabulary = {"a": 0, "a</w>": 1, "<|startoftext|>": START, "<|endoftext|>": END}
    (tokenizer / "vocab.json").write_text(json.dumps(vocabulary))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    kind = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LONGEST, "pad_token": "<|endoftext|>"}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(special | kind))
    return tmp_path


def test_it_is_the_encoders_of_start_and_padding(folder):
    write_empty_prompt(str(folder))
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").eval()
    with torch.inference_mode():
        expected = encoder(torch.tensor([[START, END, END, END, END]])).last_hidden_state
    written = safetensors.torch.load_file(folder / "empty_prompt.safetensors")["empty_prompt"]
    assert torch.equal(written, expected)


def test_guidance_takes_what_was_written(folder):
    write_empty_prompt(str(folder))
    assert load_diffusion(guidance_settings(folder)).prompt.shape == (1, LONGEST, 8)


def test_a_folder_without_text_encoder_is_an_error(folder):
    shutil.rmtree(folder / "text_encoder")
    with pytest.raises(InputError, match="no tokenizer/ or text_encoder/ that can be read"):
        write_empty_prompt(str(folder))


def test_no_folder_is_an_error():
    with pytest.raises(InputError, match="no folder nowhere; name one with Stable Diffusion in diffusers' format"):
        write_empty_prompt("nowhere")

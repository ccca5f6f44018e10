"""empty_prompt: write Stable Diffusion's embedding of the empty text beside its weights, once, for guidance.

``python -m stages.empty_prompt WEIGHTS``, with the value of ``guidance.weights``: ``hub``, or a folder in diffusers'
format with its ``tokenizer`` and ``text_encoder``. It needs transformers (``python -m pip install
transformers==5.24.0``), which training doesn't.
"""

import argparse
from pathlib import Path

from stages.cli import run
from stages.lib.errors import InputError
from stages.lib.files import atomic_path
from stages.lib.guidance.loading import HUB, PROMPT, prompt_file


def write_empty_prompt(weights: str) -> Path:
    """The file of :func:`prompt_file`: the text encoder's last hidden state, float32 (1, tokens, width), padded to as
    many tokens as the encoder takes (77, of which each is 768 wide in Stable Diffusion 1.5).
    """
    if weights != "hub" and not Path(weights).is_dir():
        raise InputError(f"no folder {weights}; name one with Stable Diffusion in diffusers' format, or 'hub'")
    try:
        import safetensors.torch
        import torch
        from transformers import CLIPTextModel, CLIPTokenizer
    except ImportError as error:
        raise InputError(
            f"the text encoder needs transformers ({error}); run `python -m pip install transformers==5.24.0`"
        ) from error
    where, local = (HUB, False) if weights == "hub" else (weights, True)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(where, subfolder="tokenizer", local_files_only=local)
        encoder = CLIPTextModel.from_pretrained(
            where, subfolder="text_encoder", local_files_only=local, use_safetensors=True
        )
    except Exception as error:  # hub, file and tensor errors have no common type
        raise InputError(
            f"{where}: no tokenizer/ or text_encoder/ that can be read ({type(error).__name__}: {error}); download "
            "them as well (docs/guidance.md)"
        ) from error
    most = encoder.config.max_position_embeddings
    tokens = tokenizer("", padding="max_length", max_length=most, truncation=True, return_tensors="pt").input_ids
    with torch.inference_mode():
        embedding = encoder.eval()(tokens).last_hidden_state.float().contiguous()
    with atomic_path(prompt_file(weights)) as temporary:
        safetensors.torch.save_file({PROMPT: embedding}, temporary)
    return prompt_file(weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="the value of guidance.weights: hub, or a folder")
    print(write_empty_prompt(parser.parse_args().weights))


if __name__ == "__main__":
    run(main)

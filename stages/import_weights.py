"""Make a backbone of published weights: ``python -m stages.import_weights FORMAT FILE --name NAME``.

Writes inputs/imported/NAME.safetensors, for ``backbone.weights``, and prints the settings that go with it.
"""

import argparse
import re
from pathlib import Path

import torch

from stages.cli import run
from stages.lib.backbone.checkpoint import save_backbone
from stages.lib.backbone.published.formats import FORMATS, Published, read_published
from stages.lib.backbone.weights import Architecture
from stages.lib.errors import InputError
from stages.lib.fingerprint import sha256

IMPORTED = Path("inputs/imported")
_LARGEST_CROP = 384  # px, of faces.size
_FEW = 64  # numbers of an embedding


def settings_for(path: Path, published: Published) -> dict[str, str]:
    """The params, by key, with which the pipeline goes on from the weights as they are."""
    architecture = published.architecture
    crop = min(-(-architecture.input_size // 32) * 32, _LARGEST_CROP)
    return {
        "backbone.name": architecture.name,
        "backbone.weights": path.as_posix(),
        "backbone.normalization": "weights",
        "backbone.input_size": str(architecture.input_size),
        "train.tune": "none",
        "train.boundary": "0.0",
        "faces.size": str(crop),
        "scoring.evidence": "[pairs,classifier,drift]" if published.classifies else "[pairs,drift]",
        # Principal components of as many numbers as MesoNet gives can't be what they are of hundreds.
        **({"anomaly_model.pca": "0"} if architecture.embedding_dim < _FEW else {}),
    }


def report(path: Path, source: str, published: Published) -> str:
    """What was imported, and the command that goes on from it."""
    architecture: Architecture = published.architecture
    origin = architecture.origin
    of_file = f" (SHA-256 {sha256(Path(source))})" if Path(source).is_file() else ""
    classifier = "its logit: fake less real" if published.classifies else "no classifier: its logit is 0 for every face"
    changes = " ".join(f"-S '{key}={value}'" for key, value in settings_for(path, published).items())
    return "\n".join(
        [
            f"{path}: {architecture.name}, {architecture.input_size} px, embeddings of {architecture.embedding_dim} "
            f"dimensions; {classifier}",
            f"made of {source}{of_file}; {origin.source}; licence: {origin.licence or 'unknown, see there'}",
            "",
            "To use it as it is:",
            f"dvc exp run {changes}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["formats:", *(f"  {name}: {one.description}" for name, one in FORMATS.items())]),
    )
    parser.add_argument("format", choices=FORMATS, metavar="FORMAT", help="one of those below")
    parser.add_argument("file", metavar="FILE", help="a file, a folder, or where the format has it a name on the hub")
    parser.add_argument("--name", required=True, help="what the backbone is to be called")
    parser.add_argument("--replace", action="store_true", help="overwrite a backbone of that name")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", arguments.name):
        raise InputError(f"--name is '{arguments.name}'; give letters, digits, '_', '-' and '.' alone")
    path = IMPORTED / f"{arguments.name}.safetensors"
    if path.exists() and not arguments.replace:
        raise InputError(
            f"{path} exists already, and DVC knows a file of weights by its name alone; choose another --name, or give "
            "--replace and then run `dvc repro -f train_backbone`"
        )
    torch.manual_seed(0)
    published = read_published(arguments.format, arguments.file)
    save_backbone(path, published.model, published.architecture)
    print(report(path, arguments.file, published))


if __name__ == "__main__":
    run(main)

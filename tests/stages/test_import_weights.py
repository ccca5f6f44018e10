"""The command: from a published file to a backbone and the settings that go with it."""

import sys
from pathlib import Path

import pytest
import torch

from stages import import_weights
from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.backbone.network import build_backbone
from stages.lib.errors import InputError
from tests.helpers.originals import BenchXception
from tests.helpers.params import backbone_settings, changed, training_settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where a file of DeepfakeBench's Xception was imported as ``bench``."""
    folder = tmp_path_factory.mktemp("imported")
    torch.manual_seed(0)
    torch.save(BenchXception(False).state_dict(), folder / "xception_best.pth")
    return folder


def run(folder: Path, monkeypatch, *arguments: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["import_weights", *arguments])
    import_weights.main()


@pytest.fixture
def imported(folder, monkeypatch, capsys) -> tuple[Path, str]:
    """The backbone, and what the command printed."""
    run(folder, monkeypatch, "deepfakebench-xception", "xception_best.pth", "--name", "bench", "--replace")
    return folder / "inputs/imported/bench.safetensors", capsys.readouterr().out


def test_the_command_writes_a_backbone_and_nothing_else(imported, folder):
    _, architecture = load_backbone(imported[0], "cpu")
    assert (architecture.name, architecture.input_size, architecture.embedding_dim) == ("legacy_xception", 256, 2048)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"xception_best.pth", "inputs/imported/bench.safetensors"}


def test_the_command_says_what_it_made_of_what(imported):
    assert "bench.safetensors: legacy_xception, 256 px, embeddings of 2048 dimensions; its logit: fake" in imported[1]
    assert "https://github.com/SCLBD/DeepfakeBench; licence: CC BY-NC 4.0" in imported[1]
    assert "(SHA-256 " in imported[1]


def test_the_settings_that_are_printed_take_the_weights_as_they_are(imported, monkeypatch, folder):
    """They are accepted as they stand, and the network that they make has the file's own tensors."""
    changes = dict(part.strip("'").split("=") for part in imported[1].splitlines()[-1].split(" -S ")[1:])
    sections: dict[str, dict] = {"backbone": {}, "train": {}, "faces": {}, "scoring": {}}
    for key, value in changes.items():
        section, name = key.split(".")
        sections[section][name] = value
    monkeypatch.chdir(folder)
    size = {"input_size": int(sections["backbone"]["input_size"])}
    model, architecture = build_backbone(backbone_settings(**sections["backbone"] | size), unchanged=True)
    given, of_file = load_backbone(imported[0], "cpu")
    assert architecture == of_file
    theirs = given.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in model.state_dict().items())
    train = sections["train"]
    assert training_settings(tune=train["tune"], boundary=float(train["boundary"])).tune == "none"
    assert sections["faces"] == {"size": "256"}
    assert sections["scoring"] == {"evidence": "[pairs,classifier,drift]"}


def test_a_name_is_not_given_twice(imported, folder, monkeypatch):
    before = imported[0].read_bytes()
    with pytest.raises(
        InputError, match="bench.safetensors exists already, .* give --replace and then run `dvc repro -f"
    ):
        run(folder, monkeypatch, "deepfakebench-xception", "xception_best.pth", "--name", "bench")
    assert imported[0].read_bytes() == before


@pytest.mark.parametrize("name", ["../bench", "a b", ""])
def test_a_name_is_a_plain_one(folder, monkeypatch, name):
    with pytest.raises(InputError, match="give letters, digits, '_', '-' and '.' alone"):
        run(folder, monkeypatch, "sbi", "xception_best.pth", "--name", name)


def test_an_error_leaves_no_file(folder, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="no file none.tar"):
        run(tmp_path, monkeypatch, "sbi", "none.tar", "--name", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "resnet18"}, "backbone.name is resnet18, but .*; set backbone.name to legacy_xception"),
        (
            {"input_size": 224},
            "backbone.input_size is 224, but .*; set backbone.input_size to 256 .*train.tune is none",
        ),
    ],
)
def test_settings_of_another_network_are_named_with_what_to_set(imported, change, message):
    settings = backbone_settings(name="legacy_xception", weights=str(imported[0]), input_size=256)
    with pytest.raises(InputError, match=message):
        build_backbone(changed(settings, **change), unchanged=True)


def test_weights_that_are_trained_on_may_get_another_size(imported):
    settings = backbone_settings(name="legacy_xception", weights=str(imported[0]), input_size=64)
    _, architecture = build_backbone(settings)
    assert architecture.input_size == 64


def test_the_largest_crops_are_asked_for_where_the_input_is_larger():
    published = import_weights.Published(None, import_weights.Architecture("x", 448, 8), False)
    settings = import_weights.settings_for(Path("inputs/imported/x.safetensors"), published)
    assert settings["faces.size"] == "384"
    assert settings["scoring.evidence"] == "[pairs,drift]"


@pytest.mark.parametrize(("dimension", "pca"), [(16, "0"), (1280, None)])
def test_a_small_network_is_asked_for_no_components(dimension, pca):
    published = import_weights.Published(None, import_weights.Architecture("x", 448, dimension), False)
    settings = import_weights.settings_for(Path("inputs/imported/x.safetensors"), published)
    assert settings.get("anomaly_model.pca") == pca

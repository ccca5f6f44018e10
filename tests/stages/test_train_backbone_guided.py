"""The stage under guidance: the files that it writes."""

import shutil
import sys
from pathlib import Path

import pytest
import safetensors

from stages import train_backbone
from tests.helpers.banks import fakes_of
from tests.helpers.diffusion import SIZE, write_diffusion
from tests.helpers.pipeline import ROOT, change_params, small_network

PATHS = {"fakes": "fakes", "out": "models/b.safetensors", "metrics": "metrics", "checkpoint": "models/checkpoint"}


@pytest.fixture
def run_stage(tmp_path, monkeypatch):
    """Runs the stage in a folder with a bank and a Stable Diffusion, with changes of the section ``guidance``."""
    fakes_of(tmp_path / "fakes")
    write_diffusion(tmp_path / "sd")
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    arguments = [part for key, path in PATHS.items() for part in (f"--{key}", path)]
    monkeypatch.setattr(sys, "argv", ["train_backbone", *arguments])

    def run(**guidance) -> None:
        change_params(tmp_path, lambda params: (small_network(params), params["guidance"].update(guidance)))
        train_backbone.main()

    return run


def _keys() -> set[str]:
    with safetensors.safe_open("models/b.safetensors", framework="pt") as file:
        return set(file.keys())


@pytest.mark.filterwarnings("ignore:the backbone hardly tells")
def test_pictures_and_terms_are_among_the_plots(run_stage):
    run_stage(weights="sd", size=SIZE)
    assert {path.name for path in Path("metrics/plots/images").iterdir()} == {
        "guidance_reconstructions.png",
        "guidance_weights.png",
    }
    assert {path.stem for path in Path("metrics/plots/metrics/guidance").iterdir()} == {
        "source",
        "target",
        "weight_source",
        "weight_target",
        "pull",
    }


@pytest.mark.filterwarnings("ignore:the backbone hardly tells")
def test_the_backbones_file_is_that_of_a_plain_training(run_stage):
    run_stage()
    plain = _keys()
    run_stage(weights="sd", size=SIZE)
    assert _keys() == plain


@pytest.mark.filterwarnings("ignore:the backbone hardly tells")
def test_without_guidance_there_are_no_plots_of_it(run_stage):
    run_stage()
    assert list(Path("metrics/plots").rglob("*guidance*")) == []

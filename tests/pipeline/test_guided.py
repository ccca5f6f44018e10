"""The pipeline with DiffusionFake's guidance, by a tiny Stable Diffusion, from the bank to the metrics."""

from pathlib import Path

import pytest
from safetensors import safe_open

from tests.helpers.diffusion import SIZE, write_diffusion
from tests.helpers.pipeline import change_params, demo_without_videos, read_json, run_stages

pytestmark = pytest.mark.filterwarnings("ignore:.*(the backbone hardly tells|vectors of .* numbers are few)")


@pytest.fixture(scope="module")
def guided(ran, made_once) -> Path:
    """A copy of the pipeline's run on the demo, with guidance."""

    def make(empty: Path) -> Path:
        folder = demo_without_videos(ran, empty)
        write_diffusion(folder / "inputs/sd")
        change_params(folder, lambda params: params["guidance"].update(weights="inputs/sd", size=SIZE))
        with pytest.MonkeyPatch.context() as patch:
            run_stages(folder, patch)
        return folder

    return made_once("guided", make)


def _keys(folder: Path) -> set[str]:
    with safe_open(folder / "models/backbone.safetensors", framework="numpy") as file:
        return set(file.keys())


def test_the_exported_network_has_no_other_tensors_than_without(guided, ran):
    assert _keys(guided) == _keys(ran)


def test_the_run_goes_to_its_metrics(guided, ran):
    ours, theirs = (set(read_json(folder / "metrics/auc.json")["demo"]) for folder in (guided, ran))
    assert ours == theirs


def test_the_pictures_stand_among_trainings_plots(guided):
    found = {path.name for path in (guided / "metrics/train/plots").rglob("*.png")}
    assert found == {"guidance_reconstructions.png", "guidance_weights.png"}

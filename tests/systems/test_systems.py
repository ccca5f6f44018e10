"""Every system by its preset, on tiny data, from ``synthesize_fakes`` to ``evaluate``, in this process."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.evaluation.systems import OURS, own_detector
from stages.lib.schemas import SCORES
from stages.lib.systems.registry import EXTENDED, SYSTEMS
from stages.lib.tables import read_table
from stages.params import apply_presets, load_params
from tests.helpers.pipeline import change_params, demo_without_videos, read_json, run_stages

ROOT = Path(__file__).parents[2]
DATASET = "demo"


def _small(params) -> None:
    """What a system is, on the tiny network of the tests."""
    name = params["backbone"]["name"]
    params["backbone"].update(name=name if name == "meso4" else "test_resnet", weights="none", input_size=64)
    params["train"].update(epochs=1, batch_size=8, average=0.0)
    params["anomaly_model"].update(pca=0)


@pytest.fixture
def evaluated(ran, tmp_path, monkeypatch):
    """A function that runs a system's preset on the pipeline's faces, and gives the folder with all that came of it."""

    def run(system: str) -> Path:
        folder = demo_without_videos(ran, tmp_path)
        apply_presets([ROOT / f"presets/{system}.yaml"], folder / "params.yaml")
        change_params(folder, _small)
        run_stages(folder, monkeypatch)
        return folder

    return run


@pytest.mark.parametrize("system", EXTENDED)
def test_a_system_goes_from_pseudo_fakes_to_its_own_auc(evaluated, system):
    folder = evaluated(system)
    found = read_json(folder / "metrics/baselines.json")[own_detector(system).key][DATASET]["all"]
    scores = read_table(folder / f"data/scores/{DATASET}.parquet", SCORES).to_pandas()[own_detector(system).score]
    network, architecture = load_backbone(folder / "models/backbone.safetensors", "cpu")
    assert 0 <= found <= 1 and np.isfinite(scores.dropna()).all() and scores.nunique() > 1
    assert architecture.system == system == load_params(folder / "params.yaml").train.system
    assert type(network.system) is EXTENDED[system].extension()


def test_another_systems_score_is_not_passed_off_as_difffakes(evaluated, ran):
    said = "what is called DiffFake here is another system's anomaly score ("
    pages, ours = (
        [folder / "metrics" / name for name in ("summary.txt", "benchmarks.md")] for folder in (evaluated("pcl"), ran)
    )
    assert all(f"{said}train.system is pcl, scoring.evidence is without pairs)" in page.read_text() for page in pages)
    assert not any(said in page.read_text() for page in ours)
    assert [read_json(page.with_name("detail.json"))["protocol"]["system"] for page in (pages[0], ours[0])] == [
        "pcl",
        "none",
    ]


def test_mesonet_goes_from_pseudo_fakes_to_its_auc(evaluated):
    folder = evaluated("mesonet")
    assert load_backbone(folder / "models/backbone.safetensors", "cpu")[1].name == "meso4"
    assert 0 <= read_json(folder / "metrics/baselines.json")["classifier"][DATASET]["all"] <= 1


def test_self_blended_images_are_made_by_their_own_scheme_alone(evaluated):
    folder = evaluated("sbi")
    schemes = read_table(folder / "data/fakes/fakes.parquet").to_pandas()["scheme"]
    assert set(schemes) == {"self_blended"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_has_a_preset_that_names_it(tmp_path, system):
    path = Path(shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml"))
    apply_presets([ROOT / f"presets/{system}.yaml"], path)
    assert load_params(path).train.system == (system if system in EXTENDED else "none")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_preset_changes_no_more_than_what_a_system_is(system):
    """Data, crops and splits are the user's, and the same for all."""
    preset = YAML(typ="safe").load(ROOT / f"presets/{system}.yaml")
    assert set(preset) <= {"synthesis", "backbone", "train", "guidance", "anomaly_model", "scoring"}


def test_ours_is_told_by_the_default_detector():
    assert own_detector(OURS).key == OURS

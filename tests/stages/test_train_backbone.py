"""The stage with ``train.tune: none``: weights of a file go through it as they are."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from stages import train_backbone
from stages.lib.backbone.checkpoint import save_backbone
from stages.lib.backbone.network import create_network
from stages.lib.backbone.weights import Architecture, Origin, read_architecture
from stages.lib.errors import InputError
from stages.lib.schemas import FAKES, FAKES_TABLE
from stages.lib.tables import read_table, write_table
from tests.helpers.banks import fakes_of
from tests.helpers.pipeline import ROOT, change_params

IMPORTED = Path("inputs/imported/tiny.safetensors")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with a bank of pseudo-fakes, an imported network, and params that take it as it is."""
    fakes_of(tmp_path / "fakes")
    torch.manual_seed(3)
    variants, origin = ("normalized-head",), Origin("https://example.org/w", "MIT", (0.0,) * 3, (1.0,) * 3)
    architecture = Architecture("test_vit", 64, 64, origin=origin, variants=variants)
    save_backbone(tmp_path / IMPORTED, create_network("test_vit", 64, variants=variants), architecture)
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")

    def as_it_is(params) -> None:
        params["backbone"].update(name="test_vit", weights=IMPORTED.as_posix(), input_size=64)
        params["train"].update(tune="none", boundary=0.0)

    change_params(tmp_path, as_it_is)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_stage(monkeypatch) -> None:
    paths = {"fakes": "fakes", "out": "models/b.safetensors", "metrics": "metrics", "checkpoint": "models/checkpoint"}
    monkeypatch.setattr(sys, "argv", ["train_backbone", *(part for key in paths for part in (f"--{key}", paths[key]))])
    train_backbone.main()


@pytest.mark.filterwarnings("ignore:the classifier as it is")
def test_a_files_weights_come_out_byte_for_byte(folder, monkeypatch):
    run_stage(monkeypatch)
    assert (folder / "models/b.safetensors").read_bytes() == (folder / IMPORTED).read_bytes()
    assert [path.name for path in (folder / "models").iterdir()] == ["b.safetensors"]


@pytest.mark.filterwarnings("ignore:the classifier as it is")
def test_what_they_give_is_written_as_one_epoch(folder, monkeypatch, capsys):
    run_stage(monkeypatch)
    assert "train.tune is none: the weights are passed through as they are" in capsys.readouterr().out
    best = json.loads((folder / "metrics/metrics.json").read_text())["best"]
    assert best["epoch"] == 0
    for name, value in (("val/auc", best["val_auc"]), ("val/loss", best["val_loss"]), ("train/loss", None)):
        rows = (folder / f"metrics/plots/metrics/{name}.tsv").read_text().splitlines()
        assert len(rows) == 1 + 1
        assert value is None or float(rows[1].split("\t")[-1]) == pytest.approx(value)


def test_another_size_stops_before_any_output(folder, monkeypatch):
    change_params(folder, lambda params: params["backbone"].update(input_size=96))
    with pytest.raises(InputError, match="set backbone.input_size to 64"):
        run_stage(monkeypatch)
    assert not (folder / "metrics").exists() and not (folder / "models").exists()


def _train_on_genuine_fakes(folder: Path) -> None:
    """Params that train a tiny network, and a bank of one genuine fake in each split, by X in train and Y in val."""
    table = read_table(folder / "fakes" / FAKES_TABLE, FAKES).to_pandas()
    table = table[table["source"].isin(["train0", "val0"]) & (table["variant"] == 0)]
    for split in ("train", "val"):
        (folder / "fakes/fakes").mkdir(exist_ok=True)
        shutil.move(folder / f"fakes/{split}0.npy", folder / f"fakes/fakes/{split}0.npy")
    table = table.assign(source="fakes/" + table["source"], scheme=table["split"].map({"train": "X", "val": "Y"}))
    write_table(folder / "fakes" / FAKES_TABLE, table, FAKES)

    def change(params) -> None:
        params["backbone"].update(name="test_resnet", weights="none", input_size=32)
        params["train"].update(fakes="real", tune="all", epochs=1, batch_size=4, patch=0, boundary=0.0)

    change_params(folder, change)


@pytest.mark.filterwarnings("ignore:the backbone hardly tells")
def test_trained_on_genuine_fakes_the_weights_and_the_metrics_name_their_methods(folder, monkeypatch):
    _train_on_genuine_fakes(folder)
    run_stage(monkeypatch)
    assert read_architecture(folder / "models/b.safetensors").trained_on_fakes == ("X", "Y")
    assert json.loads((folder / "metrics/metrics.json").read_text())["trained_on_fakes"] == ["X", "Y"]


def test_a_system_of_real_faces_alone_has_seen_no_fakes(folder, monkeypatch):
    _train_on_genuine_fakes(folder)
    change_params(folder, lambda params: params["train"].update(system="untag"))
    run_stage(monkeypatch)
    assert read_architecture(folder / "models/b.safetensors").trained_on_fakes == ()
    assert "trained_on_fakes" not in json.loads((folder / "metrics/metrics.json").read_text())


@pytest.mark.filterwarnings("ignore:the backbone hardly tells")
def test_a_network_that_starts_from_one_that_saw_fakes_has_seen_them_too(folder, monkeypatch):
    start = folder / "inputs/start.safetensors"
    architecture = Architecture("test_resnet", 32, 1, trained_on_fakes=("W", "X"))
    save_backbone(start, create_network("test_resnet", 32), architecture)
    _train_on_genuine_fakes(folder)
    change_params(folder, lambda params: params["backbone"].update(weights="inputs/start.safetensors"))
    run_stage(monkeypatch)
    assert read_architecture(folder / "models/b.safetensors").trained_on_fakes == ("W", "X", "Y")


@pytest.mark.filterwarnings("ignore:the classifier as it is")
def test_trained_on_pseudo_fakes_no_metric_names_fakes(folder, monkeypatch):
    run_stage(monkeypatch)
    assert "trained_on_fakes" not in json.loads((folder / "metrics/metrics.json").read_text())

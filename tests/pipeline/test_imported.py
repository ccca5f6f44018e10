"""Imported weights through the pipeline: passed on as they are, measured, and calibrated."""

import pyarrow.parquet as pq
import torch

from stages.lib.backbone.checkpoint import save_backbone
from stages.lib.backbone.network import create_network
from stages.lib.backbone.weights import Architecture, Origin
from tests.helpers.pipeline import change_params, demo_without_videos, read_json, run_stages

IMPORTED = "inputs/imported/tiny.safetensors"


def _as_it_is(params) -> None:
    params["backbone"].update(name="test_vit", weights=IMPORTED, normalization="weights", input_size=64)
    params["train"].update(tune="none", boundary=0.0, patch=128, epochs=7)
    params["scoring"].update(side="typical", evidence=["pairs", "classifier"])


def test_imported_weights_go_through_unchanged_to_a_calibrated_model(ran, tmp_path, monkeypatch, capsys):
    folder = demo_without_videos(ran, tmp_path)
    torch.manual_seed(3)
    variants, origin = ("normalized-head",), Origin("https://example.org/w", "MIT", (0.0,) * 3, (1.0,) * 3)
    model = create_network("test_vit", 64, variants=variants)
    save_backbone(folder / IMPORTED, model, Architecture("test_vit", 64, 64, origin=origin, variants=variants))
    change_params(folder, _as_it_is)
    run_stages(folder, monkeypatch)
    assert (folder / "models/backbone.safetensors").read_bytes() == (folder / IMPORTED).read_bytes()
    assert "the weights are passed through as they are" in capsys.readouterr().out

    metrics = read_json(folder / "metrics/train/metrics.json")
    assert (metrics["step"], metrics["best"]["epoch"]) == (0, 0)
    for name in ("train/loss", "val/loss", "val/auc"):
        lines = (folder / f"metrics/train/plots/metrics/{name}.tsv").read_text().splitlines()
        assert len(lines) == 1 + 1

    logits = pq.read_table(folder / "data/embeddings/demo.parquet")["fake_logit"].to_pylist()
    assert len(set(logits)) > 1
    assert set(read_json(folder / "metrics/baselines.json")["classifier"]) == {"demo"}
    assert read_json(folder / "models/calibration.json")["validation"]["scores"]

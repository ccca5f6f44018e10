"""The pipeline end to end on a tiny dataset: DVC's graph, experiments, workers and bad input.

One copy of the repository is run once (session fixture); each test looks at it or at a copy of it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from scipy.stats import hmean, norm, t

from stages.lib.anomaly.evidence import make_reference
from stages.lib.anomaly.files import AnomalyModels, load_anomaly_models, save_anomaly_models
from stages.lib.calibration.bundle import load_calibration
from stages.lib.detection.detector import Detector
from stages.lib.detection.observation import observe
from tests.helpers.pipeline import (
    BIN,
    NAMES,
    change_params,
    demo_without_videos,
    read_json,
    run,
    run_stage,
    run_stages,
    stages_run,
)

EVIDENCE = {"pairs", "typicality", "drift"}  # detectors that the scores are made of; there is no boundary map
FAMILIES = {"swap", "lips", "animated"}
METHODS = {f"{family}-{strength}" for family in FAMILIES for strength in (1, 2, 3)}  # the demo's


def _locked_outs(folder: Path) -> dict[str, str]:
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def test_metrics_have_the_contracts_shape(ran):
    auc, baselines = read_json(ran / "metrics/auc.json"), read_json(ran / "metrics/baselines.json")
    assert (
        set(auc) == {"demo", "messy"} and set(auc["demo"]) == METHODS | {"all"} and set(auc["messy"]) == {"fake", "all"}
    )
    assert set(baselines) == {"classifier", "single_frame", *EVIDENCE}
    for shape in baselines.values():
        assert {name: set(methods) for name, methods in shape.items()} == {
            name: set(methods) for name, methods in auc.items()
        }
    for methods in auc.values():
        assert all(0 <= value <= 1 for value in methods.values())


def test_detail_says_what_the_figures_rest_on_and_how_they_came_about(ran):
    detail = read_json(ran / "metrics/detail.json")
    protocol, demo = detail["protocol"], detail["datasets"]["demo"]
    assert (protocol["frames_per_video"], protocol["pairs_per_video"], protocol["landmarks"]) == (8, 6, "mesh")
    assert "torch" in protocol["packages"] and "mean" in protocol["aggregation"] and protocol["split"] == "test"
    assert protocol["fitted_to"] == {"pairs": 14, "of": 14}  # neighbours of 8 faces of two reals
    auc, baselines = read_json(ran / "metrics/auc.json"), read_json(ran / "metrics/baselines.json")
    for method, values in demo["difffake"].items():
        assert values["auc"] == auc["demo"][method] and 0 <= values["eer"] <= 1 and 0 <= values["pair_auc"] <= 1
        assert values["auc_ci95"][0] <= values["auc"] <= values["auc_ci95"][1]
        assert demo["classifier"][method]["auc"] == baselines["classifier"]["demo"][method]
    assert demo["difffake"]["all"]["n_real"] == 2 and demo["difffake"]["all"]["n_fake"] == 18


DETECTORS = {"default", "single_frame", "classifier", *EVIDENCE}


@pytest.mark.parametrize("dataset", ["demo", "messy"])
def test_families_have_every_detectors_auc(ran, dataset):
    families = {"demo": FAMILIES | {"all"}, "messy": {"other", "all"}}[dataset]
    found = read_json(ran / "metrics/families.json")[dataset]
    assert {name: set(groups) for name, groups in found.items()} == dict.fromkeys(DETECTORS, families)


def test_every_fake_of_the_demo_is_compared_with_its_original(ran):
    pairs = read_json(ran / "metrics/pairs.json")
    assert pairs["messy"] == {}
    counts = dict.fromkeys(METHODS, 2) | dict.fromkeys(FAMILIES, 6) | {"all": 18}
    found = {name: {group: of["n"] for group, of in groups.items()} for name, groups in pairs["demo"].items()}
    assert found == dict.fromkeys(DETECTORS, counts)


@pytest.mark.parametrize("other", ["classifier", "single_frame"])
def test_the_default_is_compared_with_the_others(ran, other):
    compared = read_json(ran / "metrics/detail.json")["comparisons"]["demo"][f"default - {other}"]["swap"]
    families = read_json(ran / "metrics/families.json")["demo"]
    assert compared["difference"] == pytest.approx(families["default"]["swap"] - families[other]["swap"])


def test_a_videos_scores_are_the_means_of_its_pairs_and_frames(ran):
    videos = pq.read_table(ran / "data/scores/demo.parquet").to_pandas().set_index("video_id")
    pairs = pq.read_table(ran / "data/pair_scores/demo.parquet").to_pandas().groupby("video_id")["anomaly_score"]
    frames = pq.read_table(ran / "data/frame_scores/demo.parquet").to_pandas().groupby("video_id")
    np.testing.assert_allclose(pairs.mean(), videos["anomaly_score"])
    assert (pairs.size() == videos["n_pairs"]).all() and (frames.size() == videos["n_faces"]).all()
    for column in ("single_frame_score", "classifier_logit"):
        np.testing.assert_allclose(frames[column].mean(), videos[column])


def test_every_bad_video_is_counted_with_its_reason(ran):
    coverage = read_json(ran / "metrics/coverage.json")["messy"]
    assert coverage["videos"]["indexed"] == len(NAMES)
    dropped = {"empty_file": 1, "missing_file": 1, "no_face": 1, "too_few_faces": 1, "unreadable": 1}
    assert coverage["videos"]["dropped"] == dropped
    assert coverage["videos"]["used"] == len(NAMES) - sum(dropped.values())
    assert coverage["videos"]["noted"] == {"truncated": 1}
    frames = coverage["frames"]
    assert frames["extracted"] == frames["used"] + sum(frames["dropped"].values())


def test_every_indexed_video_has_a_score_or_a_reason(ran):
    rows = pq.read_table(ran / "data/scores/messy.parquet").to_pylist()
    assert {row["video_id"] for row in rows} == set(NAMES)
    for row in rows:
        assert (row["anomaly_score"] is None) == (row["reject_reason"] is not None) == (row["n_pairs"] == 0), row


def test_a_short_video_gives_no_frame_twice(ran):
    frames = pq.read_table(ran / "data/frames/messy/short.mp4.parquet")["frame_index"].to_pylist()
    assert frames == list(range(6))


def test_a_second_repro_looks_at_the_videos_and_runs_nothing_else(folder):
    assert stages_run(run(folder, "dvc", "repro").stdout) == {"index_videos", "crop_photos"}
    assert run(folder, "git", "status", "--short", "dvc.lock", "metrics").stdout == ""
    status = run(folder, "dvc", "status").stdout
    assert status.count("always changed") == 3 and "changed deps" not in status and "changed outs" not in status


def test_a_fusion_experiment_runs_only_what_depends_on_it(folder):
    out = run(folder, "dvc", "exp", "run", "-S", "fusion=learned").stdout
    ran_stages = stages_run(out)
    always = {"index_videos", "crop_photos"}
    assert ran_stages == always | {"fuse_pairs", "fit_anomaly_model", "score_videos", "calibrate", "evaluate"}
    assert "fusion" in run(folder, "dvc", "params", "diff").stdout
    assert "auc.json" in run(folder, "dvc", "metrics", "diff", "--all").stdout
    for command in (("show",), ("diff",)):
        page = run(folder, "dvc", "plots", *command, "--out", "plots").stdout.strip().removeprefix("file://")
        html = Path(page).read_text(encoding="utf-8")
        for title in (
            "ROC per method",
            "Anomaly scores of reals and fakes",
            "Videos called anomalous at each false-alarm rate",
            "Training loss",
            "Validation AUC",
            "pseudo_fakes.png",
            "benchmarks.png",
            "pairs.png",
        ):
            assert title in html


def _typical_and_combined(params) -> None:
    params["scoring"].update(side="typical", evidence=["pairs", "classifier"])


def test_scores_are_combined_without_fitting_anything_again(folder):
    change_params(folder, _typical_and_combined)
    ran_stages = stages_run(run(folder, "dvc", "repro").stdout)
    assert ran_stages == {"index_videos", "crop_photos", "score_videos", "calibrate", "evaluate"}
    videos = pq.read_table(folder / "data/scores/demo.parquet").to_pandas().set_index("video_id")
    reference = load_anomaly_models(folder / "models/anomaly_model.skops").reference
    reals = videos.query("label == 'real' and split == 'val'")
    assert list(reference.video_ids) == list(reals.index)
    np.testing.assert_allclose(reference.evidence[:, 0], reals["pair_density"])
    one, others = reference.evidence[0], reference.evidence[1:]
    deviations = (one - others.mean(axis=0)) / (others.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(others)))
    side = np.sign(deviations[0])  # of the density, which counts to either side
    as_far = [(side * others[:, 0] >= side * one[0]).sum(), (others[:, 1] >= one[1]).sum()]
    tails = (as_far + t.sf([abs(deviations[0]), deviations[1]], len(others) - 1)) / (len(reference.evidence) + 1)
    assert reals["anomaly_score"].iloc[0] == pytest.approx(norm.isf(hmean(tails * [2, 1])))
    assert reals["typicality"].iloc[0] == pytest.approx(abs(deviations[0]))
    assert read_json(folder / "models/calibration.json")["validation"]["scores"] == sorted(reals["anomaly_score"])
    detector = Detector(folder / "models", load_calibration(folder / "models"))
    name, row = next(videos.query("label == 'fake' and n_pairs > 0").iterrows())
    verdict = detector.judge(observe(name, folder / "data/demo" / name, detector.calibration), 0.05)
    assert verdict.anomaly_score == row["anomaly_score"]


def test_too_few_real_videos_to_combine_by_are_a_reason_not_an_error(folder):
    change_params(folder, _typical_and_combined)
    models = load_anomaly_models(folder / "models/anomaly_model.skops")
    none = AnomalyModels(models.pairs, models.frames, make_reference({}))
    (folder / "models/anomaly_model.skops").unlink()  # a link into DVC's cache
    save_anomaly_models(folder / "models/anomaly_model.skops", none)
    said = run(folder, "dvc", "repro", "--single-item", "score_videos@demo", "score_videos@messy", "calibrate").stderr
    assert "no verdict can be given" in said
    run(folder, "dvc", "repro", "--single-item", "evaluate")
    videos = read_json(folder / "metrics/coverage.json")["demo"]["videos"]
    assert (videos["used"], videos["dropped"]) == (0, {"uncalibrated": videos["indexed"]})
    assert read_json(folder / "metrics/auc.json")["demo"] == {"all": None}
    assert set(read_json(folder / "metrics/baselines.json")["pairs"]["demo"]) == METHODS | {"all"}


def test_the_papers_tables_run_as_experiments_and_leave_everything_as_it_was(folder, ran):
    command = ("python", "-m", "stages.paper_tables", "--only", "baseline", "-S", "anomaly_model.kind=ocsvm")
    said = run(folder, *command).stdout
    assert said.count("== dvc exp run") == 1  # one run holds all three detectors
    text = (folder / "metrics/tables.md").read_text(encoding="utf-8")
    for label in ("DiffFake", "single frame", "classifier"):
        assert sum(line.startswith(f"| {label} |") for line in text.splitlines()) == 1
    assert "demo: swap-1" in text and "-S anomaly_model.kind=ocsvm" in text and "failed" not in text
    assert (folder / "metrics/tables.png").stat().st_size > 5000
    assert (folder / "params.yaml").read_bytes() == (ran / "params.yaml").read_bytes()
    assert "changed deps" not in run(folder, "dvc", "status").stdout
    ran_again = run(folder, *command).stdout
    assert "> python -m stages.fit_anomaly_model" in said
    run_again = {line.split()[3] for line in ran_again.splitlines() if line.startswith("> python -m stages.")}
    # Seconds: listing always runs, and DVC does not restore what has plain outputs in Git.
    assert run_again <= {"stages.index_videos", "stages.crop_photos", "stages.evaluate"}


def test_what_a_score_is_made_of_is_chosen_by_one_command(folder):
    change_params(folder, lambda params: params["datasets"].pop("messy"))
    before = (folder / "params.yaml").read_bytes()
    choose = ("python", "-m", "stages.paper_tables", "--choose")
    refused = run(folder, *choose, "-S", "seed=1", check=False)
    assert refused.returncode == 1 and "-S seed=… would change nothing; give it by --seeds" in refused.stderr
    said = run(folder, *choose, "abs", "sub").stdout
    assert said.count("== dvc exp run") == 2  # all else is taken from one run of each fusion
    page = (folder / "metrics/choice.md").read_text(encoding="utf-8")
    for row in ("| drift |", "| pairs (abs, typical) + classifier |", "| pairs (sub, upper) |", "| chosen |"):
        assert row in page
    assert "| chosen less single_frame |" in page and "--choose abs sub --seeds 0" in page
    assert (folder / "params.yaml").read_bytes() == before


def test_people_can_be_cross_validated(ran, tmp_path, monkeypatch):
    folder = demo_without_videos(ran, tmp_path)
    change_params(folder, lambda params: params["cross_validation"].update(folds=2, fold=1))
    run_stages(folder, monkeypatch)
    videos = pq.read_table(folder / "data/scores/demo.parquet").to_pandas()
    assert videos.groupby("identity")["split"].nunique().eq(1).all()
    assert set(videos["split"]) == {"train", "val", "test"}
    tested = read_json(folder / "metrics/detail.json")
    assert tested["protocol"]["split"] == "fold 1 of 2 of demo's people"
    assert (
        tested["datasets"]["demo"]["difffake"]["all"]["n_real"]
        == (videos.query("label == 'real'")["split"] == "test").sum()
    )


def test_a_killed_training_goes_on_where_it_was(folder):
    change_params(folder, lambda params: params["train"].update(epochs=40))
    command = [
        str(BIN / "python"),
        "-m",
        "stages.train_backbone",
        "--fakes",
        "data/fakes",
        "--out",
        "models/new.safetensors",
    ]
    command += ["--metrics", "new_metrics", "--checkpoint", "models/new.checkpoint"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if line.startswith("epoch 3:"):
            process.kill()
            break
    process.wait()
    assert not (folder / "models/new.safetensors").exists() and (folder / "models/new.checkpoint").exists()
    said = run(folder, *command).stdout
    assert "resuming training after epoch" in said
    assert not (folder / "models/new.checkpoint").exists()
    history = (folder / "new_metrics/plots/metrics/val/auc.tsv").read_text().splitlines()
    assert len(history) == 1 + 40


def test_a_misspelt_fusion_stops_with_one_message_and_changes_nothing(folder, ran):
    done = run(folder, "dvc", "exp", "run", "-S", "fusion=sub33", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and text.count("found 'sub33', expected 'abs', 'sub'") == 1 and "Traceback" not in text
    assert _locked_outs(folder) == _locked_outs(ran)
    assert (folder / "data/pairs/demo.parquet").read_bytes() == (ran / "data/pairs/demo.parquet").read_bytes()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("path,label\ngood.mp4,real\ngood.mp4,real\n", "duplicate video_id 'good.mp4'"),
        ("path,label\ngood.mp4,genuine\n", "label is 'genuine', expected one of real, fake"),
        ("path\ngood.mp4\n", "column 'label' is missing"),
    ],
)
def test_a_bad_manifest_stops_before_any_output(ran, tmp_path, manifest, message):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/manifest.csv").write_text(manifest)
    shutil.copyfile(ran / "params.yaml", tmp_path / "params.yaml")
    change_params(tmp_path, lambda params: params["datasets"]["messy"].update(root="set"))
    command = ("-m", "stages.index_videos", "--dataset", "messy", "--seen", "out/seen", "--out", "out/i.parquet")
    environment = os.environ | {"PYTHONPATH": str(ran)}
    done = subprocess.run(
        [BIN / "python", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (
        done.returncode == 1
        and done.stderr.startswith("error: ")
        and message in done.stderr
        and "Traceback" not in done.stderr
    )
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_a_training_set_without_usable_videos_is_a_clear_error(ran, tmp_path):
    table = pq.read_table(ran / "data/index/messy.parquet")
    pq.write_table(table.filter([row["split"] != "train" for row in table.to_pylist()]), tmp_path / "index.parquet")
    done = run_stage(
        ran,
        "synthesize_fakes",
        index=tmp_path / "index.parquet",
        faces=ran / "data/faces/messy",
        photos=ran / "data/photos",
        ledger=tmp_path / "out/ledger",
        out=tmp_path / "out",
        sheet=tmp_path / "s.png",
        coverage=tmp_path / "c.json",
    )
    assert (
        done.returncode == 1
        and "the training dataset has no usable real video with split=train (0 listed, none with a face)" in done.stderr
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.parquet"]


def test_one_class_gives_null(ran, tmp_path):
    (tmp_path / "scores").mkdir()
    for name in ("demo", "messy"):
        table = pq.read_table(ran / f"data/scores/{name}.parquet")
        pq.write_table(
            table.filter([row["label"] == "real" for row in table.to_pylist()]), tmp_path / f"scores/{name}.parquet"
        )
    parts = {"pair_scores": ran / "data/pair_scores", "frame_scores": ran / "data/frame_scores"}
    parts |= {"model": ran / "models/anomaly_model.skops", "calibration": ran / "models/calibration.json"}
    assert run_stage(ran, "evaluate", scores=tmp_path / "scores", metrics=tmp_path / "metrics", **parts).returncode == 0
    assert read_json(tmp_path / "metrics/auc.json") == {"demo": {"all": None}, "messy": {"all": None}}


def test_an_unexpected_error_stops_the_stage_names_the_video_and_leaves_no_table(ran, tmp_path):
    frames = shutil.copytree(ran / "data/frames/messy", tmp_path / "frames")
    (frames / "good.mp4.parquet").write_bytes(b"damaged")
    paths = {"frames": frames, "root": "inputs/messy", "ledger": tmp_path / "ledger", "out": tmp_path / "faces"}
    done = run_stage(ran, "crop_faces", **paths)
    assert done.returncode != 0 and "good.mp4" in done.stderr
    whole = ran / "data/faces/messy"
    for path in (path for path in (tmp_path / "faces").rglob("*") if path.is_file()):
        assert (
            path.suffix == ".npy" and path.read_bytes() == (whole / path.relative_to(tmp_path / "faces")).read_bytes()
        )

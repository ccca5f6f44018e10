"""The pipeline end to end on a tiny dataset: DVC's graph, experiments, workers, bad input, and an added video.

One copy of the repository is run once (session fixture); each test looks at it or at a copy of it.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from tests.conftest import face_frames, noise_frames, portrait, write_video

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.xdist_group("pipeline")  # one worker runs them all, so the fixture is made once

NAMES = {
    "good.mp4": ("real", "train"),
    "good val.mp4": ("real", "val"),
    "лица/Zoë, 2.mp4": ("real", "test"),
    "short.mp4": ("fake", "test"),
    "two people.mp4": ("fake", "test"),
    "odd size.avi": ("fake", "test"),
    "no face.mp4": ("fake", "test"),
    "few faces.mp4": ("real", "test"),
    "empty.mp4": ("real", "test"),
    "text.mp4": ("fake", "test"),
    "cut.avi": ("real", "test"),
    "gone.mp4": ("real", "test"),
}


def _messy_dataset(root: Path) -> None:
    """A manifest folder with one video of each kind of trouble."""
    two = [np.hstack([frame, np.full((240, 80, 3), 90, np.uint8)]) for frame in face_frames(30)]
    for frame in two:
        frame[20:100, 320:400] = portrait()[60:220:2, 140:300:2]
    write_video(root / "good.mp4", face_frames(30))
    write_video(root / "good val.mp4", face_frames(26))
    write_video(root / "лица/Zoë, 2.mp4", face_frames(30))
    write_video(root / "short.mp4", face_frames(6))
    write_video(root / "two people.mp4", two)
    write_video(root / "odd size.avi", [frame[:239, :319] for frame in face_frames(20)], codec="MJPG", backend=2200)
    write_video(root / "no face.mp4", noise_frames(20))
    write_video(root / "few faces.mp4", face_frames(4) + noise_frames(26))
    (root / "empty.mp4").write_bytes(b"")
    (root / "text.mp4").write_text("not a video\n" * 100)
    whole = write_video(root / "whole.avi", face_frames(60), codec="MJPG")
    (root / "cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    whole.unlink()
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "split"])
        writer.writerows([name, *row] for name, row in NAMES.items())


def _run(folder: Path, *command: str, workers: int = 2, check: bool = True) -> subprocess.CompletedProcess:
    environment = os.environ | {
        "DIFFFAKE_WORKERS": str(workers),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    environment |= {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done


def _change(folder: Path, change) -> None:
    yaml, path = YAML(), folder / "params.yaml"
    content = yaml.load(path)
    change(content)
    yaml.dump(content, path)


def _tiny(params) -> None:
    params["demo"].update(train_people=2, val_people=1, test_people=2, min_frames=24, max_frames=26)
    params["frames"].update(per_video=8)
    params["synthesis"].update(variants=1)
    params["backbone"].update(name="test_resnet", input_size=64)
    params["train"].update(epochs=1, batch_size=8)
    params["pairs"].update(per_video=6, train_per_video=20, min_faces=4)
    params["datasets"]["messy"] = {"layout": "manifest", "root": "inputs/messy"}


def _clone(to: Path) -> Path:
    files = _run(ROOT, "git", "ls-files", "-co", "--exclude-standard").stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "dvc.lock")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    _messy_dataset(to / "inputs/messy")
    _change(to, _tiny)
    return to


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> Path:
    """A copy of the repository, with tiny settings and the messy dataset beside the demo, after `dvc repro`."""
    folder = _clone(tmp_path_factory.mktemp("pipeline"))
    _run(folder, "git", "init", "-q")
    _run(folder, "git", "add", "-A")
    _run(folder, "git", "commit", "-qm", "start")
    _run(folder, "dvc", "repro")
    _run(folder, "git", "add", "-A")
    _run(folder, "git", "commit", "-qm", "ran")
    return folder


def _locked_outs(folder: Path) -> dict[str, str]:
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_metrics_have_the_contracts_shape(ran):
    auc, baselines = _json(ran / "metrics/auc.json"), _json(ran / "metrics/baselines.json")
    assert (
        set(auc) == {"demo", "messy"}
        and set(auc["demo"]) == {"swap", "mouth", "all"}
        and set(auc["messy"]) == {"fake", "all"}
    )
    assert set(baselines) == {"classifier", "single_frame"}
    for shape in baselines.values():
        assert {name: set(methods) for name, methods in shape.items()} == {
            name: set(methods) for name, methods in auc.items()
        }
    for methods in auc.values():
        assert all(0 <= value <= 1 for value in methods.values())


def test_detail_says_what_the_figures_rest_on_and_how_they_came_about(ran):
    detail = _json(ran / "metrics/detail.json")
    protocol, demo = detail["protocol"], detail["datasets"]["demo"]
    assert (protocol["frames_per_video"], protocol["pairs_per_video"], protocol["landmarks"]) == (8, 6, "haar")
    assert "torch" in protocol["packages"] and "mean" in protocol["aggregation"] and protocol["split"] == "test"
    auc, baselines = _json(ran / "metrics/auc.json"), _json(ran / "metrics/baselines.json")
    for method, values in demo["difffake"].items():
        assert values["auc"] == auc["demo"][method] and 0 <= values["eer"] <= 1 and 0 <= values["pair_auc"] <= 1
        assert values["auc_ci95"][0] <= values["auc"] <= values["auc_ci95"][1]
        assert demo["classifier"][method]["auc"] == baselines["classifier"]["demo"][method]
    assert demo["difffake"]["all"]["n_real"] == 2 and demo["difffake"]["all"]["n_fake"] == 4


def test_a_videos_scores_are_the_means_of_its_pairs_and_frames(ran):
    videos = pq.read_table(ran / "data/scores/demo.parquet").to_pandas().set_index("video_id")
    pairs = pq.read_table(ran / "data/pair_scores/demo.parquet").to_pandas().groupby("video_id")["anomaly_score"]
    frames = pq.read_table(ran / "data/frame_scores/demo.parquet").to_pandas().groupby("video_id")
    np.testing.assert_allclose(pairs.mean(), videos["anomaly_score"])
    assert (pairs.size() == videos["n_pairs"]).all() and (frames.size() == videos["n_faces"]).all()
    for column in ("single_frame_score", "classifier_logit"):
        np.testing.assert_allclose(frames[column].mean(), videos[column])


def test_every_bad_video_is_counted_with_its_reason(ran):
    coverage = _json(ran / "metrics/coverage.json")["messy"]
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


def test_a_second_repro_runs_nothing(ran):
    assert "Data and pipelines are up to date." in _run(ran, "dvc", "repro").stdout
    assert "Data and pipelines are up to date." in _run(ran, "dvc", "status").stdout


def test_a_fusion_experiment_runs_only_what_depends_on_it(ran, tmp_path):
    folder = shutil.copytree(ran, tmp_path / "copy", symlinks=True)
    out = _run(folder, "dvc", "exp", "run", "-S", "fusion=sub3").stdout
    ran_stages = {line.split("'")[1].split("@")[0] for line in out.splitlines() if line.startswith("Running stage")}
    assert ran_stages == {"fuse_pairs", "fit_anomaly_model", "score_videos", "evaluate"}
    assert "fusion" in _run(folder, "dvc", "params", "diff").stdout
    assert "auc.json" in _run(folder, "dvc", "metrics", "diff", "--all").stdout
    assert "sub3" in _run(folder, "dvc", "exp", "show", "--no-pager", "--csv").stdout
    for command in (("show",), ("diff",)):
        page = _run(folder, "dvc", "plots", *command, "--out", "plots").stdout.strip().removeprefix("file://")
        html = Path(page).read_text(encoding="utf-8")
        for title in (
            "ROC per method",
            "Anomaly scores of reals and fakes",
            "Training loss",
            "Validation AUC",
            "pseudo_fakes.png",
        ):
            assert title in html


def test_the_papers_tables_run_as_experiments_and_leave_everything_as_it_was(ran, tmp_path):
    folder = shutil.copytree(ran, tmp_path / "copy", symlinks=True)
    command = ("python", "-m", "stages.paper_tables", "--only", "baseline", "-S", "anomaly_model.kind=ocsvm")
    said = _run(folder, *command).stdout
    assert said.count("== dvc exp run") == 1  # one run holds all three detectors
    text = (folder / "metrics/tables.md").read_text(encoding="utf-8")
    for label in ("DiffFake", "single frame", "classifier"):
        assert sum(line.startswith(f"| {label} |") for line in text.splitlines()) == 1
    assert "demo: swap" in text and "-S anomaly_model.kind=ocsvm" in text and "failed" not in text
    assert (folder / "metrics/tables.png").stat().st_size > 5000
    assert (folder / "params.yaml").read_bytes() == (ran / "params.yaml").read_bytes()
    assert "Data and pipelines are up to date." in _run(folder, "dvc", "status").stdout
    ran_again = _run(folder, *command).stdout
    assert "> python -m stages.fit_anomaly_model" in said
    run_again = {line.split()[3] for line in ran_again.splitlines() if line.startswith("> python -m stages.")}
    assert run_again <= {"stages.evaluate"}  # seconds; DVC does not restore what has plain outputs in Git


def test_people_can_be_cross_validated(ran, tmp_path):
    folder = shutil.copytree(ran, tmp_path / "copy", symlinks=True)
    folds = ("-S", "cross_validation.folds=2", "-S", "cross_validation.fold=1")
    out = _run(folder, "dvc", "exp", "run", *folds).stdout
    ran_stages = {line.split("'")[1].split("@")[0] for line in out.splitlines() if line.startswith("Running stage")}
    assert not ran_stages & {"index_videos", "extract_frames", "crop_faces"} and "train_backbone" in ran_stages
    videos = pq.read_table(folder / "data/scores/demo.parquet").to_pandas()
    assert videos.groupby("identity")["split"].nunique().eq(1).all()
    assert set(videos["split"]) == {"train", "val", "test"}
    tested = _json(folder / "metrics/detail.json")
    assert tested["protocol"]["split"] == "fold 1 of 2 of demo's people"
    assert (
        tested["datasets"]["demo"]["difffake"]["all"]["n_real"]
        == (videos.query("label == 'real'")["split"] == "test").sum()
    )


def test_a_killed_training_goes_on_where_it_was(ran, tmp_path):
    folder = shutil.copytree(ran, tmp_path / "copy", symlinks=True)
    _change(folder, lambda params: params["train"].update(epochs=40))
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
    said = _run(folder, *command).stdout
    assert "resuming training after epoch" in said
    assert not (folder / "models/new.checkpoint").exists()
    history = (folder / "new_metrics/plots/metrics/val/auc.tsv").read_text().splitlines()
    assert len(history) == 1 + 40


def test_a_misspelt_fusion_stops_with_one_message_and_no_output(ran, tmp_path):
    folder = shutil.copytree(ran, tmp_path / "copy", symlinks=True)
    done = _run(folder, "dvc", "exp", "run", "-S", "fusion=sub33", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0 and text.count("found 'sub33', expected 'abs', 'sub'") == 1 and "Traceback" not in text
    assert not (folder / "data/pairs/demo.parquet").exists()


def test_one_and_two_workers_give_the_same_bytes(ran, tmp_path):
    folder = _clone(tmp_path / "one")
    _run(folder, "git", "init", "-q")
    _run(folder, "git", "add", "-A")
    _run(folder, "git", "commit", "-qm", "start")
    _run(folder, "dvc", "repro", workers=1)
    one, two = _locked_outs(folder), _locked_outs(ran)
    # DVCLive writes the time of the run into no file that is locked; every artifact is compared.
    assert one == two


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_added_video_leaves_the_others_artifacts_as_they_were(ran, tmp_path):
    folder = shutil.copytree(ran, tmp_path / "copy", symlinks=True)
    write_video(folder / "inputs/messy/a new one.mp4", face_frames(28))
    with (folder / "inputs/messy/manifest.csv").open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerow(["a new one.mp4", "real", "test"])
    out = _run(folder, "dvc", "repro").stdout
    ran_stages = {line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage")}
    per_dataset = ("index_videos", "extract_frames", "crop_faces", "embed_faces", "fuse_pairs", "score_videos")
    assert ran_stages == {f"{stage}@messy" for stage in per_dataset} | {"evaluate"}
    for kind in ("frames", "faces"):
        before, after = _files(ran / f"data/{kind}/messy"), _files(folder / f"data/{kind}/messy")
        tables = {"videos.parquet", "faces.parquet"}
        assert set(after) - set(before) == {f"a new one.mp4.{'parquet' if kind == 'frames' else 'npy'}"}
        assert all(after[name] == content for name, content in before.items() if name not in tables)
    for table in (
        "index/messy",
        "frames/messy/videos",
        "faces/messy/faces",
        "embeddings/messy",
        "pairs/messy",
        "scores/messy",
        "pair_scores/messy",
        "frame_scores/messy",
    ):
        rows = [pq.read_table(copy / f"data/{table}.parquet").to_pylist() for copy in (ran, folder)]
        assert [row for row in rows[1] if row["video_id"] != "a new one.mp4"] == rows[0], table


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
    command = (
        "python",
        "-m",
        "stages.index_videos",
        "--layout",
        "manifest",
        "--root",
        str(tmp_path / "set"),
        "--out",
        str(tmp_path / "out/i.parquet"),
    )
    done = _run(ran, *command, check=False)
    assert (
        done.returncode == 1
        and done.stderr.startswith("error: ")
        and message in done.stderr
        and "Traceback" not in done.stderr
    )
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def _stage(folder: Path, name: str, **paths) -> subprocess.CompletedProcess:
    arguments = [part for key, path in paths.items() for part in (f"--{key.replace('_', '-')}", str(path))]
    return _run(folder, "python", "-m", f"stages.{name}", *arguments, check=False)


def test_a_training_set_without_usable_videos_is_a_clear_error(ran, tmp_path):
    table = pq.read_table(ran / "data/index/messy.parquet")
    pq.write_table(table.filter([row["split"] != "train" for row in table.to_pylist()]), tmp_path / "index.parquet")
    done = _stage(
        ran,
        "synthesize_fakes",
        index=tmp_path / "index.parquet",
        faces=ran / "data/faces/messy",
        out=tmp_path / "out",
        sheet=tmp_path / "s.png",
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
    assert _stage(ran, "evaluate", scores=tmp_path / "scores", metrics=tmp_path / "metrics", **parts).returncode == 0
    assert _json(tmp_path / "metrics/auc.json") == {"demo": {"all": None}, "messy": {"all": None}}


def test_an_unexpected_error_stops_the_stage_names_the_video_and_leaves_nothing(ran, tmp_path):
    frames = shutil.copytree(ran / "data/frames/messy", tmp_path / "frames")
    (frames / "good.mp4.parquet").write_bytes(b"damaged")
    done = _stage(ran, "crop_faces", frames=frames, out=tmp_path / "faces")
    assert done.returncode != 0 and "good.mp4" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames"]

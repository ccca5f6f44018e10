"""Models calibrated on somebody's own real videos, from the command line."""

import csv
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import stages.calibrate_on
import stages.cli
from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.calibration.bundle import ANOMALY_MODEL, BACKBONE, load_calibration
from tests.helpers.pipeline import read_json, run
from tests.helpers.videos import face_frames, noise_frames, write_video


def _calibrate_on(ran: Path, *arguments: str | Path, code: int = 0) -> str:
    command = ["python", "-m", "stages.calibrate_on", *map(str, arguments), "--models", "models"]
    done = run(ran, *command, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return " ".join((done.stdout if code == 0 else done.stderr).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four videos of a face, and what is passed over: one of no face, one twice, one that was trained on, a fake."""
    root = tmp_path_factory.mktemp("own")
    rows = []
    for number in range(4):
        write_video(root / f"{number}.mp4", [frame[:, : 310 - 10 * number] for frame in face_frames(30 + 3 * number)])
        rows.append([f"{number}.mp4", "real", f"person {number}", "indoors" if number % 2 else "outdoors"])
    write_video(root / "none.mp4", noise_frames(20))
    shutil.copyfile(root / "0.mp4", root / "fake.mp4")
    for name in ("twice", "known"):
        shutil.copyfile(root / "3.mp4", root / f"{name}.mp4")
    rows += [["none.mp4", "real", "nobody", "indoors"], ["fake.mp4", "fake", "person 0", ""]]
    rows.append(["twice.mp4", "real", "person 3", "indoors"])
    rows = [[*row, "test"] for row in rows] + [["known.mp4", "real", "person 9", "indoors", "train"]]
    with (root / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "label", "identity", "group", "split"], *rows])
    return root


@pytest.fixture(scope="module")
def made(ran, folder, tmp_path_factory) -> tuple[Path, str, str]:
    """The new models' folder, what was printed, and the report."""
    out = tmp_path_factory.mktemp("made")
    printed = _calibrate_on(ran, folder, "--out", out / "models", "--report", out / "report.html")
    return out / "models", printed, (out / "report.html").read_text()


def test_the_new_models_belong_together_and_hold_the_videos_scores(made):
    calibration = load_calibration(made[0])
    assert len(calibration.validation.scores) == 4
    assert calibration.validation.people == 4


def test_the_network_stays_as_it_is(ran, made):
    assert (made[0] / BACKBONE).read_bytes() == (ran / "models" / BACKBONE).read_bytes()


def test_a_kept_density_scores_as_before(ran, made, tmp_path):
    """The scores of the tests' models are those of the density alone: another reference doesn't change them."""
    scores = []
    for models in (made[0], ran / "models"):
        asked = ["inputs/messy/good.mp4", "--models", models, "--json", tmp_path / "o.json"]
        run(ran, "python", "-m", "stages.detect", *map(str, asked))
        scores.append(read_json(tmp_path / "o.json")["videos"][0]["anomaly_score"])
    assert scores[0] == scores[1]


def test_detect_says_which_reals_it_rests_on(ran, made, folder, tmp_path):
    asked = ["inputs/messy/good.mp4", "--models", made[0], "--json", tmp_path / "o.json"]
    run(ran, "python", "-m", "stages.detect", *map(str, asked))
    rests_on = read_json(tmp_path / "o.json")["rests_on"]
    assert "4 real videos of 4 people (your own)" in rests_on
    model = read_json(tmp_path / "o.json")["model"]
    assert model.startswith("A model of your own judges. It was made from a model trained on the dataset 'demo'.")


@pytest.mark.parametrize(
    "part",
    [
        "1 fakes passed over",
        "1 can't be used (no_face): none.mp4",
        "1 can't be used (the same file as another): twice.mp4",
        "1 reals of the split train passed over",
        "takes 19 real videos without assumptions",
        "there are 4",
        "0.mp4",
        "look oddest",
        "Group indoors: 0 of 2 called anomalous (0.0%, 95 % interval 0.0% to 65.8%)",
        "Group outdoors: 0 of 2 called anomalous",
    ],
)
def test_it_says_what_it_rests_on_and_what_looks_odd(made, part):
    assert part in made[1]


def test_the_report_pictures_the_videos(made):
    assert made[2].count('<section id="video-') == 4
    assert "data:image/jpeg" in made[2]


@pytest.fixture(scope="module")
def refitted(ran, folder, tmp_path_factory) -> Path:
    """Models with a density that is fitted to the videos, at another rate."""
    out = tmp_path_factory.mktemp("refitted") / "models"
    _calibrate_on(ran, folder, "--out", out, "--density", "refit", "--false-alarm-rate", "0.2")
    return out


def test_a_density_can_be_fitted_to_the_videos(made, refitted):
    before, after = (load_anomaly_models(at / ANOMALY_MODEL).pairs for at in (made[0], refitted))
    assert not np.allclose(before["standardscaler"].mean_, after["standardscaler"].mean_)


def test_another_rate_becomes_the_models(refitted):
    assert load_calibration(refitted).false_alarm_rate == 0.2


def test_a_folder_without_a_manifest_is_taken_as_it_is(ran, folder, tmp_path):
    for number in range(3):
        shutil.copyfile(folder / f"{number}.mp4", tmp_path / f"{number}.mp4")
    _calibrate_on(ran, tmp_path, "--out", tmp_path / "models")
    assert load_calibration(tmp_path / "models").validation.people == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--out", "x"], "nowhere: no such folder; name a folder of real videos"),
        (["inputs/messy", "--out", "models"], "--out is models, the models to start from; name another folder"),
        (["inputs/messy", "--out", "inputs"], "--out is inputs, which holds other things (messy, …); name another"),
        (["inputs/messy", "--out", "dvc.yaml"], "--out is dvc.yaml, a file; name a folder"),
        (["inputs/messy", "--out", "x", "--report", "inputs"], "inputs is a folder; name a file to write"),
        (["inputs/messy", "--out", "x", "--report", "inputs/messy/good val.mp4"], "is one of the videos"),
        (["inputs/messy"], "required: --out"),
        (["presets", "--out", "x"], "0 real videos could be used"),
    ],
)
def test_wrong_arguments_end_with_one_message(ran, monkeypatch, arguments, message):
    monkeypatch.chdir(ran)
    monkeypatch.setattr("sys.argv", ["calibrate_on", *arguments, "--models", "models"])
    monkeypatch.setattr("warnings.formatwarning", warnings.formatwarning)  # which a command changes
    with pytest.raises(SystemExit) as stopped:
        stages.cli.run(stages.calibrate_on.main)
    assert message in str(stopped.value.code)
    assert not (ran / "x").exists()

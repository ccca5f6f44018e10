"""detect against the pipeline's own scores, and fed with what people feed it.

One copy of the repository is run once (session fixture); its tiny models are not meant to be right.
"""

import csv
import json
import re
import shutil
import sqlite3
import warnings
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import skops.io
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stages.cli
import stages.detect
from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.calibration.bundle import ANOMALY_MODEL, BACKBONE, CALIBRATION, RELEASED, load_calibration
from stages.lib.detection.detector import Detector
from stages.lib.detection.observation import NoteCode, observe
from stages.lib.detection.verdict import ANOMALOUS, CANNOT_TELL, Verdict
from stages.lib.detection.wording import reason
from stages.lib.errors import InputError
from stages.lib.files import write_json
from stages.lib.fingerprint import sha256
from stages.lib.reasons import VideoReject
from stages.lib.records import REAL
from tests.helpers.pipeline import ROOT, read_json, run
from tests.helpers.verdicts import RATE
from tests.helpers.videos import face_frames, noise_frames, portrait, write_video


def _detect(folder: Path, *arguments: str | Path, code: int = 0) -> tuple[str, dict | None]:
    """What `detect` prints, and its JSON, where it is asked for as the last argument."""
    models = [] if "--models" in arguments else ["--models", "models"]
    done = run(folder, "python", "-m", "stages.detect", *models, *map(str, arguments), check=False)
    assert done.returncode == code, done.stderr[-3000:]
    target = Path(arguments[-1] if arguments else "")
    content = read_json(folder / target) if target.suffix == ".json" else None
    return done.stdout, content


@pytest.fixture(scope="module")
def detector(ran) -> Detector:
    return Detector(ran / "models", load_calibration(ran / "models"))


def _judge(detector: Detector, path: Path, **options: float) -> Verdict:
    return detector.judge(observe(path.name, path, detector.calibration, **options), RATE)


@pytest.mark.parametrize("name", ["demo", "messy"])
def test_every_video_has_the_pipelines_score_or_its_reason(ran, tmp_path, name):
    root = read_params(ran)["datasets"][name]["root"]
    code = 2 if name == "messy" else 0
    videos = [root] if name == "messy" else [f"{root}/{split}" for split in ("train", "val", "test")]
    _, found = _detect(ran, *videos, "--report", tmp_path / "r.html", "--json", tmp_path / "o.json", code=code)
    found = {video["video"].removeprefix(f"{root}/"): video for video in found["videos"]}
    pipeline = {row["video_id"]: row for row in pq.read_table(ran / f"data/scores/{name}.parquet").to_pylist()}
    manifest = found.pop("manifest.csv", None)
    assert manifest is None or manifest["reject_reason"] == VideoReject.UNREADABLE
    there = {video_id for video_id, row in pipeline.items() if row["reject_reason"] != VideoReject.MISSING_FILE}
    assert set(found) == there
    for video_id, video in found.items():
        row = pipeline[video_id] | {"frame_rejects": json.loads(pipeline[video_id]["frame_rejects"])}
        same = ["anomaly_score", "reject_reason", "n_pairs", "n_faces", "frame_rejects"]
        assert {key: video[key] for key in same} == {key: row[key] for key in same}, video_id
    assert sum(video["anomaly_score"] is not None for video in found.values()) >= 5


def read_params(folder: Path) -> dict:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(folder / "params.yaml")


@pytest.fixture(scope="module")
def renamed(ran, tmp_path_factory) -> tuple[str, dict]:
    """What is printed, and written as JSON, of a video of the pipeline under a hostile name, at a rate of 30 %."""
    folder = tmp_path_factory.mktemp("renamed")
    shutil.copyfile(ran / "inputs/messy/good.mp4", folder / "Ein Übung\n\x1b[31m.mov")
    return _detect(ran, *folder.glob("*.mov"), "--false-alarm-rate", "0.3", "--json", folder / "o.json")


def test_a_renamed_video_keeps_its_score(ran, renamed):
    pipeline = pq.read_table(ran / "data/scores/messy.parquet").to_pandas().set_index("video_id")
    (video,) = renamed[1]["videos"]
    assert video["anomaly_score"] == pipeline.loc["good.mp4", "anomaly_score"]


def test_a_video_is_known_by_its_digest(ran, renamed):
    assert renamed[1]["videos"][0]["sha256"] == sha256(ran / "inputs/messy/good.mp4")


def test_a_score_is_the_mean_over_its_pairs_and_lies_in_its_interval(renamed):
    (video,) = renamed[1]["videos"]
    assert np.mean([pair["anomaly_score"] for pair in video["pairs"]]) == pytest.approx(video["anomaly_score"])
    low, high = video["anomaly_score_interval"]
    assert low <= video["anomaly_score"] <= high


def test_the_rate_that_is_asked_for_decides(renamed):
    found = renamed[1]
    (video,) = found["videos"]
    assert found["false_alarm_rate"] == 0.3
    assert (video["decision"] == ANOMALOUS) == (video["anomaly_score"] > found["threshold"])


def test_the_calibration_is_written_with_the_results(renamed):
    assert renamed[1]["calibration"]["validation"]["people"] == 3


def test_no_control_letter_of_a_name_is_printed(renamed):
    assert "\x1b" not in renamed[0]


@pytest.mark.parametrize(
    "part", ["Its anomaly score", "30.0%", "3 real videos of 3 people", "not proof", "Out of its scope"]
)
def test_one_video_is_explained_in_words(renamed, part):
    assert part in " ".join(renamed[0].split())


def test_the_default_rate_is_the_params_and_the_settings_are_the_models(ran):
    calibration, params = load_calibration(ran / "models"), read_params(ran)
    assert calibration.false_alarm_rate == params["calibration"]["false_alarm_rate"]
    assert calibration.frames.per_video == params["frames"]["per_video"]
    assert calibration.fusion == params["fusion"]


@pytest.mark.parametrize(("split", "reals"), [("val", "validation"), ("test", "test")])
def test_the_reals_of_the_calibration_are_the_pipelines(ran, split, reals):
    scores = pq.read_table(ran / "data/scores/demo.parquet").to_pandas().query(f"label == '{REAL}'")
    expected = sorted(scores.query(f"split == '{split}'")["anomaly_score"])
    assert getattr(load_calibration(ran / "models"), reals).scores == expected


def test_the_calibration_names_what_was_trained_on(ran):
    trained_on = load_calibration(ran / "models").trained_on
    assert (trained_on.dataset, trained_on.videos) == ("demo", 2)


def test_the_metrics_of_the_calibration_count_test_reals_at_the_nominal_rate(ran):
    metrics = read_json(ran / "metrics/calibration.json")
    assert metrics["nominal"] == RATE
    assert metrics["datasets"]["demo"]["n_real"] == 2


def _still(path: Path) -> None:
    cv2.imwrite(str(path), portrait())


def _truncated(path: Path) -> None:
    whole = write_video(path.with_name("whole.avi"), face_frames(60), codec="MJPG")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()


def _headless(path: Path) -> None:
    """An MP4 whose index, at its end, is cut off."""
    write_video(path, face_frames(30))
    path.write_bytes(path.read_bytes()[:-3000])


@pytest.mark.parametrize(
    ("name", "make", "code", "words"),
    [
        ("text.mp4", lambda path: path.write_text("not a video\n" * 100), VideoReject.UNREADABLE,
            "another kind of file, or damaged"),
        ("empty.mp4", lambda path: path.touch(), VideoReject.EMPTY_FILE, "empty"),
        ("headless.mp4", _headless, VideoReject.UNREADABLE, "damaged"),
        ("three.mp4", lambda path: write_video(path, face_frames(3)), VideoReject.TOO_FEW_FACES,
            "found in 3 of 3 frames looked at, and 4"),
        ("none.mp4", lambda path: write_video(path, noise_frames(20)), VideoReject.NO_FACE, "no face was found"),
        ("still.jpg", _still, VideoReject.SINGLE_IMAGE, "a single image"),
        ("still.png", _still, VideoReject.SINGLE_IMAGE, "a single image"),
        ("gone.mp4", lambda path: None, VideoReject.MISSING_FILE, "no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_says_why(detector, tmp_path, name, make, code, words):
    make(tmp_path / name)
    verdict = _judge(detector, tmp_path / name)
    assert (verdict.decision, verdict.reject_reason, verdict.anomaly_score) == (CANNOT_TELL, code, None)
    assert words in reason(verdict, detector.calibration)


def test_a_truncated_video_is_judged_by_what_is_there_and_said_to_be(detector, tmp_path):
    _truncated(tmp_path / "v.avi")
    verdict = _judge(detector, tmp_path / "v.avi")
    assert verdict.anomaly_score is not None
    assert verdict.notes[0].code == NoteCode.TRUNCATED


def test_a_large_video_is_judged(detector, tmp_path):
    write_video(tmp_path / "v.mp4", [cv2.resize(frame, (3840, 2160)) for frame in face_frames(8, (240, 426))])
    verdict = _judge(detector, tmp_path / "v.mp4")
    assert verdict.observation.extracted.width == 3840
    assert verdict.n_faces == 8
    assert verdict.anomaly_score is not None


def _codes(detector: Detector, path: Path) -> set[NoteCode]:
    return {note.code for note in _judge(detector, path).notes}


def test_several_faces_in_view_are_noted(detector, tmp_path):
    beside = [np.hstack([frame, frame[:, 10:250]]) for frame in face_frames(20)]
    assert NoteCode.SEVERAL_FACES in _codes(detector, write_video(tmp_path / "a.mp4", beside))


def test_other_people_are_noted(detector, tmp_path):
    tinted = [np.clip(frame * (0.3, 0.8, 1.6), 0, 255).astype(np.uint8) for frame in face_frames(10)]
    assert NoteCode.OTHER_PEOPLE in _codes(detector, write_video(tmp_path / "b.mp4", face_frames(10) + tinted))


def test_one_person_is_no_reason_for_a_note_on_people(detector, tmp_path):
    codes = _codes(detector, write_video(tmp_path / "c.mp4", face_frames(20)))
    assert not codes & {NoteCode.SEVERAL_FACES, NoteCode.OTHER_PEOPLE}


def test_a_video_that_is_too_long_is_not_decoded(detector, tmp_path):
    path = write_video(tmp_path / "v.mp4", face_frames(50))
    verdict = _judge(detector, path, max_seconds=1.9)
    assert (verdict.reject_reason, verdict.observation.extracted.n_decoded) == (VideoReject.TOO_LONG, 0)


def test_a_video_that_is_as_long_as_allowed_is_judged(detector, tmp_path):
    path = write_video(tmp_path / "v.mp4", face_frames(50))
    assert _judge(detector, path, max_seconds=2.1).anomaly_score is not None


def test_a_model_calibrated_on_one_video_scores_but_does_not_decide(ran, detector, tmp_path):
    one = detector.calibration.validation.model_copy(update={"scores": [1.0]})
    uncalibrated = Detector(ran / "models", detector.calibration.model_copy(update={"validation": one}))
    verdict = _judge(uncalibrated, ran / "inputs/messy/good.mp4")
    assert (verdict.decision, verdict.reject_reason) == (CANNOT_TELL, VideoReject.UNCALIBRATED)
    assert verdict.anomaly_score is not None
    assert "too few real videos" in reason(verdict, detector.calibration)


def test_of_a_folder_of_50_mixed_files_none_is_lost(ran, tmp_path):
    good = [ran / "inputs/messy/good.mp4", ran / "inputs/messy/few faces.mp4"]
    makers = [
        lambda path: shutil.copyfile(good[0], path.with_suffix(".mp4")),
        lambda path: shutil.copyfile(good[1], path.with_suffix(".mp4")),
        lambda path: path.with_suffix(".txt").write_text("notes"),
        lambda path: _still(path.with_suffix(".jpg")),
        lambda path: path.with_suffix(".mp4").write_bytes(np.random.default_rng(0).bytes(5000)),
    ]
    folder = tmp_path / "mixed"
    for number in range(50):
        (folder / f"d{number % 3}").mkdir(parents=True, exist_ok=True)
        makers[number % 5](folder / f"d{number % 3}" / f"file {number}")
    (folder / ".hidden").write_text("x")
    printed, found = _detect(ran, folder, "--json", tmp_path / "o.json", code=2)
    assert len(found["videos"]) == 50
    reasons = [video["reject_reason"] for video in found["videos"]]
    assert {reason: reasons.count(reason) for reason in set(reasons)} == {
        None: 10, VideoReject.TOO_FEW_FACES: 10, VideoReject.UNREADABLE: 20, VideoReject.SINGLE_IMAGE: 10,
    }  # fmt: skip
    assert len([line for line in printed.splitlines() if "file " in line and str(folder) in line]) == 50


def test_a_folder_of_frames_is_a_video_where_it_is_said_to_be_one(ran, tmp_path):
    for number, frame in enumerate(face_frames(12)):
        (tmp_path / "clip").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"clip/{number:03}.png"), frame)
    _, found = _detect(ran, tmp_path / "clip", "--frames", "--json", tmp_path / "o.json")
    (video,) = found["videos"]
    assert video["anomaly_score"] is not None
    assert video["n_faces"] == 8
    assert video["sha256"] is None


def test_json_goes_to_standard_output_and_the_table_elsewhere(ran):
    printed, _ = _detect(ran, "inputs/messy/good.mp4", "--json", "-")
    assert json.loads(printed)["videos"][0]["video"] == "inputs/messy/good.mp4"


def test_a_report_goes_to_standard_output_and_the_table_elsewhere(ran):
    printed, _ = _detect(ran, "inputs/messy/good.mp4", "--name", "=x <b>", "--report", "-")
    assert printed.startswith("<!DOCTYPE html>")
    assert printed.endswith("</html>\n")
    assert ">=x &lt;b&gt;</h2>" in printed


def test_a_line_of_csv_and_of_json_lines_is_what_the_json_file_has(ran, tmp_path):
    files = ["--csv", tmp_path / "o.csv", "--jsonl", tmp_path / "o.jsonl", "--json", tmp_path / "o.json"]
    _, found = _detect(ran, "inputs/messy", *files, code=2)
    of_run = {key: found[key] for key in ("model", "models", "rests_on", "false_alarm_rate", "threshold")}
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert lines == [of_run | video for video in found["videos"]]
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["video"] for row in rows] == [video["video"] for video in found["videos"]]
    scores = [video["anomaly_score"] for video in found["videos"]]
    assert [float(row["anomaly_score"]) if row["anomaly_score"] else None for row in rows] == scores


def test_an_interrupted_run_goes_on_where_it_was(ran, tmp_path):
    videos = tmp_path / "videos"
    for name in ("a.mp4", "b.mp4"):
        videos.mkdir(exist_ok=True)
        shutil.copyfile(ran / "inputs/messy/good.mp4", videos / name)
    asked = ["--resume", tmp_path / "judged.sqlite", "--report", tmp_path / "r.html", "--json", tmp_path / "o.json"]
    _, whole = _detect(ran, videos, *asked)
    report = (tmp_path / "r.html").read_text()
    with sqlite3.connect(tmp_path / "judged.sqlite") as ledger:
        ledger.execute("DELETE FROM finished WHERE video_id LIKE '%b.mp4'")
    printed, again = _detect(ran, videos, *asked)
    assert "1 of 2 videos are done already" in printed
    assert again == whole
    assert (tmp_path / "r.html").read_text().count("data:image/jpeg") == report.count("data:image/jpeg")


def test_a_changed_video_and_another_rate_are_judged_anew(ran, tmp_path):
    video, asked = tmp_path / "v.mp4", ["--resume", tmp_path / "judged.sqlite", "--json", tmp_path / "o.json"]
    shutil.copyfile(ran / "inputs/messy/good.mp4", video)
    _, first = _detect(ran, video, *asked)
    assert "done already" not in _detect(ran, video, "--false-alarm-rate", "0.3", *asked)[0]
    shutil.copyfile(ran / "inputs/messy/good val.mp4", video)
    printed, other = _detect(ran, video, *asked)
    assert "done already" not in printed
    assert other["videos"][0]["sha256"] != first["videos"][0]["sha256"]


@pytest.mark.skipif(not (ROOT / RELEASED / "people-1").is_dir(), reason="the owner has deleted released/people-1")
def test_a_model_of_the_demo_does_not_judge_unless_it_is_named(ran, tmp_path):
    done = run(ran, "python", "-m", "stages.detect", "inputs/messy/good.mp4", "--json", str(tmp_path / "o.json"))
    model = read_json(tmp_path / "o.json")["model"]
    summary = load_calibration(ROOT / RELEASED / "people-1").release.summary
    assert model == f"The released model people-1 judges. {summary}"
    assert model in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "nowhere", "x.mp4"], r"nowhere/calibration.json: no such file; run `dvc repro calibrate`"),
        (["stages", "--name", "x"], r"--name is for a single video"),
        (["x", "--false-alarm-rate", "5%"], r"'5%' is not a rate between 0 and 1"),
        (["x", "--false-alarm-rate", "1"], r"'1' is not a rate between 0 and 1"),
        (["x", "--report", "stages"], r"stages is a folder; name a file"),
        (
            ["inputs/messy", "--json", "inputs/messy/../messy/good.mp4"],
            r"is one of the videos, and would be overwritten",
        ),
        (["x", "--json", "-", "--report", "-"], r"only one of --json and --report"),
        (["x", "--csv", "-"], r"--jsonl, --csv and --resume name a file"),
        (["x", "--csv", "o", "--jsonl", "o"], r"--jsonl and --csv both name o; name two files"),
        (["x", "--resume", "params.yaml"], r"params.yaml: not a file of --resume"),
        ([], r"required: VIDEO_OR_FOLDER"),
    ],
)
def test_wrong_arguments_end_with_one_message(ran, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(ran)
    monkeypatch.setattr("sys.argv", ["detect", *arguments])
    monkeypatch.setattr("warnings.formatwarning", warnings.formatwarning)  # which a command changes
    with pytest.raises(SystemExit) as stopped:
        stages.cli.run(stages.detect.main)
    code = stopped.value.code
    said, code = (capsys.readouterr().err, code) if isinstance(code, int) else (code, 1)  # a text: Python prints it
    assert code == 1
    assert re.search(message, said)


def _tampered(ran: Path, folder: Path, name: str, content: bytes) -> Path:
    """The models with one file changed, and a calibration that was made to agree with it."""
    shutil.copytree(ran / "models", folder / "models")
    (folder / "models" / name).write_bytes(content)
    calibration = read_json(folder / "models" / CALIBRATION)
    calibration["files"][name] = sha256(folder / "models" / name)
    write_json(folder / "models" / CALIBRATION, calibration)
    return folder / "models"


@pytest.mark.parametrize("name", [BACKBONE, ANOMALY_MODEL])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_model_is_an_error_even_where_the_checksums_agree(ran, tmp_path, name, damage):
    whole = (ran / "models" / name).read_bytes()
    middle = len(whole) // 3 if name == ANOMALY_MODEL else 20
    content = {
        "truncated": whole[: len(whole) // 2],
        "flipped": whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 200]) + whole[middle + 200 :],
        "empty": b"",
        "text": b"models\n" * 100,
    }[damage]
    models = _tampered(ran, tmp_path, name, content)
    with pytest.raises(InputError, match=rf"{name}: .*run `dvc repro`"):
        Detector(models, load_calibration(models))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda content: {"differential": content["differential"], "reference": content["reference"]},
        lambda content: [1, 2],
        lambda content: content | {"differential": make_pipeline(StandardScaler(), GaussianMixture()).fit(np.eye(3))},
    ],
    ids=["one missing", "a list", "of other vectors"],
)
def test_an_anomaly_model_of_another_backbone_or_kind_is_an_error(ran, tmp_path, wrong):
    skops.io.dump(wrong(skops.io.load(ran / "models" / ANOMALY_MODEL)), tmp_path / ANOMALY_MODEL)
    folder = _tampered(ran, tmp_path, ANOMALY_MODEL, (tmp_path / ANOMALY_MODEL).read_bytes())
    with pytest.raises(InputError, match=ANOMALY_MODEL):
        Detector(folder, load_calibration(folder))


def test_loading_a_backbone_never_asks_a_hub(ran, tmp_path):
    import safetensors.torch

    tensors = safetensors.torch.load_file(ran / "models" / BACKBONE)
    config = {"name": "hf-hub:somebody/model", "input_size": 64, "embedding_dim": 512}
    safetensors.torch.save_file(tensors, tmp_path / "b.safetensors", metadata={"config": json.dumps(config)})
    with pytest.raises(InputError, match="hf-hub:somebody/model"):
        load_backbone(tmp_path / "b.safetensors", "cpu")

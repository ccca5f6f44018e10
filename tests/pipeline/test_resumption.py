"""Large datasets: what is new or changed is done, what a killed run finished is not done again."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers import trees
from tests.helpers.pipeline import BIN, change_params, files_below, instances_run, read_json, run
from tests.helpers.videos import face_frames, write_video


def test_an_added_dataset_runs_only_its_own_branch(folder, ran, tmp_path):
    video = write_video(tmp_path / "video.mp4", face_frames(10))
    trees.dfdc_preview(
        folder / "inputs/preview",
        lambda path: path.parent.mkdir(parents=True, exist_ok=True) or shutil.copyfile(video, path),
    )
    added = {"layout": "dfdc_preview", "root": "inputs/preview", "fakes": ["test"]}
    change_params(folder, lambda params: params["datasets"].update(preview=added))
    out = run(folder, "dvc", "repro").stdout
    ran_stages = instances_run(out)
    per_dataset = ("extract_frames", "crop_faces", "embed_faces", "fuse_pairs", "score_videos")
    indexed = {f"index_videos@{name}" for name in ("demo", "messy", "preview")}
    assert ran_stages == {f"{stage}@preview" for stage in per_dataset} | indexed | {"crop_photos", "evaluate"}
    before, after = (read_json(copy / "metrics/auc.json") for copy in (ran, folder))
    assert after == before | {"preview": after["preview"]} and set(after["preview"]) == {"method_A", "method_B", "all"}


def _index_rows(folder: Path) -> dict[str, str]:
    rows = pq.read_table(folder / "data/index/messy.parquet").to_pylist()
    return {row["video_id"]: row["fingerprint"] for row in rows}


def test_new_changed_and_removed_videos_are_noticed_and_the_others_left_alone(folder, ran):
    root, before = folder / "inputs/messy", _index_rows(ran)
    for n in range(3):
        write_video(root / f"new {n}.mp4", face_frames(20 + n))
    write_video(root / "short.mp4", face_frames(9))
    lines = (root / "manifest.csv").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("two people")] + [f"new {n}.mp4,real,test" for n in range(3)]
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = run(folder, "dvc", "repro").stdout
    per_dataset = ("index_videos", "extract_frames", "crop_faces", "embed_faces", "fuse_pairs", "score_videos")
    of_messy = {f"{stage}@messy" for stage in per_dataset}
    assert instances_run(out) == of_messy | {"index_videos@demo", "crop_photos", "evaluate"}
    after = _index_rows(folder)
    added, removed = {f"new {n}.mp4" for n in range(3)}, {"two people.mp4"}
    changed = added | removed | {"short.mp4"}
    assert set(after) - set(before) == added and set(before) - set(after) == removed
    assert [name for name in before.keys() & after.keys() if before[name] != after[name]] == ["short.mp4"]
    # Of 14 videos, 3 are new and 1 has changed.
    assert "10 of 14 videos are done already" in out
    for kind, suffix in (("frames", ".parquet"), ("faces", ".npy")):
        old, new = files_below(ran / f"data/{kind}/messy"), files_below(folder / f"data/{kind}/messy")
        assert set(new) - set(old) == {f"{name}{suffix}" for name in added}
        assert set(old) - set(new) == {f"{name}{suffix}" for name in removed}
        others = set(old) - {f"{name}{suffix}" for name in changed} - {"videos.parquet", "faces.parquet"}
        assert others and all(new[name] == old[name] for name in others)
    assert len(pq.read_table(folder / "data/frames/messy/short.mp4.parquet")) == 8
    names = ("index", "embeddings", "pairs", "scores", "pair_scores", "frame_scores")
    for table in ("frames/messy/videos", "faces/messy/faces", *(f"{name}/messy" for name in names)):
        rows = [pq.read_table(copy / f"data/{table}.parquet").to_pylist() for copy in (ran, folder)]
        of_before, of_after = ([row for row in both if row["video_id"] not in changed] for both in rows)
        assert of_before and of_after == of_before, table


# Read by every Python process that has its folder in PYTHONPATH: a decoder that a file of this name crashes.
_FRAGILE_DECODER = """
import os, signal, cv2
_open = cv2.VideoCapture
cv2.VideoCapture = lambda path, *rest: os.kill(os.getpid(), signal.SIGSEGV) if "few" in path else _open(path, *rest)
"""


def test_a_video_that_crashes_the_decoder_is_recorded_and_the_others_are_as_before(ran, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(_FRAGILE_DECODER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    index = ("--index", "data/index/messy.parquet", "--root", "inputs/messy", "--ledger", str(tmp_path / "ledger"))
    said = run(ran, "python", "-m", "stages.extract_frames", *index, "--out", str(tmp_path / "out")).stdout
    assert "few faces.mp4: given up, the process that works on it died 3 times (ended by SIGSEGV)" in said
    before, after = (
        {row["video_id"]: row for row in pq.read_table(folder / "videos.parquet").to_pylist()}
        for folder in (ran / "data/frames/messy", tmp_path / "out")
    )
    crashed = after.pop("few faces.mp4")
    assert (crashed["n_frames"], crashed["reject_reason"]) == (0, "crashed")
    del before["few faces.mp4"]
    assert after == before


@pytest.mark.parametrize("stage", ["extract_frames", "crop_faces"])
def test_a_killed_stage_redoes_only_the_videos_in_flight(ran, tmp_path, stage):
    root, n_videos = tmp_path / "many", 60
    video = write_video(root / "0.mp4", face_frames(30))
    for n in range(1, n_videos):
        shutil.copyfile(video, root / f"{n}.mp4")
    row = pq.read_table(ran / "data/index/messy.parquet").slice(0, 1).to_pylist()[0]
    schema = pq.read_schema(ran / "data/index/messy.parquet")
    rows = [row | {"video_id": f"{n}.mp4", "path": f"{n}.mp4", "fingerprint": "x"} for n in range(n_videos)]
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "index.parquet")
    inputs = {"extract_frames": ["--index", tmp_path / "index.parquet", "--root", root]}
    inputs["crop_faces"] = ["--frames", tmp_path / "extract_frames", "--root", root]

    def command(name: str) -> list[str]:
        paths = [*inputs[name], "--ledger", tmp_path / f"{name}.sqlite", "--out", tmp_path / name]
        return [str(part) for part in (BIN / "python", "-m", f"stages.{name}", *paths)]

    if stage == "crop_faces":
        run(ran, *command("extract_frames"))
    environment, out = os.environ | {"DIFFFAKE_WORKERS": "2"}, tmp_path / stage
    process = subprocess.Popen(
        command(stage),
        cwd=ran,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(list(out.glob("[0-9]*"))) < 10 and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    written = files_below(out)
    assert len(written) >= 10 and not any(name.endswith("s.parquet") for name in written)
    said = run(ran, *command(stage)).stdout
    done = int(said.split(f" of {n_videos} videos are done already")[0].split()[-1])
    whole = [name for name in written if not name.startswith(".")]
    # Two workers have two videos each in flight; on a busy machine some more are done but not yet written down.
    assert len(whole) - 8 <= done <= len(whole)
    finished = files_below(out)
    assert len(finished) == n_videos + 1 and not list(out.glob(".*"))
    for name in whole:
        assert finished[name] == written[name]

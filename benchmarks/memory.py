"""Do the stages' peak memory and their time a video stay the same with ten times the videos? On made-up tables.

``python -m benchmarks.memory [--videos 10000 100000]``. 32 faces and 31 pairs a video, embeddings of dimension 64; four
fakes of each real video, two videos in ten of the test split. Each stage runs in a process of its own; ``tables`` is
the writing of what crop_faces and embed_faces write. Times are of the processor, in all threads.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from ruamel.yaml import YAML

from stages.lib.calibration.bundle import BACKBONE
from stages.lib.markdown import markdown_table
from stages.lib.records import FAKE, FAMILIES, N_APPEARANCE, N_LANDMARKS, REAL
from stages.lib.schemas import EXTRACTED_VIDEOS, FACES, FACES_TABLE, INDEX, VIDEOS_TABLE, embeddings_schema
from stages.lib.tables import vector_column, write_tables

ROOT = Path(__file__).parents[1]
NAME, N_FACES = "synthetic", 32
DIMENSION = 64  # of the embeddings
OF_A_PERSON, OF_A_REAL = 10, 5  # videos; of a real video itself and its fakes
N_KINDS = 100  # videos whose numbers differ by more than a factor
FILE = f"{NAME}.parquet"
# The arguments of each stage that reads tables, as dvc.yaml has them.
STAGES = {
    "fuse_pairs": f"--embeddings embeddings/{FILE} --out pairs/{FILE}",
    "fit_anomaly_model": f"--pairs pairs/{FILE} --embeddings embeddings/{FILE} --out models/anomaly_model.skops",
    "score_videos": f"--dataset {NAME} --index index.parquet --frames frames --faces faces --embeddings "
    f"embeddings/{FILE} --pairs pairs/{FILE} --model models/anomaly_model.skops --out scores/{FILE} --pair-scores "
    f"pair_scores/{FILE} --frame-scores frame_scores/{FILE}",
    "calibrate": f"--scores scores/{FILE} --pair-scores pair_scores/{FILE} --faces faces --models models",
    "evaluate": "--scores scores --pair-scores pair_scores --frame-scores frame_scores --model "
    "models/anomaly_model.skops --calibration models/calibration.json --metrics metrics",
}


def _video_id(number: int) -> str:
    return f"{number // OF_A_PERSON:06}/{number % OF_A_PERSON}.mp4"


def _what(number: int) -> dict[str, str]:
    """Label, method, split, identity, original and family of a video."""
    kind, person = number % OF_A_REAL, number // OF_A_PERSON
    split = ("train",) * 7 + ("val",) + ("test",) * 2
    found = {"split": split[person % len(split)], "identity": str(person), "label": REAL}
    if not kind:
        return found | {"method": "", "original": "", "family": ""}
    return found | {
        "label": FAKE,
        "method": f"method {kind}",
        "original": _video_id(number - kind),
        "family": FAMILIES[kind % len(FAMILIES)],
    }


def _index(n_videos: int) -> Iterator[list[dict[str, object]]]:
    for number in range(n_videos):
        video_id = _video_id(number)
        same = {"video_id": video_id, "path": video_id, "group": "", "input": "video", "fingerprint": f"{number:032x}"}
        yield [same | _what(number)]


def _extracted(n_videos: int) -> Iterator[list[dict[str, object]]]:
    counts = {"n_frames": N_FACES, "n_decoded": 300, "n_declared": 300, "width": 1280, "height": 720}
    for number in range(n_videos):
        yield [{"video_id": _video_id(number), **counts}]


def _of_faces(number: int) -> dict[str, object]:
    rows = np.arange(N_FACES, dtype=np.int32)
    return {"video_id": [_video_id(number)] * N_FACES, "frame_index": rows, "time_s": rows / 3.0, "face_row": rows}


def _appearances() -> np.ndarray:
    """Of the faces of ``N_KINDS`` videos, which the others repeat."""
    return np.random.default_rng(0).normal(size=(N_KINDS, N_FACES, N_APPEARANCE)).astype(np.float32)


def _faces(n_videos: int) -> Iterator[pa.Table]:
    rng, appearances = np.random.default_rng(1), [vector_column(one) for one in _appearances()]
    same = {
        "box": vector_column(rng.uniform(50, 400, (N_FACES, 4))),
        "landmarks": vector_column(rng.uniform(0, 224, (N_FACES, 2 * N_LANDMARKS))),
        "reject_reason": pa.nulls(N_FACES),
    }
    for number in range(n_videos):
        columns = _of_faces(number) | same | {"appearance": appearances[number % N_KINDS]}
        yield pa.table(columns).select(FACES.names)


def _embeddings(n_videos: int, dimension: int) -> Iterator[pa.Table]:
    rng, appearances = np.random.default_rng(2), [vector_column(one) for one in _appearances()]
    of_kinds = rng.normal(size=(N_KINDS, N_FACES, dimension)).astype(np.float32)
    logits = rng.normal(size=N_FACES).astype(np.float32)
    for number in range(n_videos):
        of_video = _what(number)
        unlike = 1 + 0.1 * (of_video["label"] == FAKE) + 0.1 * rng.random(dtype=np.float32)  # no two have one score
        columns = _of_faces(number) | {name: [of_video[name]] * N_FACES for name in ("label", "method", "split")}
        columns |= {"fake_logit": logits * np.float32(unlike), "appearance": appearances[number % N_KINDS]}
        columns["embedding"] = vector_column(of_kinds[number % N_KINDS] * unlike)
        yield pa.table(columns).select(embeddings_schema(dimension, 0).names)


def make_tables(n_videos: int, dimension: int) -> None:
    """What the stages before fuse_pairs leave, in this folder."""
    write_tables("index.parquet", _index(n_videos), INDEX)
    write_tables(Path("frames", VIDEOS_TABLE), _extracted(n_videos), EXTRACTED_VIDEOS)
    write_tables(Path("faces", FACES_TABLE), _faces(n_videos), FACES)
    of_faces = _embeddings(n_videos, dimension)
    write_tables(Path("embeddings", FILE), of_faces, embeddings_schema(dimension, 0))


def _params(path: Path) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["datasets"], params["train_dataset"] = {NAME: {"layout": "manifest", "root": "."}}, NAME
    params["frames"]["per_video"] = params["pairs"]["per_video"] = params["pairs"]["train_per_video"] = N_FACES
    yaml.dump(params, path)


def _measured(folder: Path, command: list[str]) -> tuple[float, float]:
    """Peak memory in MB and seconds of processor time of a command of Python in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss / 1e3, used.ru_utime + used.ru_stime


def measure(folder: Path, n_videos: int, dimension: int = DIMENSION) -> dict[str, tuple[float, float]]:
    """{stage: peak memory in MB, seconds} on so many videos, in an empty folder."""
    _params(folder / "params.yaml")
    (folder / "models").mkdir()
    (folder / "models" / BACKBONE).write_bytes(b"a network that nothing here runs")
    making = f"from benchmarks import memory; memory.make_tables({n_videos}, {dimension})"
    found = {"tables": _measured(folder, ["-c", making])}
    for name, arguments in STAGES.items():
        found[name] = _measured(folder, ["-m", f"stages.{name}", *arguments.split()])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, nargs=2, default=[10_000, 100_000])
    few, many = parser.parse_args().videos
    measured = []
    for n_videos in (few, many):
        folder = Path(tempfile.mkdtemp())
        try:
            measured.append(measure(folder, n_videos))
            disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            print(f"{n_videos} videos: {disk / 1e9:.2f} GB of tables", flush=True)
        finally:
            shutil.rmtree(folder)
    rows = []
    for stage, (least, short) in measured[0].items():
        most, long = measured[1][stage]
        times = [f"{1e3 * seconds / n:.2f}" for seconds, n in ((short, few), (long, many))]
        rows.append([stage, f"{least:.0f} MB", f"{most:.0f} MB", f"{most / least:.2f}", *times])
    head = ["stage", f"peak memory, {few} videos", f"{many} videos", "ratio", f"ms a video, {few}", f"{many}"]
    print(markdown_table(head, rows))


if __name__ == "__main__":
    main()

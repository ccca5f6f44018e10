"""Very many short clips through extract_frames and crop_faces, each killed with all its workers in the middle.

    python -m benchmarks.resuming [--videos 10000]

Prints what each stage had done when it was killed, what it did afterwards, seconds, and the peak memory of its largest
process. Ends with an error where a video is lost, is there twice, or was done again though it had been noted as done.
"""

import argparse
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.detection import make_video
from stages.lib.records import REAL
from stages.lib.runtime import progress
from stages.lib.schemas import EXTRACTED_VIDEOS, FACES, FACES_TABLE, INDEX, VIDEOS_TABLE
from stages.lib.tables import read_by_video, write_table

ROOT, N_FRAMES, SIZE = Path(__file__).parents[1], 4, (160, 120)
STAGES = {  # where from, where to, and the table that is written there
    "extract_frames": ("--index index.parquet", "frames", VIDEOS_TABLE, EXTRACTED_VIDEOS),
    "crop_faces": ("--frames frames", "faces", FACES_TABLE, FACES),
}


def make_videos(folder: Path, n: int) -> None:
    """Clips of a second, their index, and params.yaml."""
    (folder / "videos").mkdir()
    names = [f"{number:06}.mp4" for number in range(n)]

    def make(name: str) -> None:
        make_video(folder / "videos" / name, SIZE, 1)

    with ThreadPoolExecutor() as pool:
        list(progress(pool.map(make, names), "making clips", n))
    same = {"label": REAL, "split": "train", "input": "video"}
    same |= dict.fromkeys(("method", "original", "family", "group"), "")
    rows = [same | {"video_id": one, "path": one, "identity": one, "fingerprint": one} for one in names]
    write_table(folder / "index.parquet", rows, INDEX)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["frames"]["per_video"] = N_FRAMES
    yaml.dump(params, folder / "params.yaml")


def _noted(folder: Path, stage: str) -> dict[str, int]:
    """{video_id: a number that is another once it is noted again} of what is done."""
    ledger = folder / f"{stage}.sqlite"
    if not ledger.is_file():
        return {}
    with closing(sqlite3.connect(ledger)) as database, suppress(sqlite3.OperationalError):  # the table comes later
        return dict(database.execute("SELECT video_id, rowid FROM finished"))
    return {}


def _start(folder: Path, stage: str) -> subprocess.Popen[bytes]:
    """A stage with its workers, in a process group of its own."""
    given, out, _, _ = STAGES[stage]
    arguments = f"{given} --root videos --ledger {stage}.sqlite --out {out}"
    command = [sys.executable, "-m", f"stages.{stage}", *arguments.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)


def run_killed(folder: Path, stage: str, n: int) -> None:
    """Run a stage, kill all of it when half is done, run it again, and compare."""
    process = _start(folder, stage)
    while len(_noted(folder, stage)) < n // 2:
        time.sleep(1)
        if process.poll() is not None:
            raise SystemExit(f"{stage} ended before half was done")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = _noted(folder, stage)
    start = time.perf_counter()
    process = _start(folder, stage)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    if status:
        raise SystemExit(f"{stage} ended with {os.waitstatus_to_exitcode(status)}")
    after = _noted(folder, stage)
    again = [video_id for video_id, entry in before.items() if after[video_id] != entry]
    _, out, table, schema = STAGES[stage]
    videos = [video_id for video_id, _ in read_by_video(folder / out / table, schema)]
    files = [path for path in (folder / out).iterdir() if path.name != table]
    partial = [path for path in files if not re.fullmatch(r"\d{6}\.mp4\.(parquet|npy)", path.name)]
    print(
        f"{stage}: killed with {len(before)} of {n} noted; then {n - len(before)} in {took:.0f} s "
        f"({1000 * took / (n - len(before)):.0f} ms each), peak memory of a process {used.ru_maxrss / 1e3:.0f} MB; "
        f"{len(again)} done twice, {n - len(set(videos))} lost, {len(files)} files, {len(partial)} of them unknown",
        flush=True,
    )
    if again or videos != sorted(set(videos)) or len(videos) != n or partial:
        raise SystemExit(f"{stage}: {again[:3]} were done again, or videos are lost, or files are left: {partial[:3]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    n = parser.parse_args().videos
    with tempfile.TemporaryDirectory() as name:
        make_videos(Path(name), n)
        for stage in STAGES:
            run_killed(Path(name), stage, n)


if __name__ == "__main__":
    main()

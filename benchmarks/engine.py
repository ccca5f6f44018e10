"""What the engines of ``map_videos`` cost beside the work: this machine's processes, and Dask.

    python -m benchmarks.engine [--videos 500] [--rounds 3]

Prints milliseconds for each call that does nothing, those of a cluster whose many workers sleep, and the time of Dask's
two processes over that of two of this machine's, for extracting and cropping short clips: all of them by both, in turn,
``BLOCK`` at a time. Starts don't count.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import distributed
import numpy as np
import pyarrow as pa

from benchmarks.detection import make_video
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.video_faces import crop_video
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import read_frames, write_frames
from stages.lib.ledger import Ledger
from stages.lib.mapping import map_videos
from stages.lib.records import Video
from stages.lib.tables import vector_column
from stages.params import load_params

SLEEPERS, SLEEP_S = 64, 0.05  # workers, and how long each of their calls takes
PROCESSES = 4  # that the sleepers are threads of
BLOCK = 50  # clips


@contextmanager
def engine(**environment: str) -> Iterator[None]:
    """Execution settings, for a while."""
    names = ("DIFFFAKE_SCHEDULER", "DIFFFAKE_WORKERS")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ |= environment
    yield
    for name in names:
        os.environ.pop(name, None)
    os.environ |= before


@contextmanager
def dask(**options: object) -> Iterator[str]:
    """The address of a cluster."""
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50} | options
    with distributed.LocalCluster(**options) as local:
        yield local.scheduler_address


def nothing(video: Video) -> None:
    """What a call costs that does nothing."""


def sleep(video: Video) -> pa.Table:
    """A video's work as the main process sees it, with embeddings of 24 faces."""
    time.sleep(SLEEP_S)
    return pa.table({"embedding": vector_column(np.random.default_rng(0).normal(size=(24, 1280)))})


def extract_and_crop(folder: Path, n_frames: int, faces: FaceSettings, video: Video) -> int:
    """The number of faces of a clip, written as extract_frames writes it."""
    kept = folder / f"{video.video_id}.parquet"
    write_frames(kept, extract_frames(folder / video.made_from, n_frames).frames)
    _, crops = crop_video(lambda: read_frames(kept), faces)
    np.save(folder / f"{video.video_id}.npy", crops)
    return len(crops)


def seconds(function: Callable[[Video], object], videos: list[Video]) -> float:
    """How long a map takes."""
    start = time.perf_counter()
    for _ in map_videos(function, videos, "benchmark"):
        pass
    return time.perf_counter() - start


def dispatch_ms(n: int = 2000) -> float:
    """Milliseconds in which the main process sends a video to one of ``SLEEPERS`` workers, and notes its result."""
    videos = [Video(str(at), "") for at in range(n)]
    work = partial(map_videos, sleep, description="benchmark")
    threads = SLEEPERS // PROCESSES
    with (
        dask(n_workers=PROCESSES, threads_per_worker=threads) as address,
        engine(DIFFFAKE_SCHEDULER=address),
        tempfile.TemporaryDirectory() as folder,
        Ledger(Path(folder) / "ledger.sqlite", "") as ledger,
    ):
        seconds(nothing, videos[:SLEEPERS])
        start = time.perf_counter()
        for _ in ledger.resume(videos, work):
            pass
        return 1000 * (time.perf_counter() - start) / n


def bench_overhead(n: int) -> None:
    """Milliseconds a call, of calls that do nothing or sleep."""
    videos = [Video(str(at), "") for at in range(n)]
    for workers in ("1", "2"):
        with engine(DIFFFAKE_WORKERS=workers):
            seconds(nothing, videos[:8])
            print(f"this machine, {workers} workers: {1000 * seconds(nothing, videos) / n:.2f} ms a call")
        with dask(n_workers=int(workers)) as address, engine(DIFFFAKE_SCHEDULER=address):
            seconds(nothing, videos[:8])
            print(f"Dask, {workers} workers: {1000 * seconds(nothing, videos) / n:.2f} ms a call")
    print(
        f"Dask, {SLEEPERS} workers that sleep {SLEEP_S} s: {dispatch_ms(n):.2f} ms a call, at least "
        f"{1000 * SLEEP_S / SLEEPERS:.2f}"
    )


def bench_clips(n: int, rounds: int) -> None:
    """Extracting and cropping: Dask's time over that of this machine's processes."""
    params = load_params()
    with tempfile.TemporaryDirectory() as name, dask(n_workers=2) as address:
        folder = Path(name)
        make_video(folder / "clip.mp4", (320, 240), 2)
        work = partial(extract_and_crop, folder, 10, params.faces)
        videos = [Video(str(at), "clip.mp4") for at in range(n)]
        engines = {"this machine": {"DIFFFAKE_WORKERS": "2"}, "Dask": {"DIFFFAKE_SCHEDULER": address}}
        for settings in engines.values():
            with engine(**settings):
                seconds(work, videos[:8])
        ratios = []
        for _ in range(rounds):
            took = dict.fromkeys(engines, 0.0)
            for start in range(0, n, BLOCK):
                for which, settings in engines.items():
                    with engine(**settings):
                        took[which] += seconds(work, videos[start : start + BLOCK])
            ratios.append(took["Dask"] / took["this machine"])
            print(", ".join(f"{which}: {one:.1f} s" for which, one in took.items()), f"ratio {ratios[-1]:.3f}")
        print(f"median ratio of {rounds} rounds of {n} clips: {np.median(ratios):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    bench_overhead(2000)
    bench_clips(arguments.videos, arguments.rounds)


if __name__ == "__main__":
    main()

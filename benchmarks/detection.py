"""How long `python -m stages.detect` takes from command to verdict, and how much memory: short, long, large, with and
without report.

    python -m benchmarks.detection [--folder 50 200]

``--folder``: instead, of folders of so many short clips, with a network that takes ``SLOW_S`` longer for each, so that
videos are decoded faster than they are judged. By the models that `detect` judges by. The videos are made here: a
portrait that drifts over a noisy background.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.data

FPS = 25
VIDEOS = {  # (width, height), seconds
    "10 s, 720p": ((1280, 720), 10),
    "10 min, 720p": ((1280, 720), 600),
    "10 s, 4K": ((3840, 2160), 10),
}
SLOW_S = 0.5
_SLOW = f"""
import time
from stages import detect

judge = detect.Detector.judge
detect.Detector.judge = lambda *arguments: time.sleep({SLOW_S}) or judge(*arguments)
detect.main()
"""


def drifting_portrait(size: tuple[int, int], n_frames: int) -> Iterator[np.ndarray]:
    """Frames, BGR uint8, of a portrait that is two thirds of them high."""
    width, height = size
    side = 2 * height // 3
    head = cv2.resize(cv2.cvtColor(skimage.data.astronaut()[0:256, 96:352], cv2.COLOR_RGB2BGR), (side, side))
    background = np.random.default_rng(0).integers(60, 120, (height, width, 3), np.uint8)
    for frame_index in range(n_frames):
        frame = background.copy()
        left = int((0.5 + 0.3 * np.sin(frame_index / 40)) * (width - side))
        frame[height // 6 : height // 6 + side, left : left + side] = head
        yield frame


def make_video(path: Path, size: tuple[int, int], seconds: int) -> None:
    """A video of :func:`drifting_portrait`."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    for frame in drifting_portrait(size, seconds * FPS):
        writer.write(frame)
    writer.release()


def measure(*arguments: str, by: tuple[str, str] = ("-m", "stages.detect")) -> tuple[float, float]:
    """Seconds and peak memory (MiB) of the largest process of one `detect`; ``by``: what Python runs."""
    start = time.perf_counter()
    command = [sys.executable, *by, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def bench_folders(sizes: list[int]) -> None:
    """Peak memory of `detect` where the network is slow, of folders of these numbers of clips."""
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "0.mp4"
            make_video(clip, (320, 240), 2)
            for number in range(1, n):
                shutil.copy(clip, clip.with_stem(str(number)))
            took, memory = measure(folder, by=("-c", _SLOW))
        print(f"{n} clips, {SLOW_S} s more for each: {took:.0f} s, {memory:.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=int, nargs="+", metavar="N")
    sizes = parser.parse_args().folder
    if sizes:
        bench_folders(sizes)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, seconds) in VIDEOS.items():
            path = Path(folder) / f"{name}.mp4"
            make_video(path, size, seconds)
            plain, with_report = measure(str(path)), measure(str(path), "--report", f"{folder}/report.html")
            for what, (took, memory) in (("table", plain), ("report", with_report)):
                print(
                    f"{name:>14} ({path.stat().st_size / 1e6:.0f} MB), {what:>6}: {took:6.1f} s, {memory:6.0f} MiB",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()

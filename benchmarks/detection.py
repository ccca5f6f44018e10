"""How long `python -m stages.detect` takes from command to verdict, and how much memory: short, long, large, with and
without report.

    python -m benchmarks.detection

Needs the models of a pipeline that ran. The videos are made here: a portrait that drifts over a noisy background.
"""

import os
import subprocess
import sys
import tempfile
import time
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


def make_video(path: Path, size: tuple[int, int], seconds: int) -> None:
    """A portrait, two thirds of the frame high, that drifts."""
    width, height = size
    side = 2 * height // 3
    head = cv2.resize(cv2.cvtColor(skimage.data.astronaut()[0:256, 96:352], cv2.COLOR_RGB2BGR), (side, side))
    background = np.random.default_rng(0).integers(60, 120, (height, width, 3), np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    for frame_index in range(seconds * FPS):
        frame = background.copy()
        left = int((0.5 + 0.3 * np.sin(frame_index / 40)) * (width - side))
        frame[height // 6 : height // 6 + side, left : left + side] = head
        writer.write(frame)
    writer.release()


def measure(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory (MiB) of the largest process of one `detect`."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "stages.detect", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
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

"""Small seeded inputs that the tests make: videos of a portrait that moves, of texture, of two people."""

import os
import shutil
from pathlib import Path

# Two workers share the cores: PyTorch's threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# ruff: noqa: E402
import cv2
import numpy as np
import pytest

cv2.setNumThreads(1)
_SHARED = Path(__file__).parents[2] / "shared"


def portrait() -> np.ndarray:
    """The public-domain astronaut portrait, BGR uint8 (512, 512, 3)."""
    import skimage.data

    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


def write_video(
    path: Path, frames: list[np.ndarray], fps: float = 25.0, codec: str = "mp4v", backend: int = cv2.CAP_FFMPEG
) -> Path:
    """Encode BGR frames; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), backend, cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def face_frames(n: int, size: tuple[int, int] = (240, 320)) -> list[np.ndarray]:
    """n frames of (height, width) in which the portrait's head drifts sideways."""
    head = cv2.resize(portrait()[0:256, 96:352], (200, 200), interpolation=cv2.INTER_AREA)
    frames = []
    for t in range(n):
        frame = np.full((*size, 3), 90, np.uint8)
        left = 20 + int(30 * np.sin(t / 8)) + 20
        frame[20:220, left : left + 200] = head
        frames.append(frame)
    return frames


def noise_frames(n: int, size: tuple[int, int] = (240, 320), seed: int = 0) -> list[np.ndarray]:
    """n frames of smooth random texture without a face."""
    rng = np.random.default_rng(seed)
    return [
        cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
        for _ in range(n)
    ]


def counting_frames(n: int, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """n frames whose brightness encodes their index: frame i is grey of level 2 i (n <= 120)."""
    return [np.full((*size, 3), 2 * i, np.uint8) for i in range(n)]


@pytest.fixture(scope="session")
def portrait_landmarks() -> np.ndarray:
    """The hand-placed landmarks of the portrait, float64 (68, 2), in its pixels."""
    from stages.lib.demo.face import _ASTRONAUT, _points

    return _points(_ASTRONAUT)


def _outside(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if not path.exists():
        pytest.skip(f"{variable} is not set and {default} is not there: it is not part of the project")
    return path


@pytest.fixture(scope="session")
def realfaces() -> Path:
    """The folder of real clips (``manifest`` layout), or a skip that says why."""
    return _outside("DIFFFAKE_REALFACES", _SHARED / "realfaces")


@pytest.fixture(scope="session")
def pfld() -> Path:
    """A 68-landmark ONNX model, or a skip that says why."""
    return _outside("DIFFFAKE_PFLD", _SHARED / "models/pfld.onnx")


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> Path:
    """A copy of the repository, with tiny settings and the messy dataset beside the demo, after `dvc repro`."""
    from tests.pipeline import clone, run

    folder = clone(tmp_path_factory.mktemp("pipeline"))
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "start")
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "ran")
    return folder


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, or a skip that says why."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    quiet = ("quic", "background-networking", "component-update", "sync")  # nothing but what a test asks for
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", *(f"--disable-{feature}" for feature in quiet)]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()

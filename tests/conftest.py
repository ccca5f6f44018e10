"""Fixtures that several packages' tests share; what makes inputs stands in tests/helpers."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

# Two workers share the cores: PyTorch's threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# ruff: noqa: E402
import cv2
import numpy as np
import pytest
from filelock import FileLock

cv2.setNumThreads(1)
_SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def _drawn_alike() -> None:
    """What PyTorch draws is the same each time, whichever tests ran before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def portrait_landmarks() -> np.ndarray:
    """The hand-placed landmarks of the portrait, float64 (68, 2), in its pixels."""
    from stages.lib.demo.face import ASTRONAUT

    return ASTRONAUT


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
def made_once(tmp_path_factory, testrun_uid) -> Callable[[str, Callable[[Path], Path]], Path]:
    """``made_once(name, make)``: what ``make`` makes in an empty folder, the same for all of xdist's workers."""

    def get(name: str, make: Callable[[Path], Path]) -> Path:
        made = tmp_path_factory.getbasetemp().parent / f"{testrun_uid}.{name}"
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                made.write_text(str(make(tmp_path_factory.mktemp(name))))
        return Path(made.read_text())

    return get


@pytest.fixture(scope="session")
def ran(made_once) -> Path:
    """A copy of the repository, with tiny settings and the messy dataset beside the demo, after `dvc repro`.

    All workers share it: what changes something works on a copy.
    """
    from tests.helpers.pipeline import run, run_pipeline

    def make(empty: Path) -> Path:
        folder = run_pipeline(empty)
        run(folder, "git", "add", "-A")
        run(folder, "git", "commit", "-qm", "ran")
        run(folder, "python", "-m", "compileall", "-q", "stages")  # nothing is written there while it is copied
        return folder

    return made_once("pipeline", make)


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

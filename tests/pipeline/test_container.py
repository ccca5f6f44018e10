"""The container image: what goes into it, and, where there are a builder and a base image, that it works."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.videos import face_frames, write_video

ROOT = Path(__file__).parents[2]
BASE = os.environ.get("DIFFFAKE_CONTAINER_BASE", "")
PATIENCE_S = 3600


def test_everything_that_goes_into_the_image_is_there():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("!") and not list(ROOT.glob(line[1:]))] == []


def test_nothing_goes_into_the_image_that_is_not_named():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]


@pytest.fixture(scope="module")
def builder() -> str:
    """Podman or Docker, or a skip that says why: the image takes gigabytes, so it is built only where that is asked."""
    if not BASE:
        pytest.skip("DIFFFAKE_CONTAINER_BASE is not set: name a base image, such as debian:bookworm-slim, to build on")
    program = next(filter(None, map(shutil.which, ("podman", "docker"))), None)
    if program is None or subprocess.run([program, "info"], capture_output=True, check=False).returncode:
        pytest.skip("neither Podman nor a running Docker on this machine")
    return program


@pytest.fixture(scope="module")
def image(builder) -> str:
    tag = "localhost/difffake-test"
    command = [builder, "build", "--build-arg", f"BASE={BASE}", "--tag", tag, "--file", "Containerfile", "."]
    subprocess.run(command, cwd=ROOT, check=True, timeout=PATIENCE_S)
    return tag


def test_an_image_judges_a_mounted_video_as_any_user(builder, image, tmp_path):
    write_video(tmp_path / "clip.mp4", face_frames(30))
    command = [builder, "run", "--rm", "--user", "12345:12345", "--volume", f"{tmp_path}:/videos:ro", image]
    assert subprocess.run([*command, "make", "detect", "VIDEO=/videos/clip.mp4"], check=False).returncode == 0

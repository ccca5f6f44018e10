"""A copy of the pipeline that was run."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(ran, tmp_path) -> Path:
    """The repository after `dvc repro`, for a test to change."""
    return shutil.copytree(ran, tmp_path / "copy", symlinks=True)

"""Every stage that works video by video gives the same bytes however it is run: by this very process, by several, and
on a Dask cluster one of whose workers is killed.
"""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.helpers.pipeline import BIN, files_below, run

# Of each stage what it reads and what it writes below {out}, as dvc.yaml has it.
STAGES = {
    "make_demo": ("", "data/demo"),
    "extract_frames": ("--index data/index/demo.parquet --root data/demo --ledger {ledger}", "data/frames/demo"),
    "crop_faces": ("--frames data/frames/demo --root data/demo --ledger {ledger}", "data/faces/demo"),
    "synthesize_fakes": (
        "--index data/index/demo.parquet --faces data/faces/demo --photos data/photos --ledger {ledger} "
        "--sheet {out}/sheet.png --coverage {out}/photos.json",
        "data/fakes",
    ),
    "embed_faces": (
        "--dataset demo --index data/index/demo.parquet --faces data/faces/demo --backbone models/backbone.safetensors "
        "--ledger {ledger}",
        "data/embeddings/demo.parquet",
    ),
}


def _workers(process: subprocess.Popen) -> list[psutil.Process]:
    """The cluster's processes that work: not those that only help Python to start others."""
    below = psutil.Process(process.pid).children(recursive=True)
    return [one for one in below if "spawn_main" in " ".join(one.cmdline())]


def _command(stage: str, folder: Path) -> list[str]:
    """The stage, writing below a folder."""
    inputs, written = STAGES[stage]
    arguments = f"{inputs} --out {folder}/{written}".format(ledger=folder / "ledger.sqlite", out=folder)
    return [str(BIN / "python"), "-m", f"stages.{stage}", *arguments.split()]


@pytest.mark.parametrize("stage", STAGES)
def test_one_worker_gives_the_bytes_of_two(ran, tmp_path, stage):
    run(ran, *_command(stage, tmp_path), workers=1)
    written = STAGES[stage][1]
    assert _files(tmp_path / written) == _files(ran / written)


@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_killed_in_a_stage_changes_no_byte(ran, tmp_path, stage):
    written = STAGES[stage][1]
    process = subprocess.Popen(
        _command(stage, tmp_path),
        cwd=ran,
        env=os.environ | {"DIFFFAKE_SCHEDULER": "local:2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    line = next((line for line in process.stdout if "on 2 Dask workers" in line), "")
    assert line.startswith(f"{stage}: on 2 Dask workers, watched at http://")
    killed = _workers(process)[0]
    assert process.poll() is None
    killed.kill()
    said = process.stdout.read()
    assert process.wait() == 0, said
    assert _files(tmp_path / written) == _files(ran / written)


def _files(path: Path) -> dict[str, bytes]:
    return files_below(path) if path.is_dir() else {path.name: path.read_bytes()}

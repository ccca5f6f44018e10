"""The stage in two processes: one is killed, and the same command resumes, with two or with one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from stages import train_backbone
from tests.helpers.banks import fakes_of
from tests.helpers.pipeline import BIN, ROOT, change_params

EPOCHS = 20  # more than are done before the kill, on any machine


def _folder(folder: Path) -> Path:
    """A folder with a bank of pseudo-fakes, and params for a small network with LayerNorm."""
    fakes_of(folder / "fakes")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")

    def small(params) -> None:
        params["backbone"].update(name="test_vit", weights="none", input_size=32)
        plain = {"patch": 0, "boundary": 0.0, "average": 0.5, "sam_rho": 0.05, "precision": "fp32", "optimizer": "sgd"}
        params["train"].update(epochs=EPOCHS, batch_size=8, learning_rate=0.02, weight_decay=0.0, **plain)

    change_params(folder, small)
    return folder


PATHS = {"fakes": "fakes", "out": "models/b.safetensors", "metrics": "metrics", "checkpoint": "models/checkpoint"}
ARGUMENTS = [part for name, path in PATHS.items() for part in (f"--{name}", path)]


def _execution(devices: int) -> dict[str, str]:
    return {"DIFFFAKE_DEVICES": str(devices), "DIFFFAKE_DEVICE": "cpu"}


def _train_here(folder: Path, devices: int) -> dict[str, torch.Tensor]:
    """The weights that the stage writes, called in this process, which saves its imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train_backbone", *ARGUMENTS])
        for variable, value in _execution(devices).items():
            patch.setenv(variable, value)
        train_backbone.main()
    return safetensors.torch.load_file(folder / PATHS["out"])


def _children(pid: int) -> list[int]:
    """The training processes: the children of the one that was started, in the order of their start."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> tuple[Path, int, str, list[int]]:
    """A training of two processes whose second was killed after the first epoch: its folder, how it ended, what it said
    on standard error, and its processes.
    """
    folder = _folder(tmp_path_factory.mktemp("killed"))
    process = subprocess.Popen(
        [BIN / "python", "-m", "stages.train_backbone", *ARGUMENTS],
        cwd=folder,
        env=os.environ | _execution(2) | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (folder / PATHS["checkpoint"]).exists() and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None, process.stderr.read()
    children = _children(process.pid)
    os.kill(children[1], signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    return folder, process.returncode, said, children


def test_a_killed_process_ends_all_with_a_clear_error(killed):
    _, code, said, children = killed
    assert code == 1
    assert said.splitlines()[-1] == (
        "error: training process 1 of 2 (numbered from 0) was killed by SIGKILL, and the others were stopped; run the "
        "same command again to resume after the last whole epoch, with any DIFFFAKE_DEVICES"
    )
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> dict[str, torch.Tensor]:
    """The weights that one process gives."""
    return _train_here(_folder(tmp_path_factory.mktemp("uninterrupted")), 1)


@pytest.mark.parametrize("devices", [1, 2])
def test_it_resumes_with_any_number_of_processes(killed, uninterrupted, tmp_path, capfd, devices):
    """And ends with the weights of one that was never interrupted, but for rounding."""
    shutil.copytree(killed[0], tmp_path, dirs_exist_ok=True)
    resumed = _train_here(tmp_path, devices)
    done = int(capfd.readouterr().out.split("resuming training after epoch ")[1].split(",")[0])
    assert 1 <= done < EPOCHS
    torch.testing.assert_close(resumed, uninterrupted, rtol=1e-4, atol=1e-4)
    losses = (tmp_path / "metrics/plots/metrics/train/loss.tsv").read_text().splitlines()
    assert len(losses) == 1 + EPOCHS
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["b.safetensors"]

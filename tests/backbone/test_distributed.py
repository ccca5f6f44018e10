"""Two processes give what one gives, and end together."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from stages.lib.backbone.distributed import ALONE, Processes, launch
from stages.lib.backbone.training import Trainer
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import training_settings
from tests.helpers.processes import refuse
from tests.helpers.trainings import CASES, float64, train_all

ROOT = Path(__file__).parents[2]


@pytest.fixture
def two(monkeypatch) -> None:
    """Two processes on the CPU are wanted."""
    monkeypatch.setenv("DIFFFAKE_DEVICES", "2")
    monkeypatch.setenv("DIFFFAKE_DEVICE", "cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with what each of two processes ends with in every case. They are forked, which saves their imports."""
    folder = tmp_path_factory.mktemp("trained")
    fabric, before = Fabric(accelerator="cpu", devices=2, strategy="ddp_fork"), dict(os.environ)
    fabric.launch(lambda fabric: train_all(folder, Processes(fabric)))
    os.environ.clear()  # of the port that Fabric has chosen, which may be taken by the time of the next launch
    os.environ.update(before)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_two_processes_give_what_one_gives(trained, tmp_path, name):
    """Losses, AUC, weights and running statistics within 1e-7, under the names of the network itself."""
    with float64():
        alone, untrained = CASES[name].train(tmp_path, ALONE), CASES[name].untrained()
    first = torch.load(trained / "0.pt")[name]
    assert list(first) == list(alone)
    torch.testing.assert_close(first, alone, rtol=1e-7, atol=1e-7)
    assert max((alone[key] - start).abs().max() for key, start in untrained.named_parameters()) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_both_end_with_the_same_weights(trained, name):
    first, second = (torch.load(trained / f"{number}.pt")[name] for number in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_bad_input_that_one_process_finds_ends_all_with_its_message(two):
    with pytest.raises(InputError, match="^what is wrong, and the remedy$"):
        launch(partial(refuse, 1))


def test_no_process_outlives_the_one_that_launched_it(two, tmp_path):
    code = f"""if __name__ == "__main__":
        from functools import partial; from pathlib import Path
        from stages.lib.backbone.distributed import launch; from tests.helpers.processes import wait
        launch(partial(wait, Path({str(tmp_path)!r})))"""
    script = tmp_path / "launch.py"
    script.write_text(code, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, script], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    while len(waiting := list(tmp_path.glob("*.waiting"))) < 2 and parent.poll() is None:
        time.sleep(0.05)
    pids = [int(path.stem) for path in waiting]
    assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


# What is wanted


@pytest.mark.parametrize("wanted", ["", "1"])
def test_one_process_is_this_one_and_needs_no_fabric(monkeypatch, wanted):
    monkeypatch.setenv("DIFFFAKE_DEVICES", wanted)
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    seen = []
    launch(seen.append)
    assert seen == [ALONE]


def test_a_job_of_several_tasks_alone_asks_for_none(monkeypatch):
    monkeypatch.delenv("DIFFFAKE_DEVICES", raising=False)
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    seen = []
    launch(seen.append)
    assert seen == [ALONE]


@pytest.mark.parametrize("wanted", ["0", "two", "-1"])
def test_what_is_no_count_is_an_error(monkeypatch, wanted):
    monkeypatch.setenv("DIFFFAKE_DEVICES", wanted)
    with pytest.raises(InputError, match=f"DIFFFAKE_DEVICES is '{wanted}', expected a whole number of at least 1"):
        launch(print)


def test_without_fabric_the_error_says_how_to_install_it(two, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(InputError, match="DIFFFAKE_DEVICES is 2, .* pip install -r requirements-cluster.txt`"):
        launch(print)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_one_device_for_several_processes_is_an_error(two, monkeypatch, device):
    monkeypatch.setenv("DIFFFAKE_DEVICE", device)
    with pytest.raises(InputError, match=f"DIFFFAKE_DEVICE is '{device}', but DIFFFAKE_DEVICES is 2; set"):
        launch(print)


def test_more_processes_than_gpus_are_an_error(two, monkeypatch):
    monkeypatch.setenv("DIFFFAKE_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="DIFFFAKE_DEVICES is 2, but PyTorch finds 1 GPUs here; set it to"):
        launch(print)


def test_a_launcher_that_started_another_number_is_an_error(two, monkeypatch):
    started = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "3", "RANK": "0", "LOCAL_RANK": "0"}
    for variable, value in started.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match="DIFFFAKE_DEVICES is 2, but torchrun started 3 processes; set it to how many"):
        launch(print)


def test_more_processes_than_a_batch_has_faces_are_an_error(tmp_path):
    processes = Processes()
    processes.count = 5
    banks = bank_of(tmp_path, "train"), bank_of(tmp_path, "val")
    model = CASES["layer norm"].untrained()
    with pytest.raises(InputError, match="5 processes are to train, but a batch has only 4 real faces; lower"):
        Trainer(model, 32, *banks, training_settings(batch_size=8), 0, "cpu", processes)

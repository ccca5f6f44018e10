"""What several processes are made to do in the tests: here, so that they import it and little else."""

import os
import time
from pathlib import Path

import torch

from stages.lib.backbone.distributed import Processes
from stages.lib.errors import InputError


def refuse(where: int, processes: Processes) -> None:
    """Bad input that one process finds, while another waits for it."""
    if processes.number == where:
        raise InputError("what is wrong, and the remedy")
    processes.sum(torch.zeros(1))


def wait(folder: Path, processes: Processes) -> None:
    """Say where this process is, and wait for the other, which never comes."""
    (folder / f"{os.getpid()}.waiting").touch()
    if processes.number:
        time.sleep(600)
    processes.sum(torch.zeros(1))

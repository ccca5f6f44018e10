"""Training in several processes, each on a GPU of its own or all on the CPU: PyTorch's DDP under Lightning Fabric.

``DIFFFAKE_DEVICES`` (default: 1) says how many there are on each machine. It is an execution setting, as those of
``stages.lib.runtime`` are. Fabric is imported only where there are several.
"""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.multiprocessing.spawn import ProcessExitedException

from stages.lib.backbone.batch_norm import synchronize_batch_norm
from stages.lib.errors import InputError
from stages.lib.runtime import pick_device

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment

Thing = TypeVar("Thing")
_NOTICED_AFTER_S = 5.0


class Processes:
    """The processes that train one network together, as each of them sees them.

    ``number``: which of the ``count`` this is, from 0 on. The first logs and writes; the others only compute.
    """

    def __init__(self, fabric: "Fabric | None" = None) -> None:
        """Without a ``fabric``, one process that is alone."""
        self._fabric = fabric
        self.number, self.count = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)

    @property
    def is_first(self) -> bool:
        return self.number == 0

    def device(self) -> str:
        """PyTorch's name of the device that this process computes on."""
        return str(self._fabric.device) if self._fabric else pick_device()

    def share(self, n: int) -> slice:
        """This process's part of n things: they are split in order, and as evenly as they can be."""
        return slice(n * self.number // self.count, n * (self.number + 1) // self.count)

    def synchronize(self, model: torch.nn.Module, device: torch.device) -> None:
        """Have batch normalisation see the batch of all processes. Before anything else is made of the model."""
        if self._fabric:
            synchronize_batch_norm(model, device)

    def reducing(self, model: torch.nn.Module) -> torch.nn.Module:
        """A model, on its device, after whose backward each gradient is its mean over all processes.

        What is frozen must be so already; every other parameter must have a part in what the model gives.
        """
        return self._fabric.setup_module(model, move_to_device=False) if self._fabric else model

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum of the processes' tensors, which are of one shape."""
        if not self._fabric:
            return tensor
        total = tensor.to(self._fabric.device, copy=True)
        self._fabric.all_reduce(total, reduce_op="sum")
        return total.to(tensor.device)

    def from_first(self, thing: Thing) -> Thing:
        """What the first process has, for all of them."""
        return self._fabric.broadcast(thing) if self._fabric else thing


ALONE = Processes()


def launch(train: Callable[[Processes], None]) -> None:
    """Call ``train`` in each of the processes that are wanted: here where it is one, in new ones, or in those that
    torchrun or Slurm has started, this being one of them.

    ``train`` has to be picklable. Raises :class:`InputError` where ``train`` does, for settings that cannot be met, and
    for a process that is killed, which ends all.
    """
    devices = _devices_wanted()
    if devices is None or (devices == 1 and not _started_by_launcher()):
        return train(ALONE)
    fabric, errors = _fabric(devices), multiprocessing.get_context("spawn").SimpleQueue()
    before = dict(os.environ)
    try:
        fabric.launch(partial(_run, train, errors))
    except ProcessExitedException as death:
        if not errors.empty():
            raise InputError(errors.get()) from None
        how = f"was killed by {death.signal_name}" if death.signal_name else f"ended with code {death.exit_code}"
        raise InputError(
            f"training process {death.error_index} of {devices} (numbered from 0) {how}, and the others were stopped; "
            "run the same command again to resume after the last whole epoch, with any DIFFFAKE_DEVICES"
        ) from None
    finally:  # Fabric leaves the port that it chose, which would be taken again for another launch
        os.environ.clear()
        os.environ.update(before)


def _run(train: Callable[[Processes], None], errors: "SimpleQueue[str]", fabric: "Fabric") -> None:
    """What one process does."""
    parent = multiprocessing.parent_process()
    if parent is None:  # of torchrun or Slurm, which watch over it
        return train(Processes(fabric))
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    try:
        train(Processes(fabric))
    except InputError as error:
        errors.put(str(error))
        sys.exit(1)
    except RuntimeError:  # where it is that another process has gone, let its death be noticed before this one
        time.sleep(_NOTICED_AFTER_S)
        raise


def _end_with(parent: BaseProcess) -> None:
    """End this process at once when its parent has ended, whatever it is waiting for."""
    parent.join()
    os._exit(1)


def _devices_wanted() -> int | None:
    """``DIFFFAKE_DEVICES``, or what torchrun says; None where nobody does."""
    text = os.environ.get("DIFFFAKE_DEVICES") or os.environ.get("LOCAL_WORLD_SIZE")
    if not text:
        return None
    if not text.isdigit() or int(text) < 1:
        raise InputError(
            f"DIFFFAKE_DEVICES is '{text}', expected a whole number of at least 1; unset it to train on one device"
        )
    return int(text)


def _started_by_launcher() -> bool:
    """Whether torchrun, or Slurm's srun, has started this process as one of several: not a job's script itself."""
    in_step = "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1
    return in_step or torch.distributed.is_torchelastic_launched()


def _fabric(devices: int) -> "Fabric":
    """Fabric for so many processes on each machine; raises :class:`InputError` for what it can't have."""
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
        from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise InputError(
            f"DIFFFAKE_DEVICES is {devices}, which needs Lightning Fabric ({error}); run `python -m pip install -r "
            "requirements-cluster.txt`, or unset it to train on one device"
        ) from error
    environment: ClusterEnvironment = LightningEnvironment()
    machines = 1
    if _started_by_launcher():
        by_torchrun = torch.distributed.is_torchelastic_launched()
        environment = TorchElasticEnvironment() if by_torchrun else SLURMEnvironment()
        machines, left = divmod(environment.world_size(), devices)
        if left:
            raise InputError(
                f"DIFFFAKE_DEVICES is {devices}, but {'torchrun' if by_torchrun else 'Slurm'} started "
                f"{environment.world_size()} processes; set it to how many there are on each machine"
            )
    strategy = DDPStrategy(start_method="popen" if _started_by_launcher() else "spawn", forward_sync_buffers=False)
    return Fabric(
        accelerator=_accelerator(devices), devices=devices, num_nodes=machines, strategy=strategy, plugins=[environment]
    )


def _accelerator(devices: int) -> str:
    """``cuda`` or ``cpu``; a GPU isn't touched here, where nothing will be computed."""
    wanted = os.environ.get("DIFFFAKE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if wanted not in ("cuda", "cpu"):
        raise InputError(
            f"DIFFFAKE_DEVICE is '{wanted}', but DIFFFAKE_DEVICES is {devices}; set DIFFFAKE_DEVICE to cpu or cuda "
            "(CUDA_VISIBLE_DEVICES says which of several), or unset it"
        )
    if wanted == "cuda" and torch.cuda.device_count() < devices:
        raise InputError(
            f"DIFFFAKE_DEVICES is {devices}, but PyTorch finds {torch.cuda.device_count()} GPUs here; set it to at "
            "most that, or DIFFFAKE_DEVICE to cpu"
        )
    return wanted

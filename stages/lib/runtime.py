"""How the work is run: over all cores, on which device, under a progress bar.

``DIFFFAKE_WORKERS`` (default: all cores), ``DIFFFAKE_DEVICE`` (default: a GPU where there is one) and
``DIFFFAKE_SCHEDULER`` (default: this machine; :mod:`stages.lib.cluster`) are execution settings: they never change a
result of a CPU stage and are never params.
"""

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import joblib
from tqdm import tqdm

from stages.lib.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_SIGNS_OF_A_GPU = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's driver, AMD's, and either under WSL


def worker_count() -> int:
    """Processes to use: ``DIFFFAKE_WORKERS``, or every core. Raises :class:`InputError` if it is not a count."""
    text = os.environ.get("DIFFFAKE_WORKERS", "")
    if not text:
        return int(joblib.cpu_count())
    if not text.isdigit() or int(text) < 1:
        raise InputError(
            f"DIFFFAKE_WORKERS is '{text}', expected a whole number of at least 1; unset it to use every core"
        )
    return int(text)


def pick_device() -> str:
    """PyTorch's name of the device to compute on: ``DIFFFAKE_DEVICE`` (``cpu``, ``cuda:1``, …), or a GPU where there is
    one.

    Raises :class:`InputError` where ``DIFFFAKE_DEVICE`` names one that can't be used. PyTorch is imported only where it
    can matter: it takes seconds, which a stage that fits a mixture on the CPU has no need of.
    """
    wanted = os.environ.get("DIFFFAKE_DEVICE", "")
    might_have_a_gpu = "torch" in sys.modules or any(Path(sign).exists() for sign in _SIGNS_OF_A_GPU)
    if wanted == "cpu" or not (wanted or might_have_a_gpu):
        return "cpu"
    import torch

    device = wanted or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"DIFFFAKE_DEVICE is '{device}', which PyTorch cannot use here ({error}); unset it or set it to cpu"
        ) from error
    return device


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for what is allocated next, until the process ends; nothing elsewhere than there.

    By default it hands each large array back to the system, which then maps and zeroes the same hundreds of megabytes
    in every step of training: a third of the time (docs/results.md).
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_MMAP_THRESHOLD, 2**30)


def made_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``function(item)`` of each item in order, the next one being made in a thread while one is used.

    One at a time and in order, so that draws from a generator are those of a plain loop.
    """
    with ThreadPoolExecutor(1) as thread:
        coming: deque[Future[Result]] = deque()
        for item in items:
            coming.append(thread.submit(function, item))
            if len(coming) > 1:
                yield coming.popleft().result()
        if coming:
            yield coming.popleft().result()


def progress(items: Iterable[Item], description: str, total: int | None = None, unit: str = "it") -> Iterable[Item]:
    """Iterate under a progress bar on standard error."""
    bar: Iterable[Item] = tqdm(items, desc=description, total=total, unit=unit, dynamic_ncols=True, mininterval=0.5)
    return bar

"""How the work is run: workers, the device, and what is made ahead."""

import subprocess
import sys
import time

import numpy as np
import pytest

from stages.lib.errors import InputError
from stages.lib.runtime import made_ahead, pick_device, worker_count


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_what_is_made_ahead_comes_in_order(n):
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    found = list(made_ahead(lambda item: (item, rng.random()), range(n)))
    assert found == [(item, same.random()) for item in range(n)]


def test_while_one_is_used_the_next_is_being_made_and_no_more():
    made = []
    results = made_ahead(lambda item: made.append(item), range(5))
    next(results)
    while len(made) < 2:
        time.sleep(0.001)
    assert made == [0, 1]


def test_an_error_in_what_is_made_ahead_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(made_ahead(lambda item: 1 / item, [1, 0]))


@pytest.mark.parametrize("text", ["0", "-1", "two"])
def test_workers_that_are_no_count_are_named(monkeypatch, text):
    monkeypatch.setenv("DIFFFAKE_WORKERS", text)
    with pytest.raises(InputError, match=f"DIFFFAKE_WORKERS is '{text}', expected a whole number"):
        worker_count()


@pytest.mark.parametrize("text", ["abacus", "cuda:99"])
def test_a_device_that_cannot_be_used_is_named(monkeypatch, text):
    monkeypatch.setenv("DIFFFAKE_DEVICE", text)
    with pytest.raises(InputError, match=f"DIFFFAKE_DEVICE is '{text}', which PyTorch cannot use here"):
        pick_device()


def test_the_cpu_is_picked_without_importing_torch():
    code = "import sys; from stages.lib.runtime import pick_device; print(pick_device(), 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"DIFFFAKE_DEVICE": "cpu"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["cpu", "False"]

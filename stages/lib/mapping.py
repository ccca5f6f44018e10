"""Work that is done video by video: over this machine's processes, or over a Dask cluster (``DIFFFAKE_SCHEDULER``).

Processes die: a damaged file crashes the decoder, memory runs out, somebody stops a machine. What was under way is done
again, each video alone in a process of its own, so that none is charged with the death of another that was beside it. A
video whose own process dies ``TRIES`` times is given up as :class:`Crashed`, and the others go on.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import cloudpickle
from loky import get_reusable_executor
from loky.process_executor import TerminatedWorkerError

from stages.lib.cluster import Shared, connected
from stages.lib.errors import InputError
from stages.lib.files import atomic_path
from stages.lib.runtime import pick_device, progress, worker_count

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 3  # deaths of a video that was alone in its process before it is given up
_LOST = 10  # deaths of a worker that only watched over such a process: then it is the machine, not the video
_IDLE_S = 300  # a process waits so long for its next video
# The processes are the parallelism; more threads only contend for the same cores.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB_MAXIMUM")}
_CHILD = "import sys; from stages.lib.mapping import answer; answer(*sys.argv[1:])"


@dataclass(frozen=True)
class Crashed:
    """In the place of the result of an item whose own process died ``TRIES`` times. ``how``: the last time, in
    words.
    """

    how: str


class Engine(Protocol):
    """What runs calls at the same time."""

    @property
    def deaths(self) -> tuple[type[BaseException], ...]:
        """What the future of a call raises whose process died."""

    def slots(self) -> int:
        """How many calls run at once: at present, since a cluster may grow."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin a call in another process."""

    def gone(self) -> InputError:
        """The error to raise where calls are cancelled that nobody here cancelled."""

    def stop(self) -> None:
        """End what is under way, after an error."""


class _Processes:
    """Processes of this machine, kept for the next map."""

    deaths = (TerminatedWorkerError,)

    def __init__(self, n: int) -> None:
        self._n = n

    def slots(self) -> int:
        return self._n

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = self._pool().submit(function, *arguments)
        return future

    def gone(self) -> InputError:
        return InputError("the processes of this run were stopped from outside; the same command goes on from here")

    def stop(self) -> None:
        self._pool().shutdown(kill_workers=True)

    def _pool(self) -> Any:
        """Asked for each time: where a process has died, there are new ones."""
        return get_reusable_executor(max_workers=self._n, timeout=_IDLE_S, env=_ONE_THREAD)


def map_videos(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    unit: str = "video",
    uses_device: bool = False,
    shared: Shared | None = None,
) -> Iterator[tuple[Item, Result | Crashed]]:
    """Yield (item, ``function(item)``) as they are done, in any order, over all workers, under a progress bar.

    A long video doesn't hold up the others. At most two items for each worker have begun that are not yielded yet, so
    that few results are in memory however slowly they are used. An error in a worker stops the map and is raised here,
    with a note that names the item. With ``DIFFFAKE_WORKERS=1`` all is done in this process, which a crash ends.

    ``uses_device``: the function computes on :func:`stages.lib.runtime.pick_device`'s device: on a GPU by one process,
    and on a cluster by the workers that have one (``--resources GPU=1``), where there are some. ``shared``: the
    folders that every worker must see.
    """
    call = partial(_one_threaded, function)
    with (
        _engine(len(items), description, uses_device, shared or Shared()) as engine,
        closing(_run(engine, call, items)) as outcomes,
    ):
        for at, outcome in progress(outcomes, description, len(items), unit):
            yield items[at], outcome


def _engine(n_items: int, description: str, uses_device: bool, shared: Shared) -> AbstractContextManager[Engine | None]:
    """What is to run the calls; None for this very process."""
    where = os.environ.get("DIFFFAKE_SCHEDULER", "")
    if where:
        return connected(where, description, uses_device, shared)
    if os.environ.get("DIFFFAKE_WORKERS") == "1":
        return nullcontext(None)
    alone = uses_device and pick_device() != "cpu"
    return nullcontext(_Processes(1 if alone else min(worker_count(), max(n_items, 1))))


def _one_threaded(function: Callable[[Item], Result], item: Item) -> Result:
    import cv2

    cv2.setNumThreads(1)
    try:
        return function(item)
    except Exception as error:
        error.add_note(f"while processing {_name_of(item)}")
        raise


def _run(
    engine: Engine | None, call: Callable[[Item], Result], items: Sequence[Item]
) -> Generator[tuple[int, Result | Crashed]]:
    """(index, outcome) of each item as it is done."""
    if engine is None:
        yield from ((at, call(item)) for at, item in enumerate(items))
        return
    waiting, suspects = deque(range(len(items))), deque[int]()
    running: dict[Future[Any], int] = {}
    lost = Counter[int]()
    try:
        while waiting or suspects or running:
            while (suspects or waiting) and len(running) < 2 * engine.slots():
                at = suspects.popleft() if suspects else waiting.popleft()
                how = (_alone, call) if lost[at] else (call,)
                try:
                    running[engine.submit(*how, items[at])] = at
                except engine.deaths:  # of processes, this very moment
                    lost[at] += 1
                    suspects.append(at)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                at = running.pop(future)
                try:
                    outcome = future.result()
                except engine.deaths as error:
                    lost[at] += 1
                    suspects.append(at)
                    if lost[at] > _LOST:
                        raise InputError(
                            f"{_name_of(items[at])}: {_LOST} workers died that only watched over it ({error}); "
                            "look at their memory and their logs, then run the same command: it goes on from here"
                        ) from error
                except CancelledError:
                    raise engine.gone() from None
                else:
                    yield at, outcome
    except BaseException:
        for future in running:
            future.cancel()
        engine.stop()
        raise


def _name_of(item: object) -> str:
    """What an item is called: its ``video_id``, where it has one."""
    return str(getattr(item, "video_id", item))


def _alone(call: Callable[[Item], Result], item: Item) -> Result | Crashed:
    """``call(item)`` in a process of its own, which may die: then again, ``TRIES`` times in all."""
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        question, answered = Path(folder) / "call", Path(folder) / "answer"
        question.write_bytes(cloudpickle.dumps((call, item)))
        here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | _ONE_THREAD
        for _ in range(TRIES):
            command = [sys.executable, "-c", _CHILD, str(question), str(answered)]
            code = subprocess.run(command, env=here, stdin=subprocess.DEVNULL, check=False).returncode
            if answered.exists():
                result, error = pickle.loads(answered.read_bytes())
                if error:
                    raise error
                found: Result = result
                return found
    return Crashed(f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}")


def answer(question: str, answered: str) -> None:
    """Run the call of a file, and write (result, error) to another; for the process of :func:`_alone`."""
    result, error = None, None
    try:
        call, item = pickle.loads(Path(question).read_bytes())
        result = call(item)
    except Exception as raised:
        raised.add_note("".join(traceback.format_exception(raised)))
        error = raised
    with atomic_path(answered) as temporary:
        temporary.write_bytes(cloudpickle.dumps((result, error)))

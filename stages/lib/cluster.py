"""A Dask cluster that works in the place of this machine's processes: ``DIFFFAKE_SCHEDULER`` names it.

A worker that runs other code, has other packages, or sees other files would give other results, or record videos as
missing. So each is compared with this process before any work, and one that joins later before its first video.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import logging
import math
import os
import platform
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.runtime import worker_count

if TYPE_CHECKING:
    from distributed import Client

PATIENCE_S = 120  # for the scheduler to answer, and for workers to be there
_ASK_EVERY_S = 5  # how many workers there are
_ROOT = Path(__file__).parents[2]
_REQUIREMENTS = ("requirements.txt", "requirements-cluster.txt")
_INSTALL = "install it in the environment of the run and of every worker: pip install -r requirements-cluster.txt"


@dataclass(frozen=True)
class Shared:
    """The folders that all workers must see: those they read, and one that they write to."""

    reads: Sequence[Path] = ()
    writes: Path | None = None


@functools.cache
def _source() -> str:
    """Hash of the source that this process runs: taken once, so that a later change doesn't hide that it runs the old.

    Cached files and tests don't count.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((_ROOT / "stages").rglob("*.py")):
        digest.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def _packages() -> dict[str, str]:
    """{package: version} of Python and of all that the requirements name."""
    lines = [line for name in _REQUIREMENTS for line in (_ROOT / name).read_text(encoding="utf-8").splitlines()]
    found = {"python": platform.python_version()}
    for name in (match[1] for line in lines if (match := re.match(r"([\w.-]+)==", line))):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def _listing(folder: str) -> str | None:
    """Hash of the names in a folder; None where there is no such folder."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 (of 100,000 names, pathlib makes 100,000 objects)
    except OSError:
        return None
    return hashlib.blake2b("\0".join(names).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Site:
    """What a worker must have in common with the process that sends the work.

    ``token``: of the map that it is checked for; ``folder``: the working folder; ``listings``: {folder: hash of the
    names in it}; ``probe``: a file that was made for this map in the folder that workers write to, or "".
    """

    token: str
    folder: str
    source: str
    packages: Mapping[str, str]
    listings: Mapping[str, str | None]
    probe: str

    @staticmethod
    def here(token: str, shared: Shared, probe: str) -> "Site":
        """That of this process."""
        listings = {str(folder): _listing(str(folder)) for folder in shared.reads}
        return Site(token, str(Path.cwd()), _source(), _packages(), listings, probe)

    def difference(self) -> str | None:
        """What this process hasn't in common with the site, with the remedy; None where it has all. Enters its
        folder.
        """
        same_files = "give it the same file system at the same place"
        try:
            os.chdir(self.folder)
        except OSError:
            return f"there is no folder {self.folder} there; {same_files}"
        if _source() != self.source:
            return "it runs other source (stages/); update it there and start the worker again"
        own = _packages()
        others = [
            f"{name} {own.get(name, 'missing')} (here {version})"
            for name, version in self.packages.items()
            if own.get(name) != version
        ]
        if others:
            return f"it has {', '.join(others)}; install the same there and start the worker again"
        for folder, listing in self.listings.items():
            found = _listing(folder)
            if found != listing:
                return f"it sees {'no' if found is None else 'another'} folder {folder}; {same_files}"
        if self.probe and not Path(self.probe).is_file():
            return f"it doesn't see what is written to {Path(self.probe).parent} here; {same_files}"
        return None


_belonging: set[str] = set()  # tokens of the maps that this process, a worker's, was found fit for


def _on_worker(site: Site, function: Callable[..., Any], *arguments: Any) -> Any:
    if site.token not in _belonging:
        difference = site.difference()
        if difference:
            raise InputError(f"the Dask worker on {platform.node()} (process {os.getpid()}): {difference}")
        _belonging.add(site.token)
    return function(*arguments)


class _Cluster:
    """A Dask cluster as the engine of :func:`stages.lib.mapping.map_videos`."""

    def __init__(self, client: "Client", name: str, site: Site, on_gpus: bool) -> None:
        from distributed import KilledWorker

        self.deaths = (KilledWorker,)
        self._client, self._name, self._site, self._on_gpus = client, name, site, on_gpus
        self._executor = client.get_executor(pure=False, **({"resources": {"GPU": 1}} if on_gpus else {}))
        self._address = client.scheduler.address
        self._slots, self._asked_at = 0, -math.inf

    def slots(self) -> int:
        if time.monotonic() > self._asked_at + _ASK_EVERY_S:
            self._slots, self._asked_at = max(sum(_slots(self._client, self._on_gpus).values()), 1), time.monotonic()
        return self._slots

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        key = f"{self._name}-{uuid.uuid4().hex}"  # the dashboard groups by what stands before the hash
        future: Future[Any] = self._executor.submit(_on_worker, self._site, function, *arguments, key=key)
        return future

    def gone(self) -> InputError:
        return InputError(
            f"DIFFFAKE_SCHEDULER: the Dask scheduler at {self._address} is gone, or the work was cancelled there; "
            "start it and its workers again and run the same command: it goes on from here"
        )

    def stop(self) -> None:
        self._executor.shutdown(wait=False)


def _slots(client: "Client", of_gpus: bool) -> dict[str, int]:
    """{address: how many calls a worker runs at once}; ``of_gpus``: of the workers that have GPUs, by their GPUs."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if of_gpus:
        return {one: int(found["resources"]["GPU"]) for one, found in workers.items() if "GPU" in found["resources"]}
    return {one: found["nthreads"] for one, found in workers.items()}


@contextlib.contextmanager
def connected(where: str, name: str, uses_device: bool, shared: Shared) -> Iterator[_Cluster]:
    """The cluster that ``DIFFFAKE_SCHEDULER`` names, every worker of which was found fit.

    ``where``: an address (``tcp://…``, ``tls://…``), a scheduler file, or ``local:N``, N processes of this machine.
    ``DIFFFAKE_WORKERS`` workers, or one, have to be there within ``PATIENCE_S`` seconds. Raises :class:`InputError`
    where they aren't, where no scheduler answers, and for a worker that is unfit.
    """
    with contextlib.ExitStack() as stack:
        client, n_workers = _client(where, stack)
        try:
            client.wait_for_workers(n_workers, timeout=PATIENCE_S)
        except TimeoutError:
            there = len(_slots(client, of_gpus=False))
            raise InputError(
                f"DIFFFAKE_SCHEDULER: {there} Dask workers are there after {PATIENCE_S} s, and {n_workers} are "
                "wanted; start more, or lower DIFFFAKE_WORKERS"
            ) from None
        token, probe = uuid.uuid4().hex, ""
        if shared.writes:
            probe = str(stack.enter_context(_probe(shared.writes, token)))
        site = Site.here(token, shared, probe)
        _require_fit(client, site)
        print(f"{name}: on {len(_slots(client, of_gpus=False))} Dask workers, watched at {client.dashboard_link}")
        yield _Cluster(client, name, site, uses_device and bool(_slots(client, of_gpus=True)))


def _client(where: str, stack: contextlib.ExitStack) -> tuple["Client", int]:
    """A client of the scheduler that is named, and how many workers it is to wait for."""
    try:
        import distributed
    except ImportError as error:
        raise InputError(f"DIFFFAKE_SCHEDULER is set, but {error.name} isn't installed; {_INSTALL}") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what dies is told here, in words
    kind, _, count = where.partition(":")
    if kind == "local" and count.isdigit() and int(count):
        local = distributed.LocalCluster(
            n_workers=int(count), threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        )
        return stack.enter_context(distributed.Client(stack.enter_context(local))), int(count)
    if "://" not in where and not Path(where).is_file():
        raise InputError(
            f"DIFFFAKE_SCHEDULER is '{where}', expected an address such as tcp://host:8786, a scheduler's file that "
            "exists, or local:N; unset it to work on this machine"
        )
    named = {"address": where} if "://" in where else {"scheduler_file": where}
    try:
        client = stack.enter_context(distributed.Client(**named, timeout=PATIENCE_S))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"DIFFFAKE_SCHEDULER is '{where}', and no Dask scheduler answers there ({error}); start one with "
            "`dask scheduler`, or unset it to work on this machine"
        ) from error
    return client, worker_count() if os.environ.get("DIFFFAKE_WORKERS") else 1


@contextlib.contextmanager
def _probe(folder: Path, token: str) -> Iterator[Path]:
    """A file in a folder, while workers are to see it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / f".{token}.partial"
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _require_fit(client: "Client", site: Site) -> None:
    """Raise :class:`InputError` for the first worker that isn't as this process is, by name."""
    for address, found in sorted(client.run(site.difference, on_error="return").items()):
        if isinstance(found, Exception):
            found = (
                f"it can't run this project ({type(found).__name__}: {found}); start it in the repository's folder, in "
                "its environment: python -m dask worker …"
            )
        if found:
            raise InputError(f"DIFFFAKE_SCHEDULER: the Dask worker {address}: {found}")

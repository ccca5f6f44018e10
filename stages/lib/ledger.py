"""What a stage has finished, video by video, so that a killed or repeated run redoes only what it must."""

import ast
import functools
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from stages.lib.errors import InputError
from stages.lib.files import keep_only
from stages.lib.fingerprint import fingerprint
from stages.lib.mapping import TRIES, Crashed
from stages.lib.records import Video
from stages.lib.tables import write_tables

# Modules that cannot change what an artifact contains: messages, atomic writes, types of params, workers and progress.
INFRASTRUCTURE = frozenset(
    {f"stages/{name}.py" for name in ("cli", "params")}
    | {f"stages/lib/{name}.py" for name in ("cluster", "errors", "files", "ledger", "mapping", "runtime", "settings")}
)
_ROOT = Path(__file__).parents[2]

_CRASHED = " crashed"  # at the end of the key of a video that was given up

AVideo = TypeVar("AVideo", bound=Video)
# Gets the videos to do and yields (video, its rows) in any order.
Compute = Callable[[list[AVideo]], Iterable[tuple[AVideo, pa.Table | Crashed]]]


def is_infrastructure(path: str) -> bool:
    """Whether a module cannot change what an artifact contains; settings are part of a recipe by their values."""
    return path in INFRASTRUCTURE or Path(path).name in ("__init__.py", "settings.py")


@functools.cache
def imported_modules(path: str) -> set[str]:
    """The project's own modules that a module imports, anywhere in it, as paths below the repository."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((_ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise ValueError(f"{path}: a relative import; write `from stages.…`, which a ledger can follow")
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` imports a module, `from module import name` something that is in it.
            names |= {name for alias in node.names if _file_of(name := f"{node.module}.{alias.name}")} or {node.module}
    return {found for name in names if name.split(".")[0] == "stages" and (found := _file_of(name))}


def _file_of(module: str) -> str | None:
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if (_ROOT / file).is_file()), None)


def source_files(stage: str) -> set[str]:
    """The project's modules that decide what a stage writes: itself and all that it imports, but infrastructure."""
    found: set[str] = set()
    queue = [stage]
    while queue:
        path = queue.pop()
        if path not in found and not is_infrastructure(path):
            found.add(path)
            queue += imported_modules(path)
    return found


def recipe(stage: str, *settings: object) -> str:
    """Hash of all but the video that decides what a stage makes of it: its settings, and the source of
    ``source_files``.

    ``stage``: its path below the repository, such as ``stages/crop_faces.py``.
    """
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    for path in sorted(source_files(stage)):
        digest.update((_ROOT / path).read_bytes())
    return digest.hexdigest()


class Ledger:
    """The rows that a stage made of each video, in an SQLite file, which survives ``kill -9``; deleting it costs time
    alone.

    It is not part of the stage's outputs: DVC doesn't know it. A video's entry holds only as long as the ``recipe``,
    what the video was made from, and the file that was written of it are the same. That of a video which was given up
    (:class:`stages.lib.mapping.Crashed`) holds as well, unless ``DIFFFAKE_RETRY`` is ``crashed``.
    """

    def __init__(self, path: Path, recipe: str, unit: str = "videos") -> None:
        """``unit``: what its entries are, for the message of what is done already."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._recipe, self._unit = recipe, unit
        try:
            self._database = self._open(path)
        except sqlite3.DatabaseError:
            path.unlink()
            self._database = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path)
        database.execute("PRAGMA synchronous = OFF")  # a power failure may cost the file; a killed process doesn't
        database.execute(
            "CREATE TABLE IF NOT EXISTS finished (video_id TEXT PRIMARY KEY, key TEXT, output TEXT, rows BLOB)"
        )
        return database

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def resume(
        self,
        videos: Sequence[AVideo],
        compute: Compute[AVideo],
        output: Callable[[str], Path] | None = None,
        crashed: Callable[[AVideo], pa.Table] | None = None,
    ) -> Iterator[pa.Table]:
        """Yield the rows of every video in the order of ``videos``, computing only those that aren't in the ledger.

        ``output``: the file of a video_id that ``compute`` writes, if there is anything to write. ``crashed``: the rows
        of a video that was given up; without it one is an :class:`InputError`.
        """
        keys = {video.video_id: f"{self._recipe} {video.made_from}" for video in videos}
        retry = _retries_crashed()
        done = set()
        for video_id, key, written in self._database.execute("SELECT video_id, key, output FROM finished").fetchall():
            given_up = key.endswith(_CRASHED)
            if keys.get(video_id) != key.removesuffix(_CRASHED) or (given_up and retry):
                self._database.execute("DELETE FROM finished WHERE video_id = ?", (video_id,))
            elif written == self._written(video_id, output):
                done.add(video_id)
        self._database.commit()
        if done:
            print(f"{len(done)} of {len(videos)} {self._unit} are done already", flush=True)
        for video, made in compute([video for video in videos if video.video_id not in done]):
            key, rows = keys[video.video_id], made
            if isinstance(rows, Crashed):
                key, rows = key + _CRASHED, _given_up(video, rows, crashed)
            entry = (video.video_id, key, self._written(video.video_id, output), _to_bytes(rows))
            self._database.execute("INSERT OR REPLACE INTO finished VALUES (?, ?, ?, ?)", entry)
            self._database.commit()
        for video_id in keys:
            (blob,) = self._database.execute("SELECT rows FROM finished WHERE video_id = ?", (video_id,)).fetchone()
            yield pa.ipc.open_stream(blob).read_all()

    @staticmethod
    def _written(video_id: str, output: Callable[[str], Path] | None) -> str:
        return fingerprint(output(video_id)) if output else ""


def update_folder(
    table: Path,
    schema: pa.Schema,
    videos: Sequence[AVideo],
    compute: Compute[AVideo],
    crashed: Callable[[AVideo], pa.Table],
    file_of: Callable[[str], Path],
    has_file: Callable[[pa.Table], bool],
    ledger: Path,
    recipe: str,
    unit: str = "videos",
) -> None:
    """Bring an artifact folder up to date: a file for each video that gives one, and a table of all.

    ``table``: in the folder; it is absent while the folder is being changed, so that one is not taken for a whole one.
    ``compute``, ``crashed``, ``file_of``: as in :meth:`Ledger.resume`; a file whose video gave rows without one
    (``has_file``), or is no longer among ``videos``, is removed.
    """
    table.unlink(missing_ok=True)
    kept = {table}
    with Ledger(ledger, recipe, unit) as known:

        def rows() -> Iterator[pa.Table]:
            for video, made in zip(videos, known.resume(videos, compute, file_of, crashed), strict=True):
                if has_file(made):
                    kept.add(file_of(video.video_id))
                yield made

        write_tables(table, rows(), schema)
    keep_only(table.parent, kept)


def _retries_crashed() -> bool:
    """Whether videos that were given up are to be tried again."""
    text = os.environ.get("DIFFFAKE_RETRY", "")
    if text not in ("", "crashed"):
        raise InputError(f"DIFFFAKE_RETRY is '{text}', expected crashed; unset it to leave alone what was given up")
    return bool(text)


def _given_up(video: AVideo, crash: Crashed, crashed: Callable[[AVideo], pa.Table] | None) -> pa.Table:
    """The rows of a video that was given up."""
    what = f"the process that works on it died {TRIES} times ({crash.how})"
    if crashed is None:
        raise InputError(f"{video.video_id}: {what}; is there memory enough?")
    print(f"{video.video_id}: given up, {what}; recorded as crashed", flush=True)
    return crashed(video)


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written

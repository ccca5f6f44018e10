"""Atomic writes: an output has its final name only once it is whole."""

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def _temporary_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename what the body wrote there when it ends without an error.

    The body may create a file or a folder. On an error it is removed and ``path`` stays as it was. What a killed
    run left behind (``.NAME.*.partial``) is removed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{path.name}.*.partial"):
        _discard(stale)
    temporary = _temporary_name(path)
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException:
        _discard(temporary)
        raise


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Like :func:`atomic_path`, with the temporary folder already made."""
    with atomic_path(path) as temporary:
        temporary.mkdir()
        yield temporary


def frames_file(folder: Path, video_id: str) -> Path:
    """The file of a video's kept frames in ``data/frames/<dataset>``."""
    return folder / f"{video_id}.parquet"


def faces_file(folder: Path, video_id: str) -> Path:
    """The array of a video's face crops in ``data/faces/<dataset>``."""
    return folder / f"{video_id}.npy"


def bank_file(folder: Path, source: str) -> Path:
    """The array of a source's pseudo-fakes in ``data/fakes``."""
    return folder / f"{source}.npy"


def sources_file(folder: Path, source: str) -> Path:
    """The array of what was pasted into a source's pseudo-fakes, in ``data/fakes``, where it is kept."""
    return folder / "sources" / f"{source}.npy"


def keep_only(folder: Path, kept: set[Path]) -> None:
    """Remove every file below ``folder`` that is not in ``kept``, and the folders that this leaves empty."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept:
            path.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array as ``.npy`` atomically, with the folders it needs."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)


def json_text(content: object) -> str:
    """JSON, keys sorted, so that equal content is equal text; NaN is refused."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | Path, content: object) -> None:
    """Write :func:`json_text` atomically."""
    write_text(path, json_text(content))

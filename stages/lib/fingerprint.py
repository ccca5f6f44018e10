"""Noticing that a file has changed: by all of it, or, of a video, without reading all of it."""

import hashlib
import os
from pathlib import Path

_BLOCK = 1 << 16
MISSING = "missing"


def fingerprint(path: Path) -> str:
    """Hash of a file's size and of its first, middle and last 64 KiB: notices a changed video without reading all of
    it.

    Of a folder of frames, hash of their names and sizes, and of the first, middle and last frame. What is not there
    has the fingerprint ``missing``.
    """
    if path.is_dir():
        frames = sorted(one for one in path.iterdir() if one.is_file())
        parts = [f"{one.name}\0{one.stat().st_size}" for one in frames]
        parts += [fingerprint(frames[at]) for at in sorted({0, len(frames) // 2, len(frames) - 1}) if frames]
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    if not path.is_file():
        return MISSING
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as stream:
        for start in (0, max(size // 2 - _BLOCK // 2, 0), max(size - _BLOCK, 0)):
            stream.seek(start)
            digest.update(stream.read(_BLOCK))
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """A file's SHA-256, as ``sha256sum`` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def state(path: Path) -> str:
    """Size and modification time of a file, as text: a file in the same state isn't read again to fingerprint it.

    Of a folder of frames, how many files it has, their size together, and the latest modification time.
    """
    try:
        if not path.is_dir():
            stat = path.stat()
            return f"{stat.st_size}:{stat.st_mtime_ns}"
        stats = [one.stat() for one in os.scandir(path)]
    except OSError:
        return MISSING
    latest = max((stat.st_mtime_ns for stat in stats), default=0)
    return f"{len(stats)} files:{sum(stat.st_size for stat in stats)}:{latest}"

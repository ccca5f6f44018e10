"""What layouts share: rows, lists of videos, and errors that name the file and the remedy."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.lib.datasets.families import family_of
from stages.lib.errors import InputError
from stages.lib.records import FAKE

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")


class LayoutMismatch(Exception):
    """The folder is not laid out as expected; the message is what was looked for."""


def video_row(
    path: str,
    label: str,
    split: str,
    method: str = "",
    identity: str = "",
    original: str = "",
    family: str = "",
    group: str = "",
) -> dict[str, str]:
    """One index row without its fingerprint; the video_id is the POSIX path below the root.

    ``original``: the path of the real video that a fake was made from, whether or not that has a row. ``family``: of
    a fake, by default that of its method. ``group``: what false alarms are counted by.
    """
    return {
        "video_id": path,
        "path": path,
        "label": label,
        "method": method,
        "split": split,
        "identity": identity,
        "original": original,
        "family": (family or family_of(method)) if label == FAKE else "",
        "group": group,
    }


def need(root: Path, *paths: str) -> None:
    """Raise :class:`LayoutMismatch` unless each of ``paths`` is below ``root``."""
    if not all((root / path).exists() for path in paths):
        raise LayoutMismatch(", ".join(paths))


def videos_in(root: Path, folder: str) -> list[str]:
    """The videos of a folder as sorted POSIX paths below ``root``, none where there is no such folder.

    A video is a file of a known suffix. Other files (checksums, previews) are not.
    """
    if not (root / folder).is_dir():
        return []
    names = (path.name for path in (root / folder).iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    return sorted(f"{folder}/{name}" for name in names if not name.startswith("."))


def read_json(path: Path, kind: type[Any], of: type[Any]) -> Any:
    """A JSON file whose top level is a list or dict (``kind``) of lists or dicts (``of``). Raises
    :class:`InputError`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error}); download it again") from error
    values = content.values() if isinstance(content, dict) else content
    if not isinstance(content, kind) or not all(isinstance(value, of) for value in values):
        raise InputError(f"{path}: not a JSON {kind.__name__} of {of.__name__}s; download it again")
    return content


def read_lines(path: Path) -> list[tuple[str, list[str]]]:
    """The lines of a text list as ("FILE, line N", words), without empty ones. Raises :class:`InputError`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable text file ({error}); download it again") from error
    return [(f"{path}, line {number}", line.split()) for number, line in enumerate(lines, start=1) if line.strip()]


def read_csv(path: Path, *columns: str) -> list[tuple[str, dict[str, str]]]:
    """The rows of a CSV file as ("FILE, line N", {column: value}), without spaces around the values; one that a row
    lacks is empty. Raises :class:`InputError` for a file that isn't readable or has not all of ``columns``.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restkey="more than there are columns", restval="")
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); download it again") from error
    found = reader.fieldnames or []
    if missing := [column for column in columns if column not in found]:
        raise InputError(
            f"{path}: column '{missing[0]}' is missing, found {', '.join(found) or 'nothing'}; download it again"
        )
    return [(f"{path}, line {number}", {column: row[column].strip() for column in found}) for number, row in lines]


def refuse_strays(root: Path, found: Iterable[str], listed: Iterable[str], lists: str) -> None:
    """Raise :class:`InputError` where videos lie in a folder of the dataset that its lists don't name."""
    if strays := sorted(set(found) - set(listed)):
        raise InputError(
            f"{root}: {len(strays)} videos are in none of the dataset's lists ({lists}), the first is {strays[0]}; "
            "their split is unknown: correct their names, or move them elsewhere"
        )

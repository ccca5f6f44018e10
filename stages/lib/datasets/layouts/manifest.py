"""The `manifest` layout, for anybody's own videos: a folder with a `manifest.csv`."""

import csv
from pathlib import Path, PurePosixPath

from stages.lib.datasets.layouts.tree import LayoutMismatch, video_row
from stages.lib.errors import InputError
from stages.lib.records import FAKE, FAMILIES, LABELS, REAL, SPLITS

MANIFEST = "manifest.csv"
_REQUIRED = ("path", "label")
_OPTIONAL = ("split", "method", "identity", "original", "family", "group")


def _choice(value: str, allowed: tuple[str, ...], column: str, where: str) -> str:
    if value not in allowed:
        raise InputError(f"{where}: {column} is '{value}', expected one of {', '.join(allowed)}; correct the row")
    return value


def _video_id(text: str, where: str, column: str = "path") -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text:
        raise InputError(
            f"{where}: {column} is '{text}', expected a POSIX path relative to the dataset's folder and inside it; "
            "correct the row"
        )
    return path.as_posix()


def _read_manifest(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise LayoutMismatch(f"{MANIFEST} with the columns path,label (optional: {', '.join(_OPTIONAL)})")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = reader.fieldnames or []
            rows = list(reader)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); correct it") from error
    if missing := [column for column in _REQUIRED if column not in columns]:
        raise InputError(f"{path}: column '{missing[0]}' is missing, found {', '.join(columns) or 'nothing'}; add it")
    if unknown := [column for column in columns if column not in _REQUIRED + _OPTIONAL]:
        raise InputError(
            f"{path}: unknown column '{unknown[0]}', expected some of {', '.join(_REQUIRED + _OPTIONAL)}; rename or "
            "remove it"
        )
    if not rows:
        raise InputError(f"{path}: lists no video; add one row per video")
    return rows


def index_manifest(root: Path) -> list[dict[str, str]]:
    """Index rows of a folder with a ``manifest.csv``: ``path,label``, and the optional columns.

    A row without a split belongs to ``test``; a fake without a method has the method ``fake``, a real none. A fake's
    ``original`` is the path of a real of the same manifest; without a ``family`` it has that of its method.
    Rows are sorted by video_id, which is the path as listed. Raises :class:`LayoutMismatch`, and
    :class:`InputError` naming the line.
    """
    manifest = root / MANIFEST
    rows: list[dict[str, str]] = []
    line_of: dict[str, int] = {}
    for line, row in enumerate(_read_manifest(manifest), start=2):
        where = f"{manifest}, row {line}"
        if None in row or None in row.values():
            raise InputError(
                f"{where}: has more or fewer values than there are columns; quote values that contain a comma"
            )
        label = _choice(row["label"].strip(), LABELS, "label", where)
        video_id = _video_id(row["path"], where)
        if video_id in line_of:
            raise InputError(
                f"{where}: duplicate video_id '{video_id}', first listed in row {line_of[video_id]}; list each video "
                "once"
            )
        line_of[video_id] = line
        method = (row.get("method") or "").strip() or ("fake" if label == FAKE else "")
        if method == "all":
            raise InputError(
                f"{where}: method 'all' is the name of the total in the metrics; give the method another name"
            )
        split = _choice((row.get("split") or "").strip() or "test", SPLITS, "split", where)
        original, family = _of_a_fake(row, label, where)
        identity, group = ((row.get(column) or "").strip() for column in ("identity", "group"))
        rows.append(video_row(video_id, label, split, method, identity, original, family, group))
    _check_originals(rows, line_of, manifest)
    return sorted(rows, key=lambda row: row["video_id"])


def _of_a_fake(row: dict[str, str], label: str, where: str) -> tuple[str, str]:
    """(original, family) of a row, empty where they are not given."""
    original, family = (row.get("original") or "").strip(), (row.get("family") or "").strip()
    for column, value in (("original", original), ("family", family)):
        if value and label == REAL:
            raise InputError(f"{where}: {column} is '{value}', but only fakes have one; clear it, or correct the label")
    if family:
        _choice(family, FAMILIES, "family", where)
    return _video_id(original, where, "original") if original else "", family


def _check_originals(rows: list[dict[str, str]], line_of: dict[str, int], manifest: Path) -> None:
    label_of = {row["video_id"]: row["label"] for row in rows}
    for row in rows:
        if row["original"] and label_of.get(row["original"]) != REAL:
            found = "a fake" if row["original"] in label_of else "in no row"
            raise InputError(
                f"{manifest}, row {line_of[row['video_id']]}: original is '{row['original']}', which is {found}; name "
                "the path of a real video of this manifest, or leave it empty"
            )

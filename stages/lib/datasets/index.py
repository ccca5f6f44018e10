"""From a dataset's folder to index rows: fingerprints, and what of the dataset is there."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from stages.lib.datasets.layouts.registry import LAYOUTS
from stages.lib.datasets.layouts.tree import LayoutMismatch
from stages.lib.datasets.paper_splits import completeness
from stages.lib.errors import InputError
from stages.lib.fingerprint import MISSING, fingerprint, state
from stages.lib.records import REAL
from stages.lib.runtime import progress

_THREADS = 16  # fingerprinting waits for the disk, not for a core


def index_dataset(layout: str, root: Path, quality: str | None = None) -> list[dict[str, str]]:
    """Index rows of ``root`` under a named layout, without fingerprints, sorted by video_id.

    Raises :class:`InputError` for a missing root, an unknown layout, a folder that is laid out otherwise, and whatever
    the layout finds wrong.
    """
    if layout not in LAYOUTS:
        raise InputError(
            f"layout is '{layout}', expected one of {', '.join(LAYOUTS)}; correct it under `datasets` in params.yaml"
        )
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; correct `root` under `datasets` in params.yaml")
    known = LAYOUTS[layout]
    try:
        rows = known.index(root, quality) if known.has_qualities else known.index(root)
    except LayoutMismatch as mismatch:
        found = sorted(path.name for path in root.iterdir())
        raise InputError(
            f"{root}: not laid out as {known.description}: looked for {mismatch}; found {_some(found) or 'nothing'}; "
            "known layouts: "
            + ", ".join(f"{name} ({one.description})" for name, one in LAYOUTS.items())
            + "; correct `layout` or `root` under `datasets` in params.yaml"
        ) from mismatch
    if not rows:
        raise InputError(f"{root}: the lists of {known.description} name no video; download them again")
    twice = [video_id for video_id, times in Counter(row["video_id"] for row in rows).items() if times > 1]
    if twice:
        raise InputError(
            f"{root}: {len(twice)} videos are listed more than once, the first is {twice[0]}; correct the lists"
        )
    return sorted(rows, key=lambda row: row["video_id"])


def forget_absent_originals(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows, with an empty ``original`` where the real video that it names is none of them."""
    reals = {row["video_id"] for row in rows if row["label"] == REAL}
    return [row if row["original"] in reals else row | {"original": ""} for row in rows]


def add_fingerprints(
    rows: list[dict[str, str]], root: Path, known: pd.DataFrame
) -> tuple[list[dict[str, str]], pd.DataFrame]:
    """The rows with the fingerprint of each file, and the ``FILE_STATES`` table for the next time.

    ``known``: that table of the last time; a file in the same state (size and modification time) isn't read again. A
    file that is not there has the fingerprint ``missing``; extraction rejects and counts it.
    """
    before = dict(zip(known["path"], zip(known["state"], known["fingerprint"], strict=True), strict=True))

    def examine(row: dict[str, str]) -> tuple[str, str]:
        path = root / row["path"]
        now = state(path)
        then, known_fingerprint = before.get(row["path"], (None, ""))
        return now, known_fingerprint if now == then else fingerprint(path)

    with ThreadPoolExecutor(_THREADS) as pool:
        examined = list(progress(pool.map(examine, rows), "index_videos", len(rows), "video"))
    states = pd.DataFrame(
        {
            "path": [row["path"] for row in rows],
            "state": [now for now, _ in examined],
            "fingerprint": [found for _, found in examined],
        }
    )
    return [row | {"fingerprint": found} for row, (_, found) in zip(rows, examined, strict=True)], states


def refuse_files(rows: list[dict[str, str]], root: Path) -> None:
    """Raise :class:`InputError` where a video is a file: in a dataset of face pictures each is a folder of them."""
    files = [row["path"] for row in rows if (root / row["path"]).is_file()]
    if files:
        raise InputError(
            f"{root}: `input` is faces, so each video should be a folder of face pictures, but {len(files)} of "
            f"{len(rows)} are files: {_some(files)}; set `input: video` under `datasets` in params.yaml"
        )


def index_summary(layout: str, rows: list[dict[str, str]]) -> str:
    """What an index holds, for people: videos by split and method, how many fakes have their original, what is missing,
    and whether the test split is complete.

    Raises :class:`InputError` where the test split of a dataset of the paper has more videos than its table 1 (then
    the lists are not the authors').
    """
    table = pd.DataFrame(rows)
    table["kind"] = table["method"].where(table["method"] != "", table["label"])
    there = table[table["fingerprint"] != MISSING]
    counts = table.groupby(["split", "kind"]).size().to_frame("videos").join(
        there.groupby(["split", "kind"]).size().rename("there")
    )  # fmt: skip
    lines = [counts.fillna(0).astype(int).to_string()]
    missing = sorted(table["path"][table["fingerprint"] == MISSING])
    if fakes := table[table["label"] != REAL]["original"].ne("").tolist():
        lines.append(f"{sum(fakes)} of {len(fakes)} fakes have the video here that they were made from")
    if missing:
        lines.append(f"{len(missing)} of {len(table)} videos are missing: {_some(missing)}")
    test = there[there["split"] == "test"]["label"]
    try:
        compared = completeness(layout, (test == REAL).sum(), (test != REAL).sum())
    except ValueError as error:
        raise InputError(
            f"{LAYOUTS[layout].description}: the test split has {error}; the lists are not the authors', download them "
            "again"
        ) from error
    if compared:
        lines.append(f"Beside the paper's table 1 the test split is {compared}")
    return "\n".join(lines)


def _some(names: list[str], n: int = 5) -> str:
    return ", ".join(names[:n]) + (f", … ({len(names)} in all)" if len(names) > n else "")

"""From a dataset's folder to index rows: the layouts by name, fingerprints, and what of the dataset is there."""

import inspect
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stages.lib.errors import InputError
from stages.lib.fingerprint import MISSING, fingerprint, state
from stages.lib.layouts.celebdf import index_celebdf
from stages.lib.layouts.deeperforensics import index_deeperforensics
from stages.lib.layouts.df40 import index_df40_cdf, index_df40_ff
from stages.lib.layouts.dfdc import index_dfdc, index_dfdc_preview
from stages.lib.layouts.ffiw import index_ffiw
from stages.lib.layouts.ffpp import index_faceshifter, index_ffpp
from stages.lib.layouts.forgerynet import index_forgerynet
from stages.lib.layouts.manifest import index_manifest
from stages.lib.layouts.tree import LayoutMismatch
from stages.lib.paper import completeness
from stages.lib.runtime import progress
from stages.lib.tables import REAL

_THREADS = 16  # fingerprinting waits for the disk, not for a core


@dataclass(frozen=True)
class Layout:
    """A dataset's layout: what it is called, and its function of the root (and, where it takes one, of a ``quality``)."""

    name: str
    index: Callable[..., list[dict[str, str]]]

    @property
    def has_qualities(self) -> bool:
        return "quality" in inspect.signature(self.index).parameters


LAYOUTS: dict[str, Layout] = {
    "manifest": Layout("a folder with manifest.csv", index_manifest),
    "ffpp": Layout("FaceForensics++", index_ffpp),
    "faceshifter": Layout("FaceShifter (in FaceForensics++)", index_faceshifter),
    "celebdf": Layout("Celeb-DF (v2)", index_celebdf),
    "deeperforensics": Layout("DeeperForensics-1.0", index_deeperforensics),
    "forgerynet": Layout("ForgeryNet", index_forgerynet),
    "dfdc": Layout("DFDC", index_dfdc),
    "dfdc_preview": Layout("DFDC-Preview", index_dfdc_preview),
    "ffiw": Layout("FFIW-10K", index_ffiw),
    "df40_ff": Layout("DF40, made of FaceForensics++", index_df40_ff),
    "df40_cdf": Layout("DF40, made of Celeb-DF (v2)", index_df40_cdf),
}


def index_dataset(layout: str, root: Path, quality: str | None = None) -> list[dict[str, str]]:
    """Index rows of ``root`` under a named layout, without fingerprints, sorted by video_id.

    Raises :class:`InputError` for a missing root, an unknown layout, a folder that is laid out otherwise, and whatever the
    layout finds wrong.
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
            f"{root}: not laid out as {known.name}: looked for {mismatch}; found {_some(found) or 'nothing'}; known layouts: "
            + ", ".join(f"{name} ({one.name})" for name, one in LAYOUTS.items())
            + "; correct `layout` or `root` under `datasets` in params.yaml"
        ) from mismatch
    if not rows:
        raise InputError(f"{root}: the lists of {known.name} name no video; download them again")
    twice = [video_id for video_id, times in Counter(row["video_id"] for row in rows).items() if times > 1]
    if twice:
        raise InputError(
            f"{root}: {len(twice)} videos are listed more than once, the first is {twice[0]}; correct the lists"
        )
    return sorted(rows, key=lambda row: row["video_id"])


def add_fingerprints(rows: list[dict[str, str]], root: Path, seen: pd.DataFrame) -> tuple[list[dict], pd.DataFrame]:
    """The rows with the fingerprint of each file, and the table of what was seen for the next time.

    ``seen``: path, state (size and modification time), fingerprint; a file in the same state isn't read again. A file that is not
    there has the fingerprint ``missing``; extraction rejects and counts it.
    """
    before = dict(zip(seen["path"], zip(seen["state"], seen["fingerprint"], strict=True), strict=True))

    def look(row: dict[str, str]) -> tuple[str, str]:
        path = root / row["path"]
        now = state(path)
        then, known = before.get(row["path"], (None, None))
        return now, known if now == then else fingerprint(path)

    with ThreadPoolExecutor(_THREADS) as pool:
        looks = list(progress(pool.map(look, rows), "index_videos", len(rows), "video"))
    seen = pd.DataFrame(
        {
            "path": [row["path"] for row in rows],
            "state": [now for now, _ in looks],
            "fingerprint": [found for _, found in looks],
        }
    )
    return [row | {"fingerprint": found} for row, (_, found) in zip(rows, looks, strict=True)], seen


def describe(layout: str, rows: list[dict[str, str]]) -> str:
    """What an index holds, for people: videos by split and method, those missing, and whether the test split is complete.

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
    if missing:
        lines.append(f"{len(missing)} of {len(table)} videos are missing: {_some(missing)}")
    test = there[there["split"] == "test"]["label"]
    try:
        compared = completeness(layout, (test == REAL).sum(), (test != REAL).sum())
    except ValueError as error:
        raise InputError(
            f"{LAYOUTS[layout].name}: the test split has {error}; the lists are not the authors', download them again"
        ) from error
    if compared:
        lines.append(f"Beside the paper's table 1 the test split is {compared}")
    return "\n".join(lines)


def _some(names: list[str], n: int = 5) -> str:
    return ", ".join(names[:n]) + (f", … ({len(names)} in all)" if len(names) > n else "")

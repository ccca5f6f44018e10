"""How long indexing takes: a FaceForensics++ tree of tiny files, and one of large ones, first and again.

``python -m benchmarks.indexing``. Large files are sparse: they show that time doesn't depend on their size.
"""

import os
import tempfile
import time
from pathlib import Path

import pandas as pd

from stages.lib.index import add_fingerprints, index_dataset
from stages.lib.tables import SEEN
from tests import trees

IDS = [f"{n:03d}" for n in range(1000)]
PAIRS = [list(pair) for pair in zip(IDS[::2], IDS[1::2], strict=True)]
SPLITS = {"train": PAIRS[:360], "val": PAIRS[360:430], "test": PAIRS[430:]}


def _seconds(root: Path, seen: pd.DataFrame) -> tuple[float, pd.DataFrame, int]:
    start = time.perf_counter()
    rows, seen = add_fingerprints(index_dataset("ffpp", root), root, seen)
    return time.perf_counter() - start, seen, len(rows)


def main() -> None:
    for what, size in (("2 kB", 2_000), ("1 GB (sparse)", 1_000_000_000)):

        def put(path: Path, size: int = size) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                stream.write(path.name.encode())
                os.ftruncate(stream.fileno(), size)

        with tempfile.TemporaryDirectory() as folder:
            trees.ffpp(Path(folder), put, "c0", pairs=SPLITS)
            first, seen, n_videos = _seconds(Path(folder), pd.DataFrame(columns=SEEN.names))
            again, _, _ = _seconds(Path(folder), seen)
        print(f"{n_videos} videos of {what}: {first:.2f} s, again {again:.2f} s ({first / again:.1f}x faster)")


if __name__ == "__main__":
    main()

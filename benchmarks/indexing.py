"""How long indexing takes, first and again: FaceForensics++ trees of tiny and large files, a folder of very many.

``python -m benchmarks.indexing [--videos 1000000]``. Large files are sparse.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import pandas as pd

from stages.lib.datasets.index import add_fingerprints, index_dataset
from stages.lib.schemas import FILE_STATES
from tests.helpers import trees

IDS = [f"{n:03d}" for n in range(1000)]
PAIRS = [list(pair) for pair in zip(IDS[::2], IDS[1::2], strict=True)]
SPLITS = {"train": PAIRS[:360], "val": PAIRS[360:430], "test": PAIRS[430:]}


def _put(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(path.name.encode())
        os.ftruncate(stream.fileno(), size)


def _manifest(root: Path, n_videos: int) -> None:
    names = [f"{n // 1000:04d}/{n % 1000:03d}.mp4" for n in range(n_videos)]
    for name in names:
        _put(root / name, 2_000)
    (root / "manifest.csv").write_text("path,label\n" + "".join(f"{name},real\n" for name in names))


def _report(what: str, layout: str, root: Path) -> None:
    states, seconds = pd.DataFrame(columns=FILE_STATES.names), []
    for _ in range(2):
        start = time.perf_counter()
        rows, states = add_fingerprints(index_dataset(layout, root), root, states)
        seconds.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{len(rows)} videos of {what}: {seconds[0]:.1f} s, again {seconds[1]:.1f} s; at most {memory:.1f} GB of "
        "memory so far"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=20_000, help="in the folder of very many")
    n_videos = parser.parse_args().videos
    for what, size in (("2 kB", 2_000), ("1 GB (sparse)", 1_000_000_000)):
        with tempfile.TemporaryDirectory() as folder:
            trees.ffpp(Path(folder), lambda path, size=size: _put(path, size), "c0", pairs=SPLITS)
            _report(what, "ffpp", Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        _manifest(Path(folder), n_videos)
        _report("2 kB in a manifest", "manifest", Path(folder))


if __name__ == "__main__":
    main()

"""The faces of photographs as training reads them, from memory-mapped files, and what became of every photo."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.lib.records import N_LANDMARKS
from stages.lib.tables import PHOTOS, PHOTOS_TABLE, landmarks_of, read_table


def shard_file(folder: Path, shard: str) -> Path:
    """The array of a shard's faces, uint8 (n, size, size, 3), in ``data/photos/<name>``."""
    return folder / f"{shard}.npy"


class PhotoFaces:
    """The faces of all sets of photos in ``data/photos``, in the order of their sets and paths; there may be none.

    Pixels stay in the files until they are asked for; in memory are 0.5 KB and a few names for each face.
    """

    def __init__(self, folder: Path) -> None:
        """Raises :class:`InputError` where a table of photos is missing or damaged."""
        self._people: list[str] = []
        self._where: list[tuple[Path, int]] = []
        landmarks = [np.empty((0, N_LANDMARKS, 2))]
        for one in sorted(path for path in folder.iterdir() if path.is_dir()):
            table = read_table(one / PHOTOS_TABLE, PHOTOS)
            table = table.filter(pc.is_valid(table["row"]))
            self._people += [f"{one.name}/{person}" for person in table["person"].to_pylist()]
            shards, rows = table["shard"].to_pylist(), table["row"].to_pylist()
            self._where += [(shard_file(one, shard), row) for shard, row in zip(shards, rows, strict=True)]
            landmarks.append(landmarks_of(table))
        self._landmarks = np.concatenate(landmarks).astype(np.float32)

    def __len__(self) -> int:
        return len(self._where)

    def person(self, face: int) -> str:
        """Who it is: ``<set>/<person>``, so that two sets' people are never one."""
        return self._people[face]

    def crop(self, face: int) -> np.ndarray:
        """The crop, RGB uint8 (size, size, 3)."""
        path, row = self._where[face]
        # Mapped anew each time (under 1 ms): kept open, a large set's files would be more than a process may have.
        return np.array(np.load(path, mmap_mode="r")[row])

    def landmarks(self, face: int) -> np.ndarray:
        """The landmarks, float64 (68, 2), in pixels of the crop."""
        landmarks: np.ndarray = self._landmarks[face].astype(np.float64)
        return landmarks


def photo_coverage(photos: pa.Table) -> dict[str, Any]:
    """What became of every photo of a ``PHOTOS`` table, by reason, and how many people the used ones show."""
    used = photos.filter(pc.is_valid(photos["row"]))
    dropped = Counter(reason for reason in photos["reject_reason"].to_pylist() if reason is not None)
    return {
        "indexed": len(photos),
        "used": len(used),
        "people": pc.count_distinct(used["person"]).as_py(),
        "dropped": dict(sorted(dropped.items())),
    }

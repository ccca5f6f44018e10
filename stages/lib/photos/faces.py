"""Where the faces of photographs are kept, and what became of every photo."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def shard_file(folder: Path, shard: str) -> Path:
    """The array of a shard's faces, uint8 (n, size, size, 3), in ``data/photos/<name>``."""
    return folder / f"{shard}.npy"


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

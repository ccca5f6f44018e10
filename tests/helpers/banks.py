"""Banks of easy pseudo-fakes, for what reads them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.tables import FAKES


def bank_of(folder: Path, split: str, n_videos: int = 2) -> FakeBank:
    """Easy pseudo-fakes: a bright square on a dark noise."""
    rng, rows = np.random.default_rng(len(split)), []
    for v in range(n_videos):
        array = rng.integers(0, 90, (6, 2, 2, 32, 32, 3), np.uint8)
        array[:, :, 1, 10:20, 10:20] += 120
        np.save(folder / f"{split}{v}.npy", array)
        how = {"scheme": "global", "blend_ratio": 1.0, "transformed": "source", "donor": None}
        rows += [
            {"video_id": f"{split}{v}", "split": split, "face_row": f, "variant": k, **how}
            for f in range(6)
            for k in range(2)
        ]
    return FakeBank(folder, pa.Table.from_pylist(rows, schema=FAKES), split)

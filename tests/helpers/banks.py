"""Banks of easy pseudo-fakes, for what reads them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.lib.files import bank_file, sources_file, write_array
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.schemas import FAKES, FAKES_TABLE
from stages.lib.tables import write_table

HOW = {"scheme": "global", "blend_ratio": 1.0, "transformed": "source", "donor": None, "rate_factor": None}


def bank_of(folder: Path, split: str, n_videos: int = 2, n_photos: int = 0) -> FakeBank:
    """Easy pseudo-fakes, six faces a source: a bright square on a dark noise, whose mask is soft at its border.

    The sources are videos, and parts of a photo set. What was pasted is kept as well: bright, and noise outside.
    """
    rng, rows = np.random.default_rng(len(split)), []
    mask = np.zeros((32, 32), np.uint8)
    mask[8:22, 8:22], mask[10:20, 10:20] = 128, 255
    sources = [(f"{split}{v}", True) for v in range(n_videos)] + [(f"photos/{v}", False) for v in range(n_photos)]
    for source, is_video in sources:
        face = rng.integers(0, 90, (6, 2, 32, 32, 3), np.uint8)
        array = np.concatenate([face, face, np.broadcast_to(mask[..., None], (6, 2, 32, 32, 1))], axis=-1)
        array[:, :, 10:20, 10:20, 3:6] += 120
        write_array(bank_file(folder, source), array)
        pasted = np.random.default_rng(len(source)).integers(120, 256, (6, 2, 32, 32, 3), np.uint8)
        pasted[:, :, 10:20, 10:20] = array[:, :, 10:20, 10:20, 3:6]
        write_array(sources_file(folder, source), pasted)
        of = {"source": source, "is_video": is_video, "split": split} | HOW
        rows += [of | {"face_row": f, "variant": k} for f in range(6) for k in range(2)]
    return FakeBank(folder, pa.Table.from_pylist(rows, schema=FAKES), split)


def fakes_of(folder: Path) -> None:
    """What ``synthesize_fakes`` would have written: :func:`bank_of` training and validation, and their table."""
    rows = []
    for split in ("train", "val"):
        bank_of(folder, split)
        of = [{"source": f"{split}{v}", "is_video": True, "split": split} | HOW for v in range(2)]
        rows += [one | {"face_row": face, "variant": k} for one in of for face in range(6) for k in range(2)]
    write_table(folder / FAKES_TABLE, pa.Table.from_pylist(rows, schema=FAKES), FAKES)

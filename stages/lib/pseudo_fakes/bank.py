"""The bank of pseudo-fakes as training reads it. What makes it is in ``making``: a new mask scheme retrains nothing."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.lib.errors import InputError
from stages.lib.files import bank_file


class FakeBank:
    """The faces of one split with their pseudo-fakes, read from disk as they are needed.

    ``data/fakes/<video_id>.npy`` holds uint8 (n, variants, 2, size, size, 3): real face, then pseudo-fake.
    """

    def __init__(self, folder: Path, fakes: pa.Table, split: str):
        table = fakes.filter(pc.equal(fakes["split"], split)).to_pandas()
        self.variants = int(table["variant"].max()) + 1 if len(table) else 0
        faces = table[["video_id", "face_row"]].drop_duplicates().sort_values(["video_id", "face_row"])
        self._faces = list(faces.itertuples(index=False, name=None))
        self._arrays = {
            video_id: np.load(bank_file(folder, video_id), mmap_mode="r") for video_id in faces["video_id"].unique()
        }
        if not self._faces:
            raise InputError(
                f"no {split} face in {folder}: the training dataset has no usable real video with split={split}; see "
                "metrics/coverage.json"
            )

    def __len__(self) -> int:
        return len(self._faces)

    def pairs(self, faces: np.ndarray, variants: np.ndarray) -> np.ndarray:
        """uint8 (2n, size, size, 3) of n faces: all reals, then their pseudo-fakes in the same order."""
        pairs = np.stack(
            [self._arrays[self._faces[f][0]][self._faces[f][1], v] for f, v in zip(faces, variants, strict=True)]
        )
        return np.concatenate([pairs[:, 0], pairs[:, 1]])

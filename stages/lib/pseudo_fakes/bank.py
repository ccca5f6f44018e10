"""The bank of fakes as training reads it. What makes it is in ``making``: a new scheme retrains nothing."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.lib.errors import InputError
from stages.lib.files import bank_file, sources_file

CHANNELS = 7  # of a bank's arrays: the real face, its pseudo-fake (RGB each), and the mask
GENUINE = "fakes/"  # what the sources begin with that are genuine fakes


def genuine_methods(fakes: pa.Table) -> list[str]:
    """The methods of the genuine fakes of a ``FAKES`` table, sorted: those trained on, and those that epochs are chosen
    by.
    """
    genuine = fakes.filter(pc.starts_with(fakes["source"], GENUINE))
    return sorted(pc.unique(genuine["scheme"]).to_pylist())


class FakeBank:
    """The faces of one split with their fakes, read from disk as they are needed.

    ``data/fakes/<source>.npy`` holds uint8 (n, variants, size, size, 7): real face, fake, mask (255 is forged).
    ``variants``: the most that a source has; of one with fewer they come round again. ``is_video``: bool (n,), whether
    each face is a video's; the others are photos. ``is_genuine``: bool (n,), whether its fake is a genuine one.
    ``schemes``: str (n, variants), what kind each fake is of.
    """

    def __init__(self, folder: Path, fakes: pa.Table, split: str):
        columns = ["source", "face_row", "is_video", "variant", "scheme"]
        table = fakes.filter(pc.equal(fakes["split"], split)).select(columns).to_pandas()
        self.variants = int(table["variant"].max()) + 1 if len(table) else 0
        faces = table[table["variant"] == 0].sort_values(["source", "face_row"])
        if faces.empty:
            raise InputError(
                f"no {split} face in {folder}: the training dataset has no usable video with split={split}; see "
                "metrics/coverage.json"
            )
        self.is_video = faces["is_video"].to_numpy()
        self.is_genuine = faces["source"].str.startswith(GENUINE).to_numpy(bool)
        sources, self._source = np.unique(faces["source"].to_numpy(), return_inverse=True)
        self._variants = table.groupby("source")["variant"].max()[sources].to_numpy() + 1
        kinds = table.pivot(index=["source", "face_row"], columns="variant", values="scheme").to_numpy()
        come_round = np.arange(self.variants) % self._variants[self._source][:, None]
        self.schemes = np.take_along_axis(kinds, come_round, axis=1)
        self._row = faces["face_row"].to_numpy()
        self._files = [bank_file(folder, source) for source in sources]
        self._sources_files = [sources_file(folder, source) for source in sources]

    def __len__(self) -> int:
        return len(self._row)

    def face(self, face: int, variant: int) -> np.ndarray:
        """One face with a fake, uint8 (size, size, 7): the real face, the fake, the mask."""
        source = self._source[face]
        own = variant % self._variants[source]
        # Mapped anew each time (under 1 ms): kept open, many sources' files would be more than a process may have.
        return np.array(np.load(self._files[source], mmap_mode="r")[self._row[face], own])

    def pasted(self, face: int, variant: int) -> np.ndarray:
        """What was pasted into a fake, the whole of it, uint8 (size, size, 3).

        Raises :class:`InputError` where the bank was made without it.
        """
        source = self._source[face]
        path, own = self._sources_files[source], variant % self._variants[source]
        if not path.is_file():
            raise InputError(
                f"{path}: no such file, which guidance needs; run `dvc repro -f synthesize_fakes` to make it"
            )
        return np.array(np.load(path, mmap_mode="r")[self._row[face], own])

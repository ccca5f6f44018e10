"""Pictures in a folder as the frames of a video: which there are, in which order, and which are taken."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_PER_SECOND = 25  # nominal: pictures have no time
_MAX_INDEX = 1 << 31


@dataclass(frozen=True)
class Picture:
    """A picture that is a frame of a video: ``frame_index``, its number in the video, and its file."""

    frame_index: int
    path: Path

    @property
    def time_s(self) -> float:
        """When it is shown, in seconds, at a nominal 25 frames a second."""
        return self.frame_index / _PER_SECOND

    def read(self) -> np.ndarray | None:
        """BGR uint8 (h, w, 3); None where it can't be read."""
        try:
            return cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        except cv2.error:  # larger than OpenCV decodes
            return None


def equally_spaced(n_total: int, n_wanted: int) -> np.ndarray:
    """Indices of ``n_wanted`` equally spaced frames of ``n_total`` (section 4.1): int64, strictly increasing.

    The middles of ``n_wanted`` equal parts, so the ends (fades, titles) are never taken. A video with fewer
    frames than wanted gives each frame once.
    """
    n_kept = min(n_total, n_wanted)
    return np.floor((np.arange(n_kept) + 0.5) * n_total / n_kept).astype(np.int64) if n_kept else np.empty(0, np.int64)


def pictures_in(folder: Path) -> list[Picture]:
    """The pictures of a folder in the order of the video.

    The digits that a name ends with are the frame's number, so ``9.png`` comes before ``10.png``. Where a name has
    none, or two have the same, pictures are numbered from 0 in the order of their names.
    """
    found = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    paths = sorted(path for path in found if not path.name.startswith("."))  # "._0.png" is macOS's, and no picture
    digits = [re.search(r"[0-9]+$", path.stem) for path in paths]
    numbers = [int(ends[0]) for ends in digits if ends]
    if len(set(numbers)) < len(paths) or max(numbers, default=0) >= _MAX_INDEX:
        numbers = list(range(len(paths)))
    return [Picture(number, path) for number, path in sorted(zip(numbers, paths, strict=True))]


def equally_spaced_pictures(folder: Path, n_wanted: int) -> list[Picture]:
    """``n_wanted`` equally spaced pictures of those of a folder, or all where there are fewer."""
    pictures = pictures_in(folder)
    return [pictures[at] for at in equally_spaced(len(pictures), n_wanted)]

"""DiffSwap's fakes, as DiffusionFace gives them out: Chen et al., arXiv 2403.18471 (2024).

DiffSwap (Zhao et al., CVPR 2023) is a method. DiffusionFake (Sun et al., NeurIPS 2024) tests on a set that it calls so;
its code, github.com/skJack/DiffusionFake, doesn't say where that is from. The one set of such fakes found is part of
DiffusionFace, which has authors in common with DiffusionFake (github.com/Rapisurazurite/DiffFace;
zenodo.org/records/10865300): ``DiffSwap.tar``, 30,000 faces of MM-CelebA-HQ swapped at random, and ``Real.tar``. That
DiffusionFake tested on these, and on which of them, is an inference that nothing found confirms.

They are single pictures, each a video of one frame here, and all for testing. How the archives are arranged inside is
not described, so every picture below ``DiffSwap`` and ``Real`` (the archives unpacked into folders of these names)
counts. Whose face is put into which picture is in ``target_source.csv`` of the first archive (its authors, in issue 3
of that repository), whose columns are not described: it isn't read, and no original is given. That ``Real`` holds
photographs alone is asked in issue 7 there, and wasn't answered when this was written.
"""

from pathlib import Path

from stages.lib.datasets.layouts.tree import need, video_row
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

_KINDS = (("Real", REAL), ("DiffSwap", FAKE))
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")


def index_diffswap(root: Path) -> list[dict[str, str]]:
    """Index rows of all pictures of both folders.

    Raises :class:`LayoutMismatch`, and :class:`InputError` where one holds no picture.
    """
    need(root, *(folder for folder, _ in _KINDS))
    rows = []
    for folder, label in _KINDS:
        names = (path.relative_to(root) for path in (root / folder).rglob("*") if path.suffix.lower() in _PICTURES)
        paths = sorted(path.as_posix() for path in names if not path.name.startswith("."))
        if not paths:
            raise InputError(f"{root / folder}: no pictures in it or below; unpack {folder}.tar again")
        rows += [video_row(path, label, "test", "DiffSwap" if label == FAKE else "") for path in paths]
    return rows

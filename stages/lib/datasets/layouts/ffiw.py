"""FFIW-10K: Zhou et al., CVPR 2021.

The authors' description, github.com/tfzhou/FFIW, ``README.md``: ``source``, ``target`` and ``target_mask``, each with
``train`` and ``val``. Which of them is real is known from SelfBlendedImages (``src/inference/datasets.py``): ``source``
holds the real videos, ``target`` the forged ones; there the videos lie in ``videos`` of each. Its peers test on ``val``
(250 + 250), as a test part was not in the first release: so do we where there is no ``test`` beside it. Several people
are in most of these videos, of whom one is forged. From which video a fake was made is not written down.
"""

from pathlib import Path

from stages.lib.datasets.layouts.tree import need, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

_KINDS = (("source", REAL), ("target", FAKE))


def index_ffiw(root: Path) -> list[dict[str, str]]:
    """Index rows of all videos of all parts that are there.

    Raises :class:`LayoutMismatch`, and :class:`InputError` where a part holds no video.
    """
    need(root, *(kind for kind, _ in _KINDS))
    parts = [part for part in ("train", "val", "test") if any((root / kind / part).is_dir() for kind, _ in _KINDS)]
    if not parts:
        need(root, "source/val", "target/val")
    split_of = {part: part for part in parts} | ({"val": "test"} if "test" not in parts else {})
    rows = []
    for part in parts:
        for kind, label in _KINDS:
            folder = f"{kind}/{part}"
            paths = videos_in(root, f"{folder}/videos") + videos_in(root, folder)
            if not paths:
                raise InputError(f"{root / folder}: no videos, nor in {folder}/videos; download the part again")
            rows += [
                video_row(path, label, split_of[part], "FFIW" if label == FAKE else "", f"ffiw/{Path(path).stem}")
                for path in paths
            ]
    return rows

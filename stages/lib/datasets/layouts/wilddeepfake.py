"""WildDeepfake: Zi et al., ACM MM 2020. Face pictures alone (``input: faces``), of videos found on the internet.

The authors' description, github.com/OpenTAI/wild-deepfake, ``README.md``: ``deepfake_in_the_wild`` has archives
``<n>.tar.gz`` in ``real_train``, ``real_test``, ``fake_train`` and ``fake_test``; each holds folders of face pictures,
one for each sequence, and a picture's name is "the frame number it appears in the original video". Inside an archive
they are called ``./<n>/fake/<sequence>/<frame>.png``, of 224 px, as the listing of the authors' copy at
huggingface.co/datasets/xingjunm/WildDeepfake shows. So an archive that is unpacked where it lies gives
``fake_test/<n>/fake/<sequence>``. Who is in a sequence and how a fake was made is not given out.
"""

from pathlib import Path

from stages.lib.datasets.layouts.tree import LayoutMismatch, video_row
from stages.lib.errors import InputError
from stages.lib.records import FAKE, LABELS, REAL

_PARTS = tuple(f"{label}_{split}" for split in ("train", "test") for label in LABELS)
_METHOD = "WildDeepfake"


def index_wilddeepfake(root: Path) -> list[dict[str, str]]:
    """Index rows of the sequences of each part that is there.

    Raises :class:`LayoutMismatch`, and :class:`InputError` for a part whose archives aren't unpacked, and for a folder
    of fakes among reals or the other way round.
    """
    parts = [part for part in _PARTS if (root / part).is_dir()]
    if not parts:
        raise LayoutMismatch(" or ".join(_PARTS))
    return [row for part in parts for row in _rows(root, part)]


def _rows(root: Path, part: str) -> list[dict[str, str]]:
    label, split = part.split("_")
    folders = sorted(path for path in (root / part).glob("*/*/*") if path.is_dir())
    if not folders:
        raise InputError(
            f"{root / part}: no <n>/{label}/<sequence> in it; unpack its archives there "
            f"(cd {part} && for archive in *.tar.gz; do tar -xf $archive; done)"
        )
    if wrong := [path for path in folders if path.parent.name != label]:
        raise InputError(
            f"{wrong[0]}: is called {wrong[0].parent.name} in {part}; expected <n>/{label}/<sequence>: unpack the "
            "archives again, each where it lies"
        )
    method = _METHOD if label == FAKE else ""
    return [
        video_row(path.relative_to(root).as_posix(), FAKE if label == FAKE else REAL, split, method) for path in folders
    ]

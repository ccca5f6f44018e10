"""DF40: Yan et al., NeurIPS 2024.

The authors' description, github.com/YZY-stack/DF40, ``README.md``: the processed data are fakes alone, as folders of
cropped frames, ``<method>/<domain>/frames/<video>/<frame>.png`` in the test set (domain ``ff`` or ``cdf``) and
``<method>/frames/<video>/…`` in the training set (paths as in their ``dataset_json``). The reals are two more of their
archives: ``FaceForensics++`` (test ids by its ``test.json``) and ``Celeb-DF-v2`` (by its
``List_of_testing_videos.txt``), with the same ``frames``; a copy of either dataset, linked into the root, serves as
well (``videos``). Each domain is a dataset here, as in the authors' own protocols (``simswap_ff``). Methods that make
single images (entire face synthesis, editing) have no frames of a video, and are left out, with a warning.

A fake that is called as a real is made from that. Of one with two people's names the authors don't say which is whose
video, and it differs from method to method: no original is given for it.
"""

import warnings
from pathlib import Path

from stages.lib.datasets.layouts.celebdf import LABEL_OF, TEST_LIST, read_test_list
from stages.lib.datasets.layouts.celebdf import identity as celebdf_identity
from stages.lib.datasets.layouts.ffpp import ORIGINALS, identity, read_splits
from stages.lib.datasets.layouts.tree import LayoutMismatch, need, video_row
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

_REALS = ("FaceForensics++", "Celeb-DF-v2")


def index_df40_ff(root: Path) -> list[dict[str, str]]:
    """Index rows of the fakes made of FaceForensics++, and of its test originals.

    Raises :class:`LayoutMismatch`, and :class:`InputError` where the reals are not there.
    """
    need(root, f"FaceForensics++/{ORIGINALS}/c23")
    originals = f"FaceForensics++/{ORIGINALS}/c23"
    people = [person for *pair, split in read_splits(root / "FaceForensics++") if split == "test" for person in pair]
    reals = {
        person: video_row(_frames_or_video(root, originals, person), REAL, "test", identity=identity(person))
        for person in people
    }
    return [*reals.values(), *_fakes(root, "ff", reals)]


def index_df40_cdf(root: Path) -> list[dict[str, str]]:
    """Index rows of the fakes made of Celeb-DF (v2), and of its test reals. Raises as :func:`index_df40_ff`."""
    need(root, f"Celeb-DF-v2/{TEST_LIST}")
    paths = [path.removesuffix(".mp4") for path in read_test_list(root / "Celeb-DF-v2")]
    reals = {}
    for folder, _, name in (path.partition("/") for path in paths):
        if LABEL_OF[folder] == REAL:
            path, who = _frames_or_video(root, f"Celeb-DF-v2/{folder}", name), celebdf_identity(f"{folder}/{name}")
            reals[name] = video_row(path, REAL, "test", identity=who)
    return [*reals.values(), *_fakes(root, "cdf", reals)]


def _frames_or_video(root: Path, folder: str, name: str) -> str:
    """The path of a real: its folder of frames, or its video in ``videos`` or in the folder itself."""
    candidates = (f"{folder}/frames/{name}", f"{folder}/videos/{name}.mp4", f"{folder}/{name}.mp4")
    return next((path for path in candidates if (root / path).exists()), candidates[0])


def _fakes(root: Path, domain: str, reals: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    """The rows of a domain's fakes; ``reals``: {name: row}."""
    rows, without = [], []
    for method in sorted(path.name for path in root.iterdir() if path.is_dir() and path.name not in _REALS):
        folder = root / method / domain / "frames"
        if not folder.is_dir():
            without.append(method)
            continue
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if not names:
            raise InputError(f"{folder}: no folder of frames in it; download {method} again")
        for name in names:
            original = reals[name]["path"] if name in reals else ""
            path = f"{method}/{domain}/frames/{name}"
            rows.append(video_row(path, FAKE, "test", method, f"df40/{name}", original))
    if not rows:
        raise LayoutMismatch(f"<method>/{domain}/frames/<video>/")
    if without:
        warnings.warn(f"{root}: no {domain}/frames in {', '.join(without)}: not indexed", stacklevel=2)
    return rows

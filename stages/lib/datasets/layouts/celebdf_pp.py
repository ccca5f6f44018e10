"""Celeb-DF++: Li et al., arXiv 2507.18015 (2025).

The authors' description, github.com/OUC-VAS/Celeb-DF-PP, ``README.md``: the reals of Celeb-DF (v2), ``Celeb-real`` and
``YouTube-real``; fakes of 22 methods, ``Celeb-synthesis/<FaceSwap, FaceReenact or TalkingFace>/<method>``; and
``List_of_testing_videos.txt``, with the 178 test reals of Celeb-DF (v2) and 200 fakes of each method (300 of each that
makes faces talk). Their code, ``DeepfakeBench/preprocessing/rearrange.py`` there, reads the list as lines of a label
and a path, ``Celeb-synthesis/<scenario>/<method>/<video>.mp4``, and calls the folder of Celeb-DF's own fakes
``Celeb-DF-v2`` (``Celeb-DF`` in the README: either is its method here). Which label stands for real is not written
down: folders say what is real here, and labels must only agree with each other. Two other projects count 178 reals and
5,240 fakes in the list, which is as many as the README says and, of Celeb-DF's own fakes, the 340 that Celeb-DF (v2)
tests. What is not listed is for training.

The README does not explain the names. A swap is called as in Celeb-DF (v2); that a talking face is
``<person>_<video>_test_<sound>``, and a reenactment is called as a swap, is known from another project's reader of
these files. So swaps and talking faces are given the video that they were made from; reenactments aren't, as whose
motion moves whose face isn't said.
"""

import re
from pathlib import Path

from stages.lib.datasets.families import family_of
from stages.lib.datasets.layouts.celebdf import LABEL_OF, TEST_LIST, identity
from stages.lib.datasets.layouts.tree import LayoutMismatch, need, read_lines, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import REAL

FAKES = "Celeb-synthesis"
SCENARIOS = {"FaceSwap": "swap", "FaceReenact": "animated", "TalkingFace": ""}  # empty: the method says which
_MADE_FROM = {
    "FaceSwap": re.compile(r"(?P<person>id\d+)_id\d+_(?P<video>\d+)"),
    "TalkingFace": re.compile(r"(?P<person>id\d+)_(?P<video>\d+)_.+"),
}


def index_celebdf_pp(root: Path) -> list[dict[str, str]]:
    """Index rows of all videos there and of all that the test list names.

    Raises :class:`LayoutMismatch`, and :class:`InputError` naming the line of the list that isn't as described.
    """
    need(root, TEST_LIST, "Celeb-real")
    scenarios = [name for name in SCENARIOS if (root / FAKES / name).is_dir()]
    if not scenarios:
        raise LayoutMismatch(", ".join(f"{FAKES}/{name}" for name in SCENARIOS))
    methods = [f"{FAKES}/{name}/{folder.name}" for name in scenarios for folder in (root / FAKES / name).iterdir()]
    tested = _read_test_list(root / TEST_LIST)
    there = {path for folder in ("Celeb-real", "YouTube-real", *methods) for path in videos_in(root, folder)}
    return [_row(path, "test" if path in tested else "train") for path in sorted(tested | there)]


def _row(path: str, split: str) -> dict[str, str]:
    folder, *between, name = path.split("/")
    if LABEL_OF[folder] == REAL:
        return video_row(path, REAL, split, identity=identity(path))
    scenario, method = between
    pattern = _MADE_FROM.get(scenario)
    match = pattern.fullmatch(Path(name).stem) if pattern else None
    original = f"Celeb-real/{match['person']}_{match['video']}.mp4" if match else ""
    family = SCENARIOS[scenario] or family_of(method)
    return video_row(path, LABEL_OF[folder], split, method, identity(f"Celeb-real/{name}"), original, family)


def _read_test_list(path: Path) -> set[str]:
    paths: set[str] = set()
    meaning: dict[str, str] = {}  # of the two labels
    for where, (label, *words) in read_lines(path):
        listed = " ".join(words)
        folder, *between = listed.split("/")[:-1] or [""]
        of_a_fake = len(between) == 2 and between[0] in SCENARIOS
        if label not in ("0", "1") or folder not in LABEL_OF or of_a_fake != (folder == FAKES):
            raise InputError(
                f"{where}: found '{' '.join([label, *words])}', expected a label, 0 or 1, and a path such as "
                f"Celeb-real/….mp4 or {FAKES}/FaceSwap/<method>/….mp4; download the list again"
            )
        if meaning.setdefault(label, LABEL_OF[folder]) != LABEL_OF[folder]:
            raise InputError(f"{where}: {listed} is labelled {label}, as a {meaning[label]} is above; correct the line")
        if listed in paths:
            raise InputError(f"{where}: {listed} is listed twice; remove one line")
        paths.add(listed)
    return paths

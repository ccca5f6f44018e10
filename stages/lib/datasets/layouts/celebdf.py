"""Celeb-DF (v2): Li et al., CVPR 2020.

The authors' description, github.com/yuezunli/celeb-deepfakeforensics, ``Celeb-DF-v2/README.md``: ``Celeb-real`` and
``YouTube-real`` (590 and 300 real videos), ``Celeb-synthesis`` (5,639 fakes), and ``List_of_testing_videos.txt``, 518
lines of a label (1 is real) and a path. What is not in the list is for training. ``id0_id1_0000.mp4`` is person 0 with
the face of person 1, in that person's video 0000 ("aa is the original id, bb is swapped id, cc is the video index": the
authors, in issue 6 of that repository).
"""

from pathlib import Path

from stages.lib.datasets.layouts.tree import need, read_lines, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

TEST_LIST = "List_of_testing_videos.txt"
LABEL_OF = {"Celeb-real": REAL, "YouTube-real": REAL, "Celeb-synthesis": FAKE}


def index_celebdf(root: Path) -> list[dict[str, str]]:
    """Index rows of all videos there and of all that the test list names.

    Raises :class:`LayoutMismatch`, and :class:`InputError` for a line whose label disagrees with its folder.
    """
    need(root, TEST_LIST, *(folder for folder in LABEL_OF if folder != "YouTube-real"))
    tested = set(read_test_list(root))
    there = {path for folder in LABEL_OF for path in videos_in(root, folder)}
    return [_row(path, "test" if path in tested else "train") for path in sorted(tested | there)]


def _row(path: str, split: str) -> dict[str, str]:
    folder, _, name = path.partition("/")
    if LABEL_OF[folder] == REAL:
        return video_row(path, REAL, split, identity=identity(path))
    person, _, rest = name.partition("_")
    original = f"Celeb-real/{person}_{rest.rpartition('_')[2]}"
    return video_row(path, FAKE, split, folder, identity(original), original)


def identity(path: str) -> str:
    """The name of the person in a real video, from its path as the lists have it."""
    folder, _, name = path.partition("/")
    return f"celebdf/youtube-{Path(name).stem}" if folder == "YouTube-real" else f"celebdf/{name.split('_')[0]}"


def read_test_list(root: Path) -> list[str]:
    """The paths of the test list, checked against their labels. Raises :class:`InputError` naming the line."""
    paths = []
    for where, words in read_lines(root / TEST_LIST):
        folder = words[-1].partition("/")[0]
        if len(words) != 2 or words[0] not in ("0", "1") or folder not in LABEL_OF:
            raise InputError(
                f"{where}: found '{' '.join(words)}', expected '1 Celeb-real/….mp4' (1 is real) or "
                "'0 Celeb-synthesis/….mp4'; download the list again"
            )
        if (words[0] == "1") != (LABEL_OF[folder] == REAL):
            raise InputError(f"{where}: {words[1]} is labelled {words[0]}, but 1 is real; correct the line")
        if words[1] in paths:
            raise InputError(f"{where}: {words[1]} is listed twice; remove one line")
        paths.append(words[1])
    return paths

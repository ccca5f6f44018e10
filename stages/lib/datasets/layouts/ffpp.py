"""FaceForensics++, and FaceShifter in its tree.

The tree and the splits are the authors': github.com/ondyari/FaceForensics, ``dataset/README.md`` and ``dataset/splits``
(Rössler et al., ICCV 2019). Their download script makes ``original_sequences/youtube/<quality>/videos/<id>.mp4`` and
``manipulated_sequences/<method>/<quality>/videos/<target>_<source>.mp4``; the qualities are ``raw`` (the paper's c0;
some copies call it so), ``c23`` and ``c40``. The lists ``train.json``, ``val.json`` and ``test.json`` (360, 70 and 70
pairs of ids) are in the repository, not in the download: put them into the root or into ``splits/``. A pair (a, b)
stands for the two originals and for the fakes a_b and b_a of every method. FaceShifter (Li et al., CVPR 2020) is a
fifth folder of methods.
"""

import warnings
from pathlib import Path

from stages.lib.datasets.layouts.tree import need, read_json, refuse_strays, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL, SPLITS

ORIGINALS = "original_sequences/youtube"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
RAW = ("raw", "c0")  # two names of the same quality
QUALITIES = (*RAW, "c23", "c40")


def index_ffpp(root: Path, quality: str | None, methods: tuple[str, ...] = METHODS) -> list[dict[str, str]]:
    """Index rows of the originals and of the fakes of ``methods`` at one quality (None: the only one there).

    Every video that the split lists promise has a row, there or not. Warns of a method without a folder. Raises
    :class:`LayoutMismatch` or :class:`InputError` (lists that disagree, no such quality, videos in no list).
    """
    need(root, ORIGINALS)
    pairs = read_splits(root)
    quality = find_quality(root, quality)
    originals = f"{ORIGINALS}/{quality}/videos"
    rows = [
        video_row(f"{originals}/{person}.mp4", REAL, split, identity=identity(person))
        for *pair, split in pairs
        for person in pair
    ]
    found = videos_in(root, originals)
    for method in methods:
        folder = f"manipulated_sequences/{method}/{quality}/videos"
        if not (root / folder).is_dir():
            warnings.warn(f"{root}: no folder {folder}: {method} is not indexed", stacklevel=2)
            continue
        rows += [
            video_row(
                f"{folder}/{target}_{source}.mp4", FAKE, split, method, identity(target), f"{originals}/{target}.mp4"
            )
            for a, b, split in pairs
            for target, source in ((a, b), (b, a))
        ]
        found += videos_in(root, folder)
    refuse_strays(root, found, (row["path"] for row in rows), "train.json, val.json, test.json")
    return rows


def index_faceshifter(root: Path, quality: str | None) -> list[dict[str, str]]:
    """Index rows of FaceForensics++'s originals and of FaceShifter's fakes, as :func:`index_ffpp`."""
    need(root, "manipulated_sequences/FaceShifter")
    return index_ffpp(root, quality, ("FaceShifter",))


def identity(person: str) -> str:
    """The name of an original's person, the same in every dataset whose reals are FaceForensics++'s."""
    return f"ffpp/{person}"


def read_splits(root: Path) -> list[tuple[str, str, str]]:
    """(id, id, split) of every pair of the three lists. Raises :class:`InputError` for a missing, odd or inconsistent
    list.
    """
    pairs: list[tuple[str, str, str]] = []
    split_of: dict[str, str] = {}
    for split in SPLITS:
        candidates = (root / folder / f"{split}.json" for folder in ("", "splits", "dataset/splits"))
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            raise InputError(
                f"{root}: no {split}.json, nor splits/{split}.json; the lists are in github.com/ondyari/FaceForensics, "
                "dataset/splits: copy the three of them there"
            )
        for pair in read_json(path, list, list):
            if not (len(pair) == 2 and all(isinstance(person, str) for person in pair)):
                raise InputError(f'{path}: expected pairs of ids such as ["000", "003"], found {pair}; copy it again')
            for person in pair:
                if split_of.setdefault(person, split) != split or pair[0] == pair[1]:
                    raise InputError(f"{path}: id {person} is also in {split_of[person]}.json; copy the lists again")
            pairs.append((*pair, split))
    return pairs


def find_quality(root: Path, quality: str | None, folder: str = ORIGINALS) -> str:
    """The folder name of a quality that the videos of ``folder`` are there at; None takes the only one. Raises
    :class:`InputError`.
    """
    there = [name for name in QUALITIES if (root / folder / name / "videos").is_dir()]
    wanted = RAW if quality in RAW else (quality,)
    fitting = [name for name in there if quality is None or name in wanted]
    if len(fitting) == 1:
        return fitting[0]
    expected = f"{quality}/videos" if quality else "one of " + ", ".join(f"{name}/videos" for name in QUALITIES)
    raise InputError(
        f"{root / folder}: looked for {expected}, found {', '.join(there) or 'none'}; "
        "set `quality` of the dataset in params.yaml to one that is there"
    )

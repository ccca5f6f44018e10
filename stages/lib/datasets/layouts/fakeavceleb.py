"""FakeAVCeleb (v1.2): Khalid et al., NeurIPS 2021 Datasets and Benchmarks.

Given out on request, github.com/DASH-Lab/FakeAVCeleb; what its authors publish doesn't describe the files. They are
known from a copy of its table (github.com/arnabk001/lipinc-pytorch, ``FakeAVCeleb_v1.2/meta_data.csv``) and from other
projects' code: ``<type>/<race>/<gender>/<person>/<video>.mp4``, of four types, and ``meta_data.csv`` with a line for
each video: ``source`` (the person whose folder it is), ``target1``, ``target2``, ``method``, ``category``, ``type``,
``race``, ``gender``, ``path`` (its file name; ``filename`` in the copy) and a last column without a name, its folder.
500 people have a real video each, in five races and two genders. By others' counts there are 500 videos of each of the
first two types, 9,709 and 10,835 of the others, and 22 lines more than videos: what is listed again under the same path
counts once.

There is no split: all is for testing. This detector looks at pictures alone, and in ``RealVideo-FakeAudio`` only the
voice is forged: its pictures are those of the reals. They would be counted twice as reals, so they are left out, with a
warning. A video by Wav2Lip alone, ``<real video>_<whose voice>_wavtolip.mp4``, is given its original; of the swaps the
authors don't say whose video it was (FSGAN's and Faceswap's names hold two people).
"""

import warnings
from pathlib import Path

from stages.lib.datasets.layouts.tree import need, read_csv, refuse_strays, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

TABLE = "meta_data.csv"
REALS, SOUND_ONLY = "RealVideo-RealAudio", "RealVideo-FakeAudio"
TYPES = (REALS, SOUND_ONLY, "FakeVideo-RealAudio", "FakeVideo-FakeAudio")


def index_fakeavceleb(root: Path) -> list[dict[str, str]]:
    """Index rows of the listed videos whose pictures are real or forged.

    Raises :class:`LayoutMismatch`, and :class:`InputError` for a line that isn't as described and a video in no line.
    """
    need(root, TABLE, REALS)
    rows: dict[str, dict[str, str]] = {}
    sound_only = 0
    for where, line in read_csv(root / TABLE, "source", "method", "type", "race", "gender", "path"):
        kind, person, method = line["type"], line["source"], line["method"]
        name = line.get("filename") or line["path"]
        if kind not in TYPES or (kind == REALS) != (method == "real") or "/" in name or not (person and method):
            raise InputError(
                f"{where}: type is '{kind}', method '{method}', source '{person}' and path '{name}', expected one of "
                f"{', '.join(TYPES)} (method real in {REALS} alone), a person and a file name; download it again"
            )
        if kind == SOUND_ONLY:
            sound_only += 1
            continue
        place = f"{line['race']}/{line['gender']}/{person}"
        path, identity = f"{kind}/{place}/{name}", f"fakeavceleb/{person}"
        if kind == REALS:
            row = video_row(path, REAL, "test", identity=identity)
        else:
            original = f"{REALS}/{place}/{Path(name).stem.partition('_')[0]}.mp4" if method == "wav2lip" else ""
            row = video_row(path, FAKE, "test", method, identity, original)
        rows.setdefault(path, row)
    folders = [folder for kind in TYPES if kind != SOUND_ONLY for folder in root.glob(f"{kind}/*/*/*")]
    there = [path for folder in folders for path in videos_in(root, folder.relative_to(root).as_posix())]
    refuse_strays(root, there, rows, TABLE)
    if sound_only:
        warnings.warn(f"{root}: {sound_only} videos of {SOUND_ONLY}, forged in sound alone: not indexed", stacklevel=2)
    return list(rows.values())

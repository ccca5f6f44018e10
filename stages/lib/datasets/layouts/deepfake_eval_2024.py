"""Deepfake-Eval-2024's videos: Chandra et al., arXiv 2503.02857 (TrueMedia.org, 2025).

Fakes and reals that people met on the Internet in 2024, given out at
huggingface.co/datasets/nuriachandra/Deepfake-Eval-2024 on request. Its page was not to be read in full. The table,
``video-metadata-publish.csv``, was checked in a copy of it (github.com/esha-shaik/deepfake-detection): a line for each
video with ``Filename``, ``Video Ground Truth`` (Real, Fake or Unknown), ``Audio Ground Truth`` and ``Finetuning Set``
(train or test), which is the authors' split. That the videos lie in ``video-data``, and that a later table is called
``video-metadata-publish-with-links.csv``, is taken from other projects' code.

The label of the picture counts: a real picture under a forged voice is real here. What is Unknown is left out, with a
warning. By which method a fake was made is not said, nor who it shows; many videos show several people, or none.
"""

import warnings
from pathlib import Path

from stages.lib.datasets.layouts.tree import LayoutMismatch, need, read_csv, refuse_strays, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

TABLES = ("video-metadata-publish.csv", "video-metadata-publish-with-links.csv")
VIDEOS = "video-data"
_METHOD = "Deepfake-Eval-2024"
_LABEL, _SPLIT = "Video Ground Truth", "Finetuning Set"


def index_deepfake_eval_2024(root: Path) -> list[dict[str, str]]:
    """Index rows of the listed videos whose picture is labelled real or fake.

    Raises :class:`LayoutMismatch`, and :class:`InputError` for a line that isn't as described and a video in no line.
    """
    table = next((name for name in TABLES if (root / name).is_file()), None)
    if table is None:
        raise LayoutMismatch(f"{' or '.join(TABLES)}, {VIDEOS}")
    need(root, VIDEOS)
    rows, unknown = [], []
    for where, line in read_csv(root / table, "Filename", _LABEL, _SPLIT):
        path, label, split = f"{VIDEOS}/{line['Filename']}", line[_LABEL].lower(), line[_SPLIT].lower()
        if label == "unknown":
            unknown.append(path)
        elif label not in (REAL, FAKE) or split not in ("train", "test"):
            raise InputError(
                f"{where}: {_LABEL} is '{line[_LABEL]}' and {_SPLIT} '{line[_SPLIT]}', expected Real, Fake or Unknown, "
                "and train or test; download it again"
            )
        else:
            rows.append(video_row(path, label, split, _METHOD if label == FAKE else ""))
    refuse_strays(root, videos_in(root, VIDEOS), [*unknown, *(row["path"] for row in rows)], table)
    if unknown:
        warnings.warn(f"{root}: {len(unknown)} videos are labelled Unknown: not indexed", stacklevel=2)
    return rows

"""DeeperForensics-1.0: Jiang et al., CVPR 2020.

The authors' description, github.com/EndlessSora/DeeperForensics-1.0, ``dataset/README.md``: the 1,000 videos of
``manipulated_videos/end_to_end`` are called ``<target>_<source actor>.mp4``, and ``lists/splits/{train,val,test}.txt``
name 703, 96 and 201 of them. The reals are the target videos, which are FaceForensics++'s and not distributed along:
"download the target videos from FaceForensics++ with C23". So ``original_sequences`` (or ``FaceForensics++``) of that
dataset has to be linked into the root. A target is in the split of its fake, whatever FaceForensics++'s own lists say.
"""

from pathlib import Path

from stages.lib.datasets.layouts.ffpp import ORIGINALS, find_quality, identity
from stages.lib.datasets.layouts.tree import need, read_lines, refuse_strays, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL, SPLITS

FAKES = "manipulated_videos/end_to_end"
LISTS = "lists/splits"


def index_deeperforensics(root: Path, quality: str | None) -> list[dict[str, str]]:
    """Index rows of the listed fakes and of the target of each; ``quality`` is the reals' (None: c23).

    Raises :class:`LayoutMismatch`, and :class:`InputError` where FaceForensics++'s originals are not to be found, or a
    list has an entry that is not <target>_<actor>.
    """
    need(root, FAKES, *(f"{LISTS}/{split}.txt" for split in SPLITS))
    originals = next((place for place in ("", "FaceForensics++/") if (root / place / ORIGINALS).is_dir()), None)
    if originals is None:
        raise InputError(
            f"{root}: the reals of DeeperForensics-1.0 are FaceForensics++'s, and {ORIGINALS} is not here; "
            "link that dataset's original_sequences into this folder (ln -s …/FaceForensics++/original_sequences)"
        )
    folder = f"{originals}{ORIGINALS}/{find_quality(root / originals, quality or 'c23')}/videos"
    rows: dict[str, dict[str, str]] = {}
    for split in SPLITS:
        for where, words in read_lines(root / LISTS / f"{split}.txt"):
            target, separator, actor = words[0].removesuffix(".mp4").partition("_")
            if len(words) != 1 or not (separator and actor and target.isdigit()):
                raise InputError(
                    f"{where}: found '{' '.join(words)}', expected <target>_<actor>.mp4; download it again"
                )
            original, fake = f"{folder}/{target}.mp4", f"{FAKES}/{target}_{actor}.mp4"
            for row in (
                video_row(original, REAL, split, identity=identity(target)),
                video_row(fake, FAKE, split, "end_to_end", identity(target), original, "swap"),
            ):
                if rows.setdefault(row["path"], row)["split"] != split:
                    raise InputError(
                        f"{where}: {target} is also in {rows[row['path']]['split']}.txt; download the lists again"
                    )
    refuse_strays(root, videos_in(root, FAKES), rows, f"{LISTS}/*.txt")
    return list(rows.values())

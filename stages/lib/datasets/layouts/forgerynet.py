"""ForgeryNet's videos: He et al., CVPR 2021.

The authors' description, github.com/yinanhe/ForgeryNet, ``Readme.txt``: a list with a line for each video, ``<segments>
<video> (<start> <frames> <label>)* <binary label> <three-way label> <16-way label>``. The validation set's is
``Validation/video_list.txt``, its videos lie below ``Validation/video`` (``videos`` in the Readme) under the names
listed. Its readers test on it, as the test set came without labels. What the 16 classes are is not in the Readme: the
names, and where the list lies, are those of the public code of Coccomini et al. on this dataset.

The paper (section 4.2) tests on 480 fakes, "60 for each manipulation method", and 480 reals, drawn at random: so do we,
with a seed of our own, from the names as listed and sorted, so the draw does not depend on what has been downloaded.
"""

from pathlib import Path

import numpy as np

from stages.lib.datasets.layouts.tree import need, read_lines, video_row
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

VIDEO_LIST = "Validation/video_list.txt"
PER_METHOD = 60
CLASSES = (
    "real", "FaceShifter", "FS-GAN", "DeepFakes", "BlendFace", "MMReplacement", "DeepFakes-StarGAN-Stack",
    "Talking-Head-Video", "ATVG-Net", "StarGAN-BlendFace-Stack", "First-Order-Motion", "StyleGAN2", "MaskGAN",
    "StarGAN2", "SC-FEGAN", "DiscoFaceGAN",
)  # fmt: skip
_SEED = 2021


def index_forgerynet(root: Path) -> list[dict[str, str]]:
    """Index rows of the sampled test set: 60 fakes of each method, and as many reals as fakes.

    Raises :class:`LayoutMismatch`, and :class:`InputError` for a line that is not as described or contradicts itself.
    """
    need(root, VIDEO_LIST)
    folder = next((name for name in ("Validation/video", "Validation/videos") if (root / name).is_dir()), None)
    if folder is None:
        need(root, "Validation/video")
    by_class: dict[int, list[str]] = {}
    for where, words in read_lines(root / VIDEO_LIST):
        name, forgery = _parse(where, words)
        by_class.setdefault(forgery, []).append(f"{folder}/{name}")
    rng = np.random.default_rng(_SEED)
    reals = by_class.pop(0, [])
    fakes = {forgery: _draw(rng, paths, PER_METHOD) for forgery, paths in sorted(by_class.items())}
    rows = [video_row(path, FAKE, "test", CLASSES[forgery]) for forgery, paths in fakes.items() for path in paths]
    return rows + [video_row(path, REAL, "test") for path in _draw(rng, reals, len(rows))]


def _parse(where: str, words: list[str]) -> tuple[str, int]:
    """(video, 16-way label) of a line."""
    numbers = [word for at, word in enumerate(words) if at != 1]
    if len(words) < 5 or not all(word.isdigit() for word in numbers) or len(words) != 5 + 3 * int(words[0]):
        raise InputError(
            f"{where}: found '{' '.join(words)}', expected <segments> <video> (<start> <frames> <label>)* "
            "<binary> <three-way> <16-way label>; download it again"
        )
    binary, forgery = int(words[-3]), int(words[-1])
    if forgery >= len(CLASSES) or binary != (forgery > 0):
        raise InputError(f"{where}: binary label {binary} contradicts 16-way label {forgery}; correct the line")
    return words[1], forgery


def _draw(rng: np.random.Generator, paths: list[str], n: int) -> list[str]:
    paths = sorted(set(paths))
    return sorted(rng.permutation(paths)[:n].tolist())

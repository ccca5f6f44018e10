"""DeepFakeDetection (DFD), by Google and Jigsaw (2019), as FaceForensics++'s download script lays it out.

The authors' description, github.com/ondyari/FaceForensics, ``dataset/README.md``: 363 videos of 28 paid actors in 16
scenes, ``original_sequences/actors/<quality>/videos/<actor>__<scene>.mp4``, and 3,068 fakes made of them,
``manipulated_sequences/DeepFakeDetection/<quality>/videos/<target actor>_<source actor>__<scene>__<experiment>.mp4``,
both at FaceForensics++'s qualities. A fake is the target's video of that scene with the face of the source. No split
is given out: all of it is for testing, as its peers do (DeepfakeBench's ``preprocessing/rearrange.py``).
"""

import re
from pathlib import Path

from stages.lib.datasets.layouts.ffpp import find_quality
from stages.lib.datasets.layouts.tree import need, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

ACTORS = "original_sequences/actors"
FAKES = "manipulated_sequences/DeepFakeDetection"
_REAL_NAME = re.compile(r"(?P<actor>\d+)__(?P<scene>.+)")
_FAKE_NAME = re.compile(r"(?P<actor>\d+)_\d+__(?P<scene>.+)__[^_]{8}")


def index_dfd(root: Path, quality: str | None) -> list[dict[str, str]]:
    """Index rows of all videos there at one quality (None: the only one that the originals are there at).

    Raises :class:`LayoutMismatch`, and :class:`InputError` for a quality that isn't there, a folder without videos and
    a name that isn't as described.
    """
    need(root, ACTORS, FAKES)
    quality = find_quality(root, quality, ACTORS)
    originals = f"{ACTORS}/{quality}/videos"
    fakes = f"{FAKES}/{find_quality(root, quality, FAKES)}/videos"
    rows = []
    for path, name in _named(root, originals, _REAL_NAME, "<actor>__<scene>"):
        rows.append(video_row(path, REAL, "test", identity=f"dfd/{name['actor']}"))
    for path, name in _named(root, fakes, _FAKE_NAME, "<target actor>_<source actor>__<scene>__<experiment>"):
        original = f"{originals}/{name['actor']}__{name['scene']}.mp4"
        rows.append(video_row(path, FAKE, "test", "DeepFakeDetection", f"dfd/{name['actor']}", original))
    return rows


def _named(root: Path, folder: str, pattern: re.Pattern[str], expected: str) -> list[tuple[str, re.Match[str]]]:
    """(path, match of its name) of each video of a folder."""
    paths = videos_in(root, folder)
    if not paths:
        raise InputError(f"{root / folder}: no videos in it; download them again")
    matches = [(path, pattern.fullmatch(Path(path).stem)) for path in paths]
    if odd := [path for path, match in matches if match is None]:
        raise InputError(
            f"{root}: {len(odd)} videos are not called {expected}.mp4, the first is {odd[0]}; correct their names, or "
            "move them elsewhere"
        )
    return [(path, match) for path, match in matches if match is not None]

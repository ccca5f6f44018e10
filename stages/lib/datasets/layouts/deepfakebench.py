"""DeepfakeBench's processed data: Yan et al., NeurIPS 2023. Face pictures of several datasets (``input: faces``).

The authors' repository, github.com/SCLBD/DeepfakeBench: ``preprocessing/preprocess.py`` writes aligned faces of 256 px
as ``…/frames/<video>/<frame number>.png`` beside each dataset's videos (their archives hold such folders), and
``preprocessing/rearrange.py`` lists them in a JSON file, {dataset: {label: {split: {video: {label, frames}}}}}, with a
level of compressions (``c23``, ``c40``) below the split for FaceForensics++'s. The root is the folder of the pictures,
with one such JSON file in it; other JSON files (FaceForensics++'s own lists) are told by their form. Its paths may be
of another machine and another system: the end of a path that is below the root counts.

Their lists name some videos in several splits (all of Celeb-DF's test videos are also for training; DeepFakeDetection
is in every split): such a video is a test video if it is one anywhere, else one to validate by. A video whose list of
frames is empty has no folder, and is left out with a warning; of the others all pictures in the folder count.

Labels are those of ``label_dict`` in ``training/config/test_config.yaml``, and others that end with ``_Real`` or
``_Fake``, as its ``roop_Fake``. Originals and people are known for FaceForensics++ and Celeb-DF (v2), by their names.
"""

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stages.lib.datasets.layouts.celebdf import identity as celebdf_identity
from stages.lib.datasets.layouts.ffpp import QUALITIES, RAW
from stages.lib.datasets.layouts.ffpp import identity as ffpp_identity
from stages.lib.datasets.layouts.tree import LayoutMismatch, video_row
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL, SPLITS

_FORM = "one JSON file of the form {dataset: {label: {train, val, test}}}"
# Of each fake's label: the method, as the datasets' own layouts call it, and its family where its name doesn't say it.
_METHODS = {
    "FF-DF": ("Deepfakes", ""),
    "FF-F2F": ("Face2Face", ""),
    "FF-FS": ("FaceSwap", ""),
    "FF-NT": ("NeuralTextures", ""),
    "FF-FH": ("FaceShifter", ""),
    "FF-SH": ("FaceShifter", ""),
    "DFD_fake": ("DeepFakeDetection", "swap"),
    "CelebDFv1_fake": ("Celeb-synthesis", ""),
    "CelebDFv2_fake": ("Celeb-synthesis", ""),
    "DFDCP_FakeA": ("method_A", "swap"),
    "DFDCP_FakeB": ("method_B", "swap"),
    "DFDC_Fake": ("DFDC", ""),
    "DF_fake": ("end_to_end", "swap"),
    "UADFV_Fake": ("UADFV", "swap"),
}
_IN_ORDER = ("test", "val", "train")  # which split a video of several belongs to


@dataclass(frozen=True)
class _Listed:
    """A video of the list: its label and split, and the parts of the path of its folder of pictures."""

    label: str
    split: str
    folder: tuple[str, ...]


def index_deepfakebench(root: Path, quality: str | None) -> list[dict[str, str]]:
    """Index rows of the videos of the root's JSON file, at one quality where they come in several (None: the only one).

    Raises :class:`LayoutMismatch`, and :class:`InputError` where the file is none of DeepfakeBench's, has a label or
    split that isn't known, or names no picture below the root.
    """
    path, content = _find_list(root)
    listed, empty = [], []
    for name, split, videos in _splits(path, content, quality):
        for video, entry in _videos(videos, split):
            folders = {_parts(frame)[:-1] for frame in entry["frames"]}
            if len(folders) > 1:
                raise InputError(
                    f"{path}: the frames of {video} ({name}) lie in {len(folders)} folders; write it again"
                )
            if folders:
                listed.append(_Listed(str(entry.get("label", name)), split, folders.pop()))
            else:
                empty.append(f"{name}/{split}/{video}")
    if empty:
        warnings.warn(f"{path}: {len(empty)} videos have no frames, {empty[0]} first: not indexed", stacklevel=2)
    if not listed:
        raise InputError(f"{path}: names no frames; write it again with preprocessing/rearrange.py")
    return _rows(path, _below(root, path, listed))


def _find_list(root: Path) -> tuple[Path, dict[str, Any]]:
    """The root's JSON file of DeepfakeBench's form, and what is in it."""
    found = []
    for path in sorted(root.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a readable JSON file ({error}); write it again") from error
        if _has_form(content):
            found.append((path, content))
    if not found:
        raise LayoutMismatch(f"{_FORM}, as preprocessing/rearrange.py writes it")
    if len(found) > 1:
        raise InputError(
            f"{root}: {len(found)} lists ({', '.join(path.name for path, _ in found)}), expected {_FORM}; link each "
            "with its pictures into a folder of its own"
        )
    return found[0]


def _has_form(content: Any) -> bool:
    if not (isinstance(content, dict) and content and all(isinstance(one, dict) for one in content.values())):
        return False
    labels = [splits for one in content.values() for splits in one.values()]
    return bool(labels) and all(isinstance(splits, dict) and set(splits) & set(SPLITS) for splits in labels)


def _splits(path: Path, content: dict[str, Any], quality: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(label, split, videos) of the whole list, at one quality."""
    parts = [
        (label, split, videos)
        for labels in content.values()
        for label, splits in labels.items()
        for split, videos in splits.items()
    ]
    if wrong := [part for part in parts if part[1] not in SPLITS or not isinstance(part[2], dict)]:
        raise InputError(
            f"{path}: {wrong[0][0]} has '{wrong[0][1]}', expected videos of train, val, test; write it again"
        )
    there = [name for name in QUALITIES if any(name in videos for _, _, videos in parts)]
    wanted = RAW if quality in RAW else (quality,)
    fitting = [name for name in there if quality is None or name in wanted]
    if len(fitting) != 1 and (there or quality):
        raise InputError(
            f"{path}: looked for {quality or 'one quality'}, found {', '.join(there) or 'none'}; set `quality` of the "
            "dataset in params.yaml to one that is there, or remove it where there is none"
        )
    for label, split, videos in parts:
        yield label, split, videos.get(fitting[0], {}) if fitting else videos


def _videos(node: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, entry) of every video in a part of the list.

    Their script writes a test video of DFDC over the whole of its part ``val``, so a part may be a video too.
    """
    if isinstance(node.get("frames"), list):
        yield name, node
    for key, child in node.items():
        if isinstance(child, dict):
            yield from _videos(child, key)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def _below(root: Path, path: Path, listed: list[_Listed]) -> dict[str, _Listed]:
    """{path below the root: the video of the split that counts}."""
    ahead = next(
        (one.folder[:n] for one in listed for n in range(len(one.folder)) if root.joinpath(*one.folder[n:]).is_dir()),
        None,
    )
    if ahead is None:
        raise InputError(
            f"{path}: none of its {len(listed)} folders of pictures is in {root}, the first is "
            f"{'/'.join(listed[0].folder)}; link the folder that it starts with there"
        )
    videos: dict[str, _Listed] = {}
    for one in listed:
        if one.folder[: len(ahead)] != ahead:
            raise InputError(
                f"{path}: {'/'.join(one.folder)} doesn't lie in {'/'.join(ahead)}, where others do; write it again"
            )
        folder = "/".join(one.folder[len(ahead) :])
        before = videos.setdefault(folder, one)
        if before.label != one.label:
            raise InputError(f"{path}: {folder} is labelled {before.label} and {one.label}; write it again")
        if _IN_ORDER.index(one.split) < _IN_ORDER.index(before.split):
            videos[folder] = one
    return videos


def _rows(path: Path, videos: dict[str, _Listed]) -> list[dict[str, str]]:
    real_of = {
        (one.label, PurePosixPath(folder).name): folder for folder, one in videos.items() if _is_real(path, one.label)
    }
    rows = []
    for folder, one in videos.items():
        person, original = _who(folder, one.label, real_of)
        if _is_real(path, one.label):
            rows.append(video_row(folder, REAL, one.split, identity=person))
        else:
            method, family = _METHODS.get(one.label, (one.label[: -len("_Fake")], ""))
            rows.append(video_row(folder, FAKE, one.split, method, person, original, family))
    return rows


def _is_real(path: Path, label: str) -> bool:
    if label == "FF-real" or label.endswith(("_real", "_Real")):
        return True
    if label in _METHODS or label.endswith(("_fake", "_Fake")):
        return False
    raise InputError(
        f"{path}: label '{label}', expected one of FF-real, {', '.join(_METHODS)}, or one that ends with _Real or "
        "_Fake; correct it"
    )


def _who(folder: str, label: str, real_of: dict[tuple[str, str], str]) -> tuple[str, str]:
    """(identity, original) of a video, empty where they aren't known."""
    name = PurePosixPath(folder).name
    if label.startswith("FF-"):
        target = name.partition("_")[0]  # a fake is <target>_<source>
        return ffpp_identity(target), real_of.get(("FF-real", target), "")
    if label == "CelebDFv2_real":
        return celebdf_identity(f"{PurePosixPath(folder).parent.parent.name}/{name}"), ""
    if label == "CelebDFv2_fake":
        person, _, rest = name.partition("_")
        original = f"{person}_{rest.rpartition('_')[2]}"
        return celebdf_identity(f"Celeb-real/{original}"), real_of.get(("CelebDFv2_real", original), "")
    return "", ""

"""From a folder of photographs to shards of them: who is in each, and what is processed together."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from stages.lib.errors import InputError
from stages.lib.fingerprint import state
from stages.lib.records import Video

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SHARD_SIZE = 128  # photos: what a killed run does again, and what a worker holds in memory


@dataclass(frozen=True)
class Photo:
    """A photograph: its POSIX path below the root, and who is in it."""

    photo_id: str
    person: str


@dataclass(frozen=True)
class Shard(Video):
    """Photos whose faces are kept in one file, which ``video_id`` is the name of."""

    photos: tuple[Photo, ...]


def list_people(root: Path) -> list[Photo]:
    """The photos of a folder, sorted by photo_id; links are followed, hidden files and folders left out.

    The person is the folder that a picture lies in (``NAME/NAME_0001.jpg``, at any depth). A picture directly in the
    root is of a person of its own, and so is one in FFHQ's folders of a thousand people.
    Raises :class:`InputError` where there is no such folder, and where there is no picture in it.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; correct `root` under `photos` in params.yaml")
    photos = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        within = PurePosixPath(Path(folder).relative_to(root).as_posix())
        pictures = [name for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        photos += [_photo(within / name) for name in pictures]
    if not photos:
        raise InputError(
            f"{root}: no picture ({', '.join(SUFFIXES)}) in it; expected a folder for each person (NAME/NAME_0001.jpg) "
            "or pictures alone; correct `root` under `photos` in params.yaml"
        )
    return sorted(photos, key=lambda photo: photo.photo_id)


def _photo(path: PurePosixPath) -> Photo:
    own = path.parent == PurePosixPath(".") or _is_ffhq(path)
    return Photo(str(path), str(path.with_suffix("") if own else path.parent))


def _is_ffhq(path: PurePosixPath) -> bool:
    """Whether a path is FFHQ's own, ``…/05000/05123.png``: 1,000 people in a folder."""
    folder, name = path.parent.name, path.stem
    return len(folder) == len(name) == 5 and folder.isdigit() and name.isdigit() and folder == f"{name[:2]}000"


def shards_of(photos: Sequence[Photo], root: Path) -> list[Shard]:
    """The photos in their order, ``SHARD_SIZE`` to a shard; an added photo moves those that come after it."""
    return [
        _shard(f"{number:04d}", photos[start : start + SHARD_SIZE], root)
        for number, start in enumerate(range(0, len(photos), SHARD_SIZE))
    ]


def _shard(name: str, photos: Sequence[Photo], root: Path) -> Shard:
    digest = hashlib.blake2b(digest_size=16)
    for photo in photos:
        digest.update(f"{photo.photo_id}\0{photo.person}\0{state(root / photo.photo_id)}\0".encode())
    return Shard(name, digest.hexdigest(), tuple(photos))


def read_photo(path: Path) -> np.ndarray | None:
    """A photo as BGR uint8 (h, w, 3), turned upright as its EXIF data say; None where it can't be read."""
    try:
        return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # gone, empty, or larger than OpenCV decodes
        return None

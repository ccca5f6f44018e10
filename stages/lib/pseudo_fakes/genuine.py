"""Genuine fakes in the bank, beside pseudo-fakes or in their place (``train.fakes``): whose face is the real one of
each, and where it was forged.

The method trains on pseudo-fakes alone (section 3.1); this is for comparing it with what the papers' tables call
classifiers, which are trained on the fakes of a dataset.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stages.lib.datasets.roles import target_and_source
from stages.lib.errors import InputError
from stages.lib.files import bank_file, faces_file, sources_file, write_array
from stages.lib.fingerprint import sha256
from stages.lib.pseudo_fakes.bank import GENUINE
from stages.lib.pseudo_fakes.making import Source
from stages.lib.records import FAKE, Video
from stages.lib.schemas import FACES, FACES_TABLE, FAKES
from stages.lib.tables import read_table

_CHANGED = 12.0  # levels by which a smoothed difference is more than what compression leaves
_SMOOTHED = 1 / 56  # of a crop's side: the deviation that differences are smoothed by


@dataclass(frozen=True)
class GenuineFake(Video):
    """A fake video of train or val, each of whose faces is told from a real one.

    ``faces``, ``reals``: the files of the fake's crops and of the real video's; by row of the former, ``real_rows``:
    int64 (n,), rows of the latter, and ``same_frame``: bool (n,), whether that is the very frame that was forged.
    ``of_original``: whether the real video is the one that the fake was made from. ``source``, ``source_rows``: the
    file and rows of the faces that were put in, where they are kept.
    """

    split: str
    method: str
    faces: Path
    reals: Path
    real_rows: np.ndarray
    same_frame: np.ndarray
    of_original: bool
    source: Path | None = None
    source_rows: np.ndarray | None = None


def genuine_fakes(
    index: pd.DataFrame, faces: Path, reals: Sequence[Source], keep_sources: bool = False
) -> list[GenuineFake]:
    """The fakes of train and val that can be used, each with the faces of its original, or of another real video.

    Left out are those without faces, those made from a video of another split, and those whose name tells that they
    show a person whose real video isn't of their split, or has no faces: else test people could be trained on. The real
    video is the original where that is one of ``reals``; else one of the split, the lowest by a hash beside the fake's
    name, so that an added one takes few others' places, and its faces are taken in order.

    ``index``: the ``INDEX`` table of the training dataset, with the splits that count; ``faces``: its folder of faces;
    ``reals``: of :func:`.making.training_videos`; ``keep_sources``: find the faces that were put in as well, and leave
    out fakes whose original isn't there, for guidance asks for both. Raises :class:`InputError` where a split has no
    such fake, and where it is asked for and not known whose face one shows.
    """
    table = read_table(faces / FACES_TABLE, FACES, ["video_id", "face_row", "frame_index", "time_s"])
    table = table.filter(pc.is_valid(table["face_row"])).to_pandas().sort_values("face_row")
    found = dict(iter(table.groupby("video_id")))
    known = {real.video_id.removeprefix("videos/"): real for real in reals}
    split_of = dict(zip(index["video_id"], index["split"], strict=True))
    listed = index[(index["label"] == FAKE) & index["split"].isin(["train", "val"])]
    fakes = []
    for video_id, split, method, original in listed[["video_id", "split", "method", "original"]].itertuples(
        index=False
    ):
        if video_id not in found or split_of.get(original, split) != split:
            continue
        own, real = found[video_id], known.get(original)
        of_original = real is not None
        _, shown = target_and_source({"video_id": video_id, "original": original})
        if keep_sources and not shown:
            raise InputError(
                f"guidance needs the faces that were put into each fake, but the name of {video_id} of the training "
                "dataset doesn't tell whose they are, as FaceForensics++'s do; set `train.fakes: pseudo`, or "
                "`guidance.weights: none`"
            )
        source = known.get(shown)
        if (shown and (source is None or source.split != split)) or (keep_sources and not of_original):
            continue
        if real is None:
            real = _some_real(video_id, [one for one in reals if one.split == split])
        theirs = found[real.video_id.removeprefix("videos/")]
        rows, same = counterparts(own, theirs) if of_original else _in_order(len(own), len(theirs))
        file = faces_file(faces, video_id)
        digest = hashlib.blake2b(f"{sha256(file)}\0{real.made_from}\0{split}\0{method}".encode(), digest_size=16)
        digest.update(rows.tobytes() + same.tobytes())
        put_in: tuple[Path | None, np.ndarray | None] = (None, None)
        if keep_sources and source is not None:
            put_in = source.faces, counterparts(own, found[shown])[0]
            digest.update(f"{source.made_from}\0{put_in[1]}".encode())
        of = (split, method, file, real.faces, rows, same, of_original, *put_in)
        fakes.append(GenuineFake(f"{GENUINE}{video_id}", digest.hexdigest(), *of))
    for split in ("train", "val"):
        if not any(fake.split == split for fake in fakes):
            raise InputError(
                f"train.fakes asks for genuine fakes, but the training dataset has none to use with split={split} "
                f"({(listed['split'] == split).sum()} listed, none with a face, or all of another split's people); set "
                "`fakes: [train, val, test]` of the dataset under `datasets` in params.yaml, add some to its manifest, "
                "or set `train.fakes: pseudo`"
            )
    return fakes


def counterparts(fake: pd.DataFrame, real: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """For each face of a fake the row of its original's face, int64 (n,), and whether it is of the same frame, bool
    (n,): that of the same frame number, or else the nearest in time.

    ``fake``, ``real``: ``frame_index`` and ``time_s`` of the faces, by row.
    """
    same = fake["frame_index"].to_numpy()[:, None] == real["frame_index"].to_numpy()[None]
    apart = np.abs(fake["time_s"].to_numpy()[:, None] - real["time_s"].to_numpy()[None])
    has_same = same.any(axis=1)
    return np.where(has_same, same.argmax(axis=1), apart.argmin(axis=1)), has_same


def _in_order(n: int, n_real: int) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`counterparts`, of a video of something else: n of its faces, spread over all."""
    return np.arange(n) * n_real // n, np.zeros(n, bool)


def _some_real(video_id: str, reals: Sequence[Source]) -> Source:
    def rank(real: Source) -> bytes:
        return hashlib.blake2b(f"{video_id}\0{real.video_id}".encode(), digest_size=8).digest()

    return min(reals, key=rank)


def genuine_images(fake: GenuineFake) -> np.ndarray:
    """The real face, the fake's and the mask of each face of a fake: uint8 (n, h, h, 7)."""
    forged, real = np.load(fake.faces), np.load(fake.reals, mmap_mode="r")[fake.real_rows]
    masks = [
        forged_mask(*pair) if same else np.full(pair[0].shape[:2], 255, np.uint8)
        for same, *pair in zip(fake.same_frame, real, forged, strict=True)
    ]
    return np.concatenate([real, forged, np.stack(masks)[..., None]], axis=3)


def forged_mask(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Where a frame was forged, as far as it shows: uint8 (h, h), 255 where crops (h, h, 3) of the same frame differ.

    Nobody says where a genuine fake was forged: this is the smoothed greatest difference of the channels, above what
    compression leaves. Where the face detector placed the two crops differently, edges differ too; where nothing does,
    the mask is the whole crop.
    """
    difference = np.abs(real.astype(np.float32) - fake).max(axis=2)
    changed = cv2.GaussianBlur(difference, (0, 0), _SMOOTHED * len(real)) > _CHANGED
    return np.where(changed | ~changed.any(), 255, 0).astype(np.uint8)


def genuine_bank(bank: Path, fake: GenuineFake) -> pa.Table:
    """Write the bank array of one genuine fake, uint8 (n, 1, h, h, 7): see :func:`genuine_images`; its ``FAKES``
    rows. Where they are kept, also the faces that were put in, uint8 (n, 1, h, h, 3): of the source's own video, as
    DiffusionFake has them, and not where they lie on the fake.
    """
    images = genuine_images(fake)
    if fake.source is not None:  # has its name before the bank has: where the bank is, it is whole
        write_array(sources_file(bank, fake.video_id), np.load(fake.source, mmap_mode="r")[fake.source_rows][:, None])
    write_array(bank_file(bank, fake.video_id), images[:, None])
    how = {"scheme": fake.method, "donor": None, "blend_ratio": 1.0, "transformed": "", "rate_factor": None}
    of = {"source": fake.video_id, "is_video": True, "split": fake.split, "variant": 0} | how
    return pa.Table.from_pylist([of | {"face_row": row} for row in range(len(images))], FAKES)


def genuine_in_words(fakes: Sequence[GenuineFake], index: pd.DataFrame) -> str:
    """How many of the fakes of train and val are trained on, and what their faces are told from: a line for each."""
    lines = []
    for split in ("train", "val"):
        own = [fake for fake in fakes if fake.split == split]
        n_listed = int(((index["label"] == FAKE) & (index["split"] == split)).sum())
        faces = sum(len(fake.real_rows) for fake in own)
        same = sum(int(fake.same_frame.sum()) for fake in own)
        others = sum(len(fake.real_rows) for fake in own if not fake.of_original)
        lines.append(
            f"genuine fakes of {split}: {len(own)} of {n_listed} are used (others have no face, or show somebody of "
            f"another split); of these {faces} faces {same} are told from the same frame of the original, "
            f"{faces - same - others} from the nearest one, {others} from another real video"
        )
    return "\n".join(lines)

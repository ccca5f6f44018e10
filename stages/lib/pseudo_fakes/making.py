"""Making the bank of pseudo-fakes (section 3.1): of whom it is made, with which donors, and one source's part.

A source is a video, whose frames are forged alike, or a part of a photo set, each of whose pictures is forged for
itself.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stages.lib.errors import InputError
from stages.lib.files import atomic_path, bank_file, faces_file, sources_file
from stages.lib.fingerprint import sha256
from stages.lib.photos.faces import shard_file
from stages.lib.pseudo_fakes.augmentation import draw_degradation
from stages.lib.pseudo_fakes.bank import CHANNELS
from stages.lib.pseudo_fakes.compression import through_x264
from stages.lib.pseudo_fakes.forgery import Donor
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.records import REAL, Video
from stages.lib.schemas import FACES, FACES_TABLE, FAKES, PHOTOS, PHOTOS_TABLE
from stages.lib.seeding import video_rng
from stages.lib.tables import landmarks_of, read_table

COMPRESSED = 0.75  # share of pseudo-fakes that go through x264, where synthesis.crf says so
_LONGEST_STILL = 3  # frames of the run that a photo is compressed as; its last one is kept
_DRIFT = 1.0  # px, deviation of the motion between them
_DONORS = 8  # sources whose faces may be put into one
_LOOKED_THROUGH = 150  # of their faces: among them that of the nearest pose is taken
_POSE = [0, 8, 16, 17, 26, 30, 36, 45, 48, 54, 62, 66]  # jaw, brows, nose, eyes and mouth tell it


@dataclass(frozen=True)
class Source(Video):
    """Real faces that pseudo-fakes are made of: those of a video, or of a part of a photo set.

    ``faces``: the file of the crops; by row of that file, ``landmarks``: float64 (n, 68, 2), in pixels of the crop, and
    ``people``: str (n,), who it is, in a video always the same. ``donors``: the sources whose faces may be put in.
    """

    split: str
    is_video: bool
    people: np.ndarray
    faces: Path
    landmarks: np.ndarray
    donors: tuple["Source", ...] = ()

    @property
    def runs(self) -> list[np.ndarray]:
        """The rows that are forged alike: all of a video, each photo for itself."""
        rows = np.arange(len(self.landmarks))
        return [rows] if self.is_video else list(rows[:, None])


def training_videos(index: pd.DataFrame, faces: Path) -> list[Source]:
    """The real videos of train and val that have faces; one whose person has no name shows nobody else's.

    ``index``: the ``INDEX`` table of the training dataset, with the splits that count; ``faces``: its folder of faces.
    Raises :class:`InputError` where a split has no such video.
    """
    table = read_table(faces / FACES_TABLE, FACES, ["video_id", "face_row", "landmarks"])
    table = table.filter(pc.is_valid(table["face_row"]))
    first = dict(zip(*np.unique(table["video_id"].to_numpy(), return_index=True), strict=True)) if len(table) else {}
    counts = table["video_id"].value_counts()
    counts = dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True))
    listed = index[(index["label"] == REAL) & index["split"].isin(["train", "val"])]
    videos = []
    for video_id, split, identity in listed[["video_id", "split", "identity"]].itertuples(index=False):
        if video_id in counts:
            own = table.slice(int(first[video_id]), counts[video_id]).sort_by("face_row")
            file = faces_file(faces, video_id)
            people = np.full(len(own), identity or video_id)
            videos.append(make_source(f"videos/{video_id}", split, True, people, file, landmarks_of(own)))
    for split in ("train", "val"):
        if not any(video.split == split for video in videos):
            raise InputError(
                f"the training dataset has no usable real video with split={split} ({(listed['split'] == split).sum()} "
                "listed, none with a face); add some to its manifest, or choose another `train_dataset` in params.yaml"
            )
    return videos


def make_source(
    name: str, split: str, is_video: bool, people: np.ndarray, faces: Path, landmarks: np.ndarray
) -> Source:
    """A source that is made from its split, faces and landmarks."""
    made_from = hashlib.blake2b(f"{split}\0{sha256(faces)}".encode() + landmarks.tobytes(), digest_size=16).hexdigest()
    return Source(name, made_from, split, is_video, people, faces, landmarks)


def training_photos(folder: Path) -> list[Source]:
    """The photo sets of ``data/photos``, in parts as they are stored; all of them serve to train.

    Two sets' people are never one.
    """
    parts = []
    for table in sorted(folder.glob(f"*/{PHOTOS_TABLE}")):
        photos = read_table(table, PHOTOS, ["person", "shard", "row", "landmarks"])
        photos = photos.filter(pc.is_valid(photos["row"]))
        for shard in pc.unique(photos["shard"]).to_pylist():
            own = photos.filter(pc.equal(photos["shard"], shard)).sort_by("row")
            file = shard_file(table.parent, shard)
            name = f"photos/{table.parent.name}/{shard}"
            people = np.array([f"{table.parent.name}/{person}" for person in own["person"].to_pylist()])
            parts.append(make_source(name, "train", False, people, file, landmarks_of(own)))
    return parts


def with_donors(sources: Sequence[Source]) -> list[Source]:
    """The sources, each with its donors: a few sources of the same split that show somebody else.

    They are those with the lowest hash beside this source's name, so an added one takes few others' places. A part of a
    photo set may be a donor of its own. What the source is made from is then its own faces, people and landmarks and
    its donors'.
    """
    return [_with_donors(source, sources) for source in sources]


def _with_donors(source: Source, sources: Sequence[Source]) -> Source:
    def rank(other: Source) -> bytes:
        return hashlib.blake2b(f"{source.video_id}\0{other.video_id}".encode(), digest_size=8).digest()

    own = set(source.people)
    others = [one for one in sources if one.split == source.split and len(own | set(one.people)) > 1]
    donors = tuple(sorted(others, key=rank)[:_DONORS])
    digest = hashlib.blake2b(digest_size=16)
    for one in (source, *donors):
        digest.update(f"{one.video_id}\0{one.made_from}".encode())
        digest.update("\0".join(one.people).encode())
    return replace(source, made_from=digest.hexdigest(), donors=donors)


def _pose(landmarks: np.ndarray) -> np.ndarray:
    """What tells the pose of faces with landmarks (n, 68, 2), whatever their place and size: (n, 24)."""
    points = landmarks[:, _POSE]
    points = points - points.mean(axis=1, keepdims=True)
    size = np.sqrt((points**2).sum(axis=(1, 2), keepdims=True))
    result: np.ndarray = (points / np.maximum(size, 1e-9)).reshape(len(points), -1)
    return result


def choose_donor(
    landmarks: np.ndarray, person: str, donors: Sequence[Source], rng: np.random.Generator
) -> tuple[int, np.ndarray] | None:
    """Whose face goes onto a run of faces, landmarks (k, 68, 2): which of ``donors``, and which of its rows (k,).

    It is the one of the nearest pose among some that are drawn: a photo for the whole run, or a video, of which
    whichever frame suits each face. Never of the ``person`` whose faces they are; None where there is nobody else.
    """
    others = [np.flatnonzero(donor.people != person) for donor in donors]
    if not any(map(len, others)):
        return None
    whose, rows = np.repeat(np.arange(len(donors)), [len(own) for own in others]), np.concatenate(others)
    drawn = rng.choice(len(rows), min(_LOOKED_THROUGH, len(rows)), replace=False)
    poses = _pose(np.stack([donors[whose[at]].landmarks[rows[at]] for at in drawn]))
    nearest = drawn[_distances(_pose(landmarks), poses).mean(axis=0).argmin()]
    chosen = int(whose[nearest])
    if not donors[chosen].is_video:
        return chosen, np.full(len(landmarks), rows[nearest])
    return chosen, _distances(_pose(landmarks), _pose(donors[chosen].landmarks)).argmin(axis=1)


def _distances(poses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Between poses (n, d) and others (m, d): (n, m)."""
    result: np.ndarray = np.abs(poses[:, None] - others[None]).sum(axis=2)
    return result


@dataclass(frozen=True)
class ForgedRun:
    """A run of faces forged alike: ``images``, uint8 (k, h, h, 7): the real face, the pseudo-fake, the mask.

    ``sources``: uint8 (k, h, h, 3), what was pasted (:class:`Forgery`), degraded and compressed as they are; None
    where it isn't kept.
    """

    images: np.ndarray
    scheme: str
    blend_ratio: float
    transformed: str
    rate_factor: int | None
    sources: np.ndarray | None


def forge_run(
    faces: np.ndarray,
    landmarks: np.ndarray,
    settings: SynthesisSettings,
    rng: np.random.Generator,
    donors: Sequence[Donor | None],
    is_video: bool,
    keep_sources: bool = False,
) -> ForgedRun:
    """Forge a run of faces, RGB uint8 (k, h, h, 3), alike: one scheme, mask, colour, strength and compression.

    Each frame's forgery draws the same; only the camera's noise is another in each, the same on a real face and its
    pseudo-fake. What is taken from ``rng`` depends on neither the faces nor their number. ``donors``: one for each
    face, or None throughout. ``is_video``: the run is compressed as the video it is; a photo as a still.
    ``keep_sources`` changes no draw.
    """
    rng = np.random.default_rng(rng.integers(2**63))  # of its own, since there is as much noise as there are frames
    weights = np.array(list(settings.schemes.values()), float)
    scheme = str(rng.choice(list(settings.schemes), p=weights / weights.sum()))
    draws, degradation = int(rng.integers(2**63)), draw_degradation(rng)
    compressed = rng.random() < COMPRESSED
    factor = int(rng.integers(settings.crf[0], settings.crf[1] + 1)) if settings.crf and compressed else None
    still = (int(rng.integers(1, _LONGEST_STILL + 1)), rng.normal(0, _DRIFT, 2))
    forge = SCHEMES[scheme].forge
    made = [
        forge(face, points, np.random.default_rng(draws), donor)
        for face, points, donor in zip(faces, landmarks, donors, strict=True)
    ]
    alike = [[one.real, one.fake, *([one.source] if keep_sources else [])] for one in made]
    if settings.degrade:
        alike = [degradation.apply(pictures, rng) for pictures in alike]
    runs = np.stack(alike, axis=1)
    if factor is not None:
        runs = np.stack([through_x264(run, factor) if is_video else _as_still(run, factor, *still) for run in runs])
    masks = np.stack([np.round(255 * one.mask).astype(np.uint8) for one in made])
    images = np.concatenate([runs[0], runs[1], masks[..., None]], axis=3)
    sources = runs[2] if keep_sources else None
    return ForgedRun(images, scheme, made[0].blend_ratio, made[0].transformed, factor, sources)


def _as_still(photo: np.ndarray, factor: int, frames: int, motion: np.ndarray) -> np.ndarray:
    """A photo (1, h, h, 3) as x264 leaves the last frame of a still: it has moved by ``motion`` px from each frame to
    the next.
    """
    side = photo.shape[1]
    run = [
        cv2.warpAffine(
            photo[0], np.column_stack([np.eye(2), back * motion]), (side, side), borderMode=cv2.BORDER_REPLICATE
        )
        for back in range(frames - 1, 0, -1)
    ]
    return through_x264(np.stack([*run, photo[0]]), factor)[-1:]


@contextmanager
def _array_on_disk(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """An array of uint8 that is written as it is made: a part of a photo set is larger than memory should be."""
    with atomic_path(path) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        yield array
        array.flush()


def synthesize_bank(
    bank: Path, settings: SynthesisSettings, seed: int, source: Source, keep_sources: bool = False
) -> pa.Table:
    """Write the bank array of one source, uint8 (n, variants, size, size, 7): see :class:`ForgedRun`; its ``FAKES``
    rows. With ``keep_sources`` also an array of what was pasted, uint8 (n, variants, size, size, 3).
    """
    rng = video_rng(seed, source.video_id, "synthesize")
    crops = np.load(source.faces, mmap_mode="r")
    donor_crops = [np.load(donor.faces, mmap_mode="r") for donor in source.donors]
    shape = (len(crops), settings.variants, *crops.shape[1:3])
    rows = []
    with ExitStack() as files:
        array = files.enter_context(_array_on_disk(bank_file(bank, source.video_id), (*shape, CHANNELS)))
        pasted = None
        if keep_sources:  # has its name before the bank has: where the bank is, it is whole
            pasted = files.enter_context(_array_on_disk(sources_file(bank, source.video_id), (*shape, 3)))
        for run in source.runs:
            for variant in range(settings.variants):
                landmarks, person = source.landmarks[run], source.people[run[0]]
                donors: list[Donor | None] = [None] * len(run)
                name = None
                wanted = rng.random() < settings.donors
                if wanted and (chosen := choose_donor(landmarks, person, source.donors, rng)) is not None:
                    at, suited = chosen
                    donor, name = source.donors[at], source.donors[at].video_id
                    donors = [Donor(np.asarray(donor_crops[at][row]), donor.landmarks[row]) for row in suited]
                faces = np.asarray(crops[run])
                made = forge_run(faces, landmarks, settings, rng, donors, source.is_video, keep_sources)
                array[run, variant] = made.images
                if pasted is not None:
                    pasted[run, variant] = made.sources
                how = {"scheme": made.scheme, "blend_ratio": made.blend_ratio, "transformed": made.transformed}
                how |= {"rate_factor": made.rate_factor, "variant": variant}
                how |= {"donor": None if SCHEMES[made.scheme].own_face else name}
                of = {"source": source.video_id, "split": source.split, "is_video": source.is_video}
                rows += [of | how | {"face_row": int(row)} for row in run]
    return pa.Table.from_pylist(rows, FAKES)

"""Making the bank of pseudo-fakes: of whom it is made, with which donors, and one video's part (section 3.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stages.lib.errors import InputError
from stages.lib.files import bank_file, faces_file, write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.pseudo_fakes.synthesis import Donor, synthesize
from stages.lib.records import REAL, Video
from stages.lib.seeding import video_rng
from stages.lib.tables import FACES, FACES_TABLE, FAKES, landmarks_of, read_table


@dataclass(frozen=True)
class TrainingVideo(Video):
    """A real video of the training dataset's train or val split that has faces.

    ``landmarks``: float64 (n, 68, 2) by face row, in pixels of the crop. ``donors``: the videos whose faces may be
    blended in.
    """

    split: str
    identity: str
    landmarks: np.ndarray
    donors: tuple["TrainingVideo", ...] = ()

    @property
    def person(self) -> str:
        """Who is in it; a video whose person has no name shows nobody else's."""
        return self.identity or self.video_id


def training_videos(index: pd.DataFrame, faces: Path, n_donors: int) -> list[TrainingVideo]:
    """The real videos of train and val that have faces, each with ``n_donors`` donors.

    ``index``: the ``INDEX`` table of the training dataset, with the splits that count; ``faces``: its folder of faces.
    Raises :class:`InputError` where a split has no such video.
    """
    table = read_table(faces / FACES_TABLE, FACES, ["video_id", "face_row", "landmarks"])
    table = table.filter(pc.is_valid(table["face_row"]))
    listed = index[(index["label"] == REAL) & index["split"].isin(["train", "val"])]
    videos = []
    for row in listed[["video_id", "split", "identity"]].to_dict("records"):
        own = table.filter(pc.equal(table["video_id"], row["video_id"])).sort_by("face_row")
        if len(own):
            made_from = fingerprint(faces_file(faces, row["video_id"]))
            videos.append(TrainingVideo(**row, made_from=made_from, landmarks=landmarks_of(own)))
    for split in ("train", "val"):
        if not any(video.split == split for video in videos):
            raise InputError(
                f"the training dataset has no usable real video with split={split} ({(listed['split'] == split).sum()} "
                "listed, none with a face); add some to its manifest, or choose another `train_dataset` in params.yaml"
            )
    return [_with_donors(video, videos, n_donors) for video in videos]


def _with_donors(video: TrainingVideo, videos: Sequence[TrainingVideo], wanted: int) -> TrainingVideo:
    """The video with ``wanted`` donors: videos of other people of the same split.

    They are those with the lowest hash beside this video's name, so an added video takes few others' places. What the
    video is made from is then its own faces and landmarks and its donors'.
    """

    def rank(other: TrainingVideo) -> bytes:
        return hashlib.blake2b(f"{video.video_id}\0{other.video_id}".encode(), digest_size=8).digest()

    others = [other for other in videos if other.split == video.split and other.person != video.person]
    donors = tuple(sorted(others, key=rank)[:wanted])
    digest = hashlib.blake2b(video.split.encode(), digest_size=16)
    for source in (video, *donors):
        digest.update(f"{source.video_id}\0{source.made_from}".encode())
        digest.update(source.landmarks.tobytes())
    return replace(video, made_from=digest.hexdigest(), donors=donors)


def synthesize_bank(faces: Path, bank: Path, settings: SynthesisSettings, seed: int, video: TrainingVideo) -> pa.Table:
    """Write the bank array of one video, uint8 (n, variants, 2, size, size, 3): real face, then pseudo-fake; its
    ``FAKES`` rows.
    """
    rng = video_rng(seed, video.video_id, "synthesize")
    crops = np.load(faces_file(faces, video.video_id), mmap_mode="r")
    donor_crops = [np.load(faces_file(faces, donor.video_id), mmap_mode="r") for donor in video.donors]
    array = np.empty((len(crops), settings.variants, 2, *crops.shape[1:]), np.uint8)
    rows = []
    for face_row in range(len(crops)):
        for variant in range(settings.variants):
            donor_id, donor = None, None
            if video.donors and rng.random() < settings.donors:
                chosen = variant % len(video.donors)
                donor_id, landmarks = video.donors[chosen].video_id, video.donors[chosen].landmarks
                drawn = rng.integers(len(landmarks))
                donor = Donor(np.asarray(donor_crops[chosen][drawn]), landmarks[drawn])
            face = np.asarray(crops[face_row])
            made = synthesize(face, video.landmarks[face_row], rng, settings.schemes, settings.degrade, donor)
            array[face_row, variant] = made.real, made.fake
            row = {"video_id": video.video_id, "split": video.split, "face_row": face_row, "variant": variant}
            how = {"scheme": made.scheme, "blend_ratio": made.blend_ratio, "transformed": made.transformed}
            rows.append(row | how | {"donor": donor_id})
    write_array(bank_file(bank, video.video_id), array)
    return pa.Table.from_pylist(rows, FAKES)

"""synthesize_fakes: a bank of pseudo-fakes of the training dataset's real faces, several variants per face (section 3.1)."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.config import CrossValidation, Synthesis
from stages.lib.errors import InputError
from stages.lib.files import atomic_folder, write_array
from stages.lib.folds import read_index
from stages.lib.plots import fakes_sheet
from stages.lib.runtime import map_videos
from stages.lib.seeding import video_rng
from stages.lib.synthesis import Donor, synthesize
from stages.lib.tables import FACES, FAKES, N_LANDMARKS, REAL, read_table, vectors, write_table
from stages.params import load_params


def _synthesize(faces_folder: Path, out: Path, settings: Synthesis, seed: int, video: dict) -> list[dict]:
    video_id, landmarks, donors = video["video_id"], video["landmarks"], video["donors"]
    rng = video_rng(seed, video_id, "synthesize")
    faces = np.load(faces_folder / f"{video_id}.npy", mmap_mode="r")
    bank = np.empty((len(faces), settings.variants, 2, *faces.shape[1:]), np.uint8)
    rows = []
    for face_row in range(len(faces)):
        for variant in range(settings.variants):
            donor_id, donor = None, None
            if donors and rng.random() < settings.donors:
                donor_id, donor_landmarks = donors[variant % len(donors)]
                row = rng.integers(len(donor_landmarks))
                donor_faces = np.load(faces_folder / f"{donor_id}.npy", mmap_mode="r")
                donor = Donor(np.asarray(donor_faces[row]), donor_landmarks[row])
            face = np.asarray(faces[face_row])
            made = synthesize(face, landmarks[face_row], rng, settings.schemes, settings.degrade, donor)
            bank[face_row, variant] = made.real, made.fake
            row = {"video_id": video_id, "split": video["split"], "face_row": face_row, "variant": variant}
            how = {"scheme": made.scheme, "blend_ratio": made.blend_ratio, "transformed": made.transformed}
            rows.append(row | how | {"donor": donor_id})
    write_array(out / f"{video_id}.npy", bank)
    return rows


def _training_videos(index: Path, faces: Path, folds: CrossValidation) -> list[dict]:
    """The real videos of train and val that have faces: video_id, split, identity, landmarks float64 (n, 68, 2) by face row."""
    table = read_table(faces / "faces.parquet", FACES, ["video_id", "face_row", "landmarks"])
    table = table.filter(pc.is_valid(table["face_row"]))
    listed = read_index(index, folds, is_training_dataset=True)
    listed = listed[(listed["label"] == REAL) & listed["split"].isin(["train", "val"])]
    videos = []
    for row in listed[["video_id", "split", "identity"]].to_dict("records"):
        own = table.filter(pc.equal(table["video_id"], row["video_id"])).sort_by("face_row")
        if len(own):
            videos.append(row | {"landmarks": vectors(own, "landmarks").reshape(-1, N_LANDMARKS, 2).astype(np.float64)})
    for split in ("train", "val"):
        if not any(video["split"] == split for video in videos):
            raise InputError(
                f"{index}: the training dataset has no usable real video with split={split} "
                f"({(listed['split'] == split).sum()} listed, none with a face); "
                "add some to its manifest, or choose another `train_dataset` in params.yaml"
            )
    return videos


def _donors(video: dict, videos: list[dict], wanted: int) -> list[tuple[str, np.ndarray]]:
    """(video_id, landmarks) of ``wanted`` videos of other people of the same split.

    They are those with the lowest hash beside this video's name, so an added video takes few others' places.
    """

    def rank(other: dict) -> bytes:
        return hashlib.blake2b(f"{video['video_id']}\0{other['video_id']}".encode(), digest_size=8).digest()

    person = video["identity"] or video["video_id"]
    others = [v for v in videos if v["split"] == video["split"] and (v["identity"] or v["video_id"]) != person]
    return [(other["video_id"], other["landmarks"]) for other in sorted(others, key=rank)[:wanted]]


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "out", "sheet")
    params = load_params()
    videos = _training_videos(paths.index, paths.faces, params.cross_validation)
    wanted = params.synthesis.variants if params.synthesis.donors else 0
    videos = [video | {"donors": _donors(video, videos, wanted)} for video in videos]
    with atomic_folder(paths.out) as out:
        make = partial(_synthesize, paths.faces, out, params.synthesis, params.seed)
        rows = [row for rows in map_videos(make, videos, "synthesize_fakes") for row in rows]
        write_table(out / "fakes.parquet", rows, FAKES)
    fakes_sheet(paths.sheet, paths.faces, videos, params.synthesis, params.seed)


if __name__ == "__main__":
    run(main)

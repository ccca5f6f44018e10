"""synthesize_fakes: a bank of pseudo-fakes of the training dataset's real faces, several variants per face (section 3.1)."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.config import CrossValidation, Synthesis
from stages.lib.errors import InputError
from stages.lib.files import atomic_path, keep_only, video_file, write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.folds import read_index
from stages.lib.ledger import Ledger, recipe
from stages.lib.plots import fakes_sheet
from stages.lib.runtime import map_videos
from stages.lib.seeding import video_rng
from stages.lib.synthesis import Donor, synthesize
from stages.lib.tables import FACES, FAKES, REAL, landmarks_of, read_table, write_table
from stages.params import load_params


def _synthesize(faces_folder: Path, out: Path, settings: Synthesis, seed: int, video: dict) -> pa.Table:
    video_id, landmarks = video["video_id"], video["landmarks"]
    rng = video_rng(seed, video_id, "synthesize")
    faces = np.load(video_file(faces_folder, ".npy", video_id), mmap_mode="r")
    donors = [
        (donor_id, np.load(video_file(faces_folder, ".npy", donor_id), mmap_mode="r"), donor_landmarks)
        for donor_id, donor_landmarks in video["donors"]
    ]
    bank = np.empty((len(faces), settings.variants, 2, *faces.shape[1:]), np.uint8)
    rows = []
    for face_row in range(len(faces)):
        for variant in range(settings.variants):
            donor_id, donor = None, None
            if donors and rng.random() < settings.donors:
                donor_id, donor_faces, donor_landmarks = donors[variant % len(donors)]
                drawn = rng.integers(len(donor_landmarks))
                donor = Donor(np.asarray(donor_faces[drawn]), donor_landmarks[drawn])
            face = np.asarray(faces[face_row])
            made = synthesize(face, landmarks[face_row], rng, settings.schemes, settings.degrade, donor)
            bank[face_row, variant] = made.real, made.fake
            row = {"video_id": video_id, "split": video["split"], "face_row": face_row, "variant": variant}
            how = {"scheme": made.scheme, "blend_ratio": made.blend_ratio, "transformed": made.transformed}
            rows.append(row | how | {"donor": donor_id})
    write_array(video_file(out, ".npy", video_id), bank)
    return pa.Table.from_pylist(rows, FAKES)


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
            videos.append(row | {"landmarks": landmarks_of(own)})
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


def _made_from(video: dict, fingerprints: dict[str, str]) -> str:
    """Fingerprint of the faces and landmarks of a video and of its donors; ``fingerprints``: of each video's faces."""
    digest = hashlib.blake2b(video["split"].encode(), digest_size=16)
    for video_id, landmarks in [(video["video_id"], video["landmarks"]), *video["donors"]]:
        digest.update(f"{video_id}\0{fingerprints[video_id]}".encode())
        digest.update(landmarks.tobytes())
    return digest.hexdigest()


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "ledger", "out", "sheet")
    params = load_params()
    settings = params.synthesis
    videos = _training_videos(paths.index, paths.faces, params.cross_validation)
    wanted = settings.variants if settings.donors else 0
    videos = [video | {"donors": _donors(video, videos, wanted)} for video in videos]
    fingerprints = {
        video["video_id"]: fingerprint(video_file(paths.faces, ".npy", video["video_id"])) for video in videos
    }
    videos = [video | {"made_from": _made_from(video, fingerprints)} for video in videos]
    # Banks are made beside the ledger, where a killed run's stay: DVC empties the output before a run.
    unfinished = paths.ledger.with_suffix(".partial")
    make = partial(_synthesize, paths.faces, unfinished, settings, params.seed)
    bank_of = partial(video_file, unfinished, ".npy")
    with Ledger(paths.ledger, recipe("stages/synthesize_fakes.py", params.seed, settings)) as ledger:
        rows = list(ledger.resume(videos, lambda todo: map_videos(make, todo, "synthesize_fakes"), bank_of))
    keep_only(unfinished, {bank_of(video["video_id"]) for video in videos})
    write_table(unfinished / "fakes.parquet", pa.concat_tables(rows), FAKES)
    with atomic_path(paths.out) as whole:
        unfinished.replace(whole)
    fakes_sheet(paths.sheet, paths.faces, videos, settings, params.seed)


if __name__ == "__main__":
    run(main)

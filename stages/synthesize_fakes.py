"""synthesize_fakes: a bank of pseudo-fakes of the training dataset's real faces, several variants per face (section 3.1)."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.errors import InputError
from stages.lib.files import atomic_folder, write_array
from stages.lib.plots import fakes_sheet
from stages.lib.runtime import map_videos
from stages.lib.seeding import video_rng
from stages.lib.synthesis import synthesize
from stages.lib.tables import FACES, FAKES, INDEX, N_LANDMARKS, REAL, read_table, vectors, write_table
from stages.params import load_params


def _synthesize(faces_folder: Path, out: Path, variants: int, degrade: bool, seed: int, video: dict) -> list[dict]:
    video_id, landmarks = video["video_id"], video["landmarks"]
    rng = video_rng(seed, video_id, "synthesize")
    faces = np.load(faces_folder / f"{video_id}.npy", mmap_mode="r")
    bank = np.empty((len(faces), variants, 2, *faces.shape[1:]), np.uint8)
    rows = []
    for face_row in range(len(faces)):
        for variant in range(variants):
            made = synthesize(np.asarray(faces[face_row]), landmarks[face_row], rng, degrade)
            bank[face_row, variant] = made.real, made.fake
            how = {"scheme": made.scheme, "blend_ratio": made.blend_ratio, "transformed": made.transformed}
            rows.append(
                {"video_id": video_id, "split": video["split"], "face_row": face_row, "variant": variant, **how}
            )
    write_array(out / f"{video_id}.npy", bank)
    return rows


def _training_videos(index: Path, faces: Path) -> list[dict]:
    """The real videos of train and val that have faces: video_id, split, and landmarks float64 (n, 68, 2) by face row."""
    table = read_table(faces / "faces.parquet", FACES)
    table = table.filter(pc.is_valid(table["face_row"]))
    rows = read_table(index, INDEX).to_pylist()
    videos = []
    for row in rows:
        if row["label"] == REAL and row["split"] in ("train", "val"):
            own = table.filter(pc.equal(table["video_id"], row["video_id"])).sort_by("face_row")
            if len(own):
                landmarks = vectors(own, "landmarks").reshape(-1, N_LANDMARKS, 2).astype(np.float64)
                videos.append({"video_id": row["video_id"], "split": row["split"], "landmarks": landmarks})
    for split in ("train", "val"):
        if not any(video["split"] == split for video in videos):
            found = sum(row["label"] == REAL and row["split"] == split for row in rows)
            raise InputError(
                f"{index}: the training dataset has no usable real video with split={split} ({found} listed, none with a face); "
                "add some to its manifest, or choose another `train_dataset` in params.yaml"
            )
    return videos


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "out", "sheet")
    params = load_params()
    videos = _training_videos(paths.index, paths.faces)
    with atomic_folder(paths.out) as out:
        make = partial(_synthesize, paths.faces, out, params.synthesis.variants, params.synthesis.degrade, params.seed)
        rows = [row for rows in map_videos(make, videos, "synthesize_fakes") for row in rows]
        write_table(out / "fakes.parquet", rows, FAKES)
    fakes_sheet(paths.sheet, paths.faces, videos, params.seed)


if __name__ == "__main__":
    run(main)

"""crop_faces: find a face in every frame (the largest, or one person's), its landmarks, and crop it (section 4.1)."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.config import Faces
from stages.lib.cropping import crop_video
from stages.lib.files import keep_only, video_file, write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.landmarks import make_landmarker
from stages.lib.ledger import Ledger, recipe
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, FACES, read_table, write_table
from stages.lib.video import read_frames
from stages.params import load_params


def _crop(frames_folder: Path, out: Path, settings: Faces, video: dict) -> pa.Table:
    video_id = video["video_id"]
    frames = partial(read_frames, video_file(frames_folder, ".parquet", video_id))
    rows, faces = crop_video(video_id, frames, settings)
    if faces:
        write_array(video_file(out, ".npy", video_id), np.stack(faces))
    return pa.Table.from_pylist(rows, FACES)


def main() -> None:
    paths = parse_paths(__doc__, "frames", "ledger", "out")
    settings = load_params().faces
    make_landmarker(settings.landmarks)  # a missing model file must stop the stage before any work
    extracted = read_table(paths.frames / "videos.parquet", EXTRACTED_VIDEOS, ["video_id", "n_frames"]).to_pylist()
    videos = [
        {"video_id": video_id, "made_from": fingerprint(video_file(paths.frames, ".parquet", video_id))}
        for video_id in (video["video_id"] for video in extracted if video["n_frames"])
    ]
    table = paths.out / "faces.parquet"
    table.unlink(missing_ok=True)  # a folder that is being changed is not taken for a whole one
    crop, array_of = partial(_crop, paths.frames, paths.out, settings), partial(video_file, paths.out, ".npy")
    made_with = recipe("stages/crop_faces.py", settings, fingerprint(Path(settings.landmarks)))
    with Ledger(paths.ledger, made_with) as ledger:
        rows = ledger.resume(videos, lambda todo: map_videos(crop, todo, "crop_faces"), array_of)
        rows = pa.concat_tables([FACES.empty_table(), *rows])
    keep_only(paths.out, {array_of(video_id) for video_id in rows["video_id"].unique().to_pylist()})
    write_table(table, rows, FACES)


if __name__ == "__main__":
    run(main)

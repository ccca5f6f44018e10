"""crop_faces: find a face in every frame (the largest, or one person's), its landmarks, and crop it (section 4.1)."""

from functools import partial
from pathlib import Path

import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.faces.landmarks import make_landmarker
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.video_faces import crop_video, face_rows
from stages.lib.files import faces_file, frames_file, write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.frames.storage import read_frames
from stages.lib.ledger import recipe, update_folder
from stages.lib.records import Video
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, FACES, FACES_TABLE, VIDEOS_TABLE, read_table
from stages.params import load_params


def _crop(frames: Path, out: Path, settings: FaceSettings, video: Video) -> pa.Table:
    faces, crops = crop_video(lambda: read_frames(frames_file(frames, video.video_id)), settings)
    if len(crops):
        write_array(faces_file(out, video.video_id), crops)
    return pa.Table.from_pylist(face_rows(video.video_id, faces), FACES)


def main() -> None:
    paths = parse_paths(__doc__, "frames", "ledger", "out")
    settings = load_params().faces
    make_landmarker(settings.landmarks)  # a missing model file must stop the stage before any work
    extracted = read_table(paths.frames / VIDEOS_TABLE, EXTRACTED_VIDEOS, ["video_id", "n_frames"]).to_pylist()
    with_frames = [row["video_id"] for row in extracted if row["n_frames"]]
    crop = partial(_crop, paths.frames, paths.out, settings)
    update_folder(
        paths.out / FACES_TABLE,
        FACES,
        [Video(video_id, fingerprint(frames_file(paths.frames, video_id))) for video_id in with_frames],
        compute=lambda videos: map_videos(crop, videos, "crop_faces"),
        file_of=partial(faces_file, paths.out),
        has_file=lambda rows: rows["face_row"].null_count < len(rows),
        ledger=paths.ledger,
        recipe=recipe("stages/crop_faces.py", settings, fingerprint(Path(settings.landmarks))),
    )


if __name__ == "__main__":
    run(main)

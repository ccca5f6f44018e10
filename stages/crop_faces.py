"""crop_faces: find the largest face of every frame, its landmarks, and crop it (section 4.1)."""

from functools import partial
from pathlib import Path

import numpy as np

from stages.cli import parse_paths, run
from stages.lib.config import Faces
from stages.lib.faces import FACE_SIZE, crop_face, crop_square, detect_face, to_crop
from stages.lib.files import atomic_folder, write_array
from stages.lib.landmarks import make_landmarker
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, FACES, read_table, write_table
from stages.lib.video import read_frames
from stages.params import load_params


def _crop(frames: Path, out: Path, settings: Faces, video_id: str) -> list[dict]:
    landmarks_of, faces, rows = make_landmarker(settings.landmarks), [], []
    for frame_index, time_s, frame in read_frames(frames / f"{video_id}.parquet"):
        box = detect_face(frame)
        row = {"video_id": video_id, "frame_index": frame_index, "time_s": time_s, "reject_reason": "no_face"}
        if box is not None:
            square = crop_square(box, settings.enlarge)
            landmarks = to_crop(landmarks_of(frame, box), square, FACE_SIZE)
            row |= {
                "face_row": len(faces),
                "box": box.tolist(),
                "landmarks": landmarks.ravel().tolist(),
                "reject_reason": None,
            }
            faces.append(crop_face(frame, square, FACE_SIZE))
        rows.append(row)
    if faces:
        write_array(out / f"{video_id}.npy", np.stack(faces))
    return rows


def main() -> None:
    paths = parse_paths(__doc__, "frames", "out")
    settings = load_params().faces
    make_landmarker(settings.landmarks)  # a missing model file must stop the stage before any work
    videos = read_table(paths.frames / "videos.parquet", EXTRACTED_VIDEOS).to_pylist()
    video_ids = [video["video_id"] for video in videos if video["n_frames"]]
    with atomic_folder(paths.out) as out:
        per_video = map_videos(partial(_crop, paths.frames, out, settings), video_ids, "crop_faces")
        write_table(out / "faces.parquet", [row for rows in per_video for row in rows], FACES)


if __name__ == "__main__":
    run(main)

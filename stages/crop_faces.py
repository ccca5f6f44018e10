"""crop_faces: find a face in every frame (the largest, or one person's), its landmarks, and crop it (section 4.1)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.appearance import appearance
from stages.lib.config import Faces
from stages.lib.faces import FACE_SIZE, crop_face, crop_square, detect_face, detect_faces, to_crop
from stages.lib.files import keep_only, video_file, write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.landmarks import make_landmarker
from stages.lib.ledger import Ledger, recipe
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, FACES, read_table, write_table
from stages.lib.tracking import follow_person, person_look
from stages.lib.video import read_frames
from stages.params import load_params


def _faces_of(frames: Path, select: str) -> Iterator[tuple[int, float, np.ndarray, np.ndarray | None, str | None]]:
    """(frame_index, time_s, frame, box to crop (4,), None) of every frame, or with None and the reason."""
    if select == "largest":
        for frame_index, time_s, frame in read_frames(frames):
            box = detect_face(frame)
            yield frame_index, time_s, frame, box, "no_face" if box is None else None
        return
    # Who is followed is known only at the end, and a video's frames are too large to keep: they are read again.
    boxes, looks = [], []
    for _, _, frame in read_frames(frames):
        boxes.append(detect_faces(frame))
        looks.append([person_look(frame, box) for box in boxes[-1]])
    for (frame_index, time_s, frame), found, chosen in zip(
        read_frames(frames), boxes, follow_person(boxes, looks), strict=True
    ):
        reason = None if chosen is not None else "other_person" if len(found) else "no_face"
        yield frame_index, time_s, frame, None if chosen is None else found[chosen], reason


def _crop(frames_folder: Path, out: Path, settings: Faces, video: dict) -> pa.Table:
    landmarks_of, faces, rows = make_landmarker(settings.landmarks), [], []
    frames = video_file(frames_folder, ".parquet", video["video_id"])
    for frame_index, time_s, frame, box, reason in _faces_of(frames, settings.select):
        row = {"video_id": video["video_id"], "frame_index": frame_index, "time_s": time_s, "reject_reason": reason}
        if box is not None:
            square = crop_square(box, settings.enlarge)
            landmarks = to_crop(landmarks_of(frame, box), square, FACE_SIZE)
            face = crop_face(frame, square, FACE_SIZE)
            row |= {
                "face_row": len(faces),
                "box": box.tolist(),
                "landmarks": landmarks.ravel().tolist(),
                "appearance": appearance(face, landmarks).tolist(),
            }
            faces.append(face)
        rows.append(row)
    if faces:
        write_array(video_file(out, ".npy", video["video_id"]), np.stack(faces))
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

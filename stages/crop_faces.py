"""crop_faces: find a face in every frame (the largest, or one person's), its landmarks, and crop it (section 4.1).

Of a folder of face pictures each picture is the crop: it is read where it lies, and only measured.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.cluster import Shared
from stages.lib.faces.landmarks import make_landmarker
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.video_faces import Face, crop_video, face_rows, given_face, stack_crops
from stages.lib.files import faces_file, frames_file, write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.frames.pictures import equally_spaced_pictures
from stages.lib.frames.storage import read_frames
from stages.lib.ledger import recipe, update_folder
from stages.lib.mapping import map_videos
from stages.lib.reasons import FrameReject
from stages.lib.records import Frame, Video
from stages.lib.schemas import EXTRACTED_VIDEOS, FACES, FACES_TABLE, VIDEOS_TABLE
from stages.lib.tables import read_table
from stages.params import load_params


@dataclass(frozen=True)
class FramedVideo(Video):
    """A video with frames; ``n_pictures``: so many pictures of its folder are its faces, 0 where frames were kept."""

    n_pictures: int


def _framed(frames: Path, row: dict[str, str | int]) -> FramedVideo:
    video_id, n_frames = str(row["video_id"]), int(row["n_frames"])
    if row["pictures"] is None:
        return FramedVideo(video_id, fingerprint(frames_file(frames, video_id)), 0)
    return FramedVideo(video_id, f"{n_frames} of {row['pictures']}", n_frames)


def _given(folder: Path, n_pictures: int, settings: FaceSettings) -> tuple[list[Face], np.ndarray]:
    """The faces of equally spaced pictures of a folder, as :func:`crop_video` gives those of a video."""
    faces, crops = [], []
    for picture in equally_spaced_pictures(folder, n_pictures):
        image = picture.read()
        if image is None:
            faces.append(Face(picture.frame_index, picture.time_s, FrameReject.UNREADABLE))
            continue
        face, crop = given_face(Frame(picture.frame_index, picture.time_s, image), settings)
        faces.append(face)
        crops.append(crop)
    return faces, stack_crops(crops, settings.size)


def _crop(frames: Path, root: Path, out: Path, settings: FaceSettings, video: FramedVideo) -> pa.Table:
    if video.n_pictures:
        faces, crops = _given(root / video.video_id, video.n_pictures, settings)
    else:
        faces, crops = crop_video(lambda: read_frames(frames_file(frames, video.video_id)), settings)
    if len(crops):
        write_array(faces_file(out, video.video_id), crops)
    return pa.Table.from_pylist(face_rows(video.video_id, faces), FACES)


def _crashed(video: FramedVideo) -> pa.Table:
    """The row of a video that was given up, in the place of one for each frame."""
    return pa.Table.from_pylist(face_rows(video.video_id, [Face(0, 0.0, FrameReject.CRASHED)]), FACES)


def main() -> None:
    paths = parse_paths(__doc__, "frames", "root", "ledger", "out")
    settings = load_params().faces
    make_landmarker(settings.landmarks)  # a missing model file must stop the stage before any work
    columns = ["video_id", "n_frames", "pictures"]
    extracted = read_table(paths.frames / VIDEOS_TABLE, EXTRACTED_VIDEOS, columns).to_pylist()
    crop = partial(_crop, paths.frames, paths.root, paths.out, settings)
    shared = Shared([paths.frames, paths.root], paths.out)
    update_folder(
        paths.out / FACES_TABLE,
        FACES,
        [_framed(paths.frames, row) for row in extracted if row["n_frames"]],
        compute=partial(map_videos, crop, description="crop_faces", shared=shared),
        crashed=_crashed,
        file_of=partial(faces_file, paths.out),
        has_file=lambda rows: rows["face_row"].null_count < len(rows),
        ledger=paths.ledger,
        recipe=recipe("stages/crop_faces.py", settings, fingerprint(Path(settings.landmarks))),
    )


if __name__ == "__main__":
    run(main)

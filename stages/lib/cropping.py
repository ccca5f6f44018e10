"""The faces of one video: which face of each frame, its landmarks, its crop and its appearance (section 4.1)."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from stages.lib.appearance import appearance
from stages.lib.config import Faces
from stages.lib.faces import FACE_SIZE, crop_face, crop_square, detect_face, detect_faces, to_crop
from stages.lib.landmarks import make_landmarker
from stages.lib.tracking import follow_person, person_look

Frames = Callable[
    [], Iterable[tuple[int, float, np.ndarray]]
]  # gives frame_index, time_s, BGR frame, from the first on


def _faces_of(frames: Frames, select: str) -> Iterator[tuple[int, float, np.ndarray, np.ndarray | None, str | None]]:
    """(frame_index, time_s, frame, box to crop (4,), None) of every frame, or with None and the reason."""
    if select == "largest":
        for frame_index, time_s, frame in frames():
            box = detect_face(frame)
            yield frame_index, time_s, frame, box, "no_face" if box is None else None
        return
    # Who is followed is known only at the end, and a video's frames are too large to keep: they are read again.
    boxes, looks = [], []
    for _, _, frame in frames():
        boxes.append(detect_faces(frame))
        looks.append([person_look(frame, box) for box in boxes[-1]])
    for (frame_index, time_s, frame), found, chosen in zip(frames(), boxes, follow_person(boxes, looks), strict=True):
        reason = None if chosen is not None else "other_person" if len(found) else "no_face"
        yield frame_index, time_s, frame, None if chosen is None else found[chosen], reason


def crop_video(video_id: str, frames: Frames, settings: Faces) -> tuple[list[dict], list[np.ndarray]]:
    """A video's rows of the ``FACES`` table, one per frame, and its face crops, RGB uint8 (224, 224, 3).

    ``frames``: gives the video's frames each time it is called.
    """
    landmarks_of, faces, rows = make_landmarker(settings.landmarks), [], []
    for frame_index, time_s, frame, box, reason in _faces_of(frames, settings.select):
        row = {"video_id": video_id, "frame_index": frame_index, "time_s": time_s, "reject_reason": reason}
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
    return rows, faces

"""The faces of one video: which face of each frame, its landmarks, its crop and its appearance (section 4.1)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stages.lib.faces.appearance import appearance
from stages.lib.faces.crop import FACE_SIZE, crop_face, crop_square, to_crop
from stages.lib.faces.detector import detect_face, detect_faces
from stages.lib.faces.landmarks import make_landmarker
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.tracking import follow_person, head_colours
from stages.lib.reasons import FrameReject
from stages.lib.records import Frame

FrameSource = Callable[[], Iterable[Frame]]  # gives a video's frames, from the first on, each time it is called


@dataclass(frozen=True)
class Face:
    """What a frame shows of the face that is used, or why there is none.

    ``box``: float64 (4,), x, y, width, height in frame pixels; ``landmarks``: float64 (68, 2) in pixels of the crop;
    ``appearance``: float32 (54,). All are None where ``reject_reason`` says why.
    """

    frame_index: int
    time_s: float
    reject_reason: FrameReject | None
    box: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    appearance: np.ndarray | None = None


def _select(frames: FrameSource, select: str) -> Iterator[tuple[Frame, np.ndarray | FrameReject]]:
    """Every frame with the box (4,) of the face to crop, or with the reason why there is none."""
    if select == "largest":
        for frame in frames():
            box = detect_face(frame.image)
            yield frame, FrameReject.NO_FACE if box is None else box
        return
    # Who is followed is known only at the end, and a video's frames are too large to keep: they are read again.
    boxes, colours = [], []
    for frame in frames():
        boxes.append(detect_faces(frame.image))
        colours.append([head_colours(frame.image, box) for box in boxes[-1]])
    for frame, found, chosen in zip(frames(), boxes, follow_person(boxes, colours), strict=True):
        reason = FrameReject.OTHER_PERSON if len(found) else FrameReject.NO_FACE
        yield frame, reason if chosen is None else found[chosen]


def crop_video(frames: FrameSource, settings: FaceSettings) -> tuple[list[Face], np.ndarray]:
    """A video's faces, one for each frame, and the crops of those that there are, RGB uint8 (n, 224, 224, 3)."""
    landmarks_of = make_landmarker(settings.landmarks)
    faces, crops = [], []
    for frame, box in _select(frames, settings.select):
        if isinstance(box, FrameReject):
            faces.append(Face(frame.frame_index, frame.time_s, box))
            continue
        square = crop_square(box, settings.enlarge)
        landmarks = to_crop(landmarks_of(frame.image, box), square, FACE_SIZE)
        crop = crop_face(frame.image, square, FACE_SIZE)
        faces.append(Face(frame.frame_index, frame.time_s, None, box, landmarks, appearance(crop, landmarks)))
        crops.append(crop)
    return faces, np.stack(crops) if crops else np.empty((0, FACE_SIZE, FACE_SIZE, 3), np.uint8)


def face_rows(video_id: str, faces: list[Face]) -> list[dict[str, object]]:
    """The rows of the ``FACES`` table of :func:`crop_video`'s faces; ``face_row`` counts those that there are."""
    rows: list[dict[str, object]] = []
    n_faces = 0
    for face in faces:
        row: dict[str, object] = {"video_id": video_id, "frame_index": face.frame_index, "time_s": face.time_s}
        row["reject_reason"] = face.reject_reason
        if face.box is not None and face.landmarks is not None and face.appearance is not None:
            row |= {"face_row": n_faces, "box": face.box.tolist(), "landmarks": face.landmarks.ravel().tolist()}
            row["appearance"] = face.appearance.tolist()
            n_faces += 1
        rows.append(row)
    return rows

"""The faces of one video: which face of each frame, its landmarks, its crop and its appearance (section 4.1)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stages.lib.faces.appearance import appearance
from stages.lib.faces.crop import crop_face, crop_square, to_crop
from stages.lib.faces.detector import FACE_DETECTORS, DetectedFace
from stages.lib.faces.landmarks import make_landmarker, nominal_landmarks
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.tracking import follow_person, head_colours, jumps, overlap
from stages.lib.reasons import FrameReject
from stages.lib.records import Frame

LEAST_FIT = 0.2  # intersection over union of a face's box and that about its landmarks; docs/results.md has real ones
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


def _select(frames: FrameSource, settings: FaceSettings) -> Iterator[tuple[Frame, DetectedFace | FrameReject]]:
    """Every frame with the face to crop, or with the reason why there is none."""
    detector = FACE_DETECTORS[settings.detector]
    if settings.select == "largest":
        for frame in frames():
            face = detector.largest(frame.image)
            yield frame, FrameReject.NO_FACE if face is None else face
        return
    # Who is followed is known only at the end, and a video's frames are too large to keep: they are read again.
    faces, colours = [], []
    for frame in frames():
        faces.append(detector.all(frame.image))
        colours.append([head_colours(frame.image, face.box) for face in faces[-1]])
    followed = follow_person([[face.box for face in found] for found in faces], colours)
    for frame, found, chosen in zip(frames(), faces, followed, strict=True):
        reason = FrameReject.OTHER_PERSON if len(found) else FrameReject.NO_FACE
        yield frame, reason if chosen is None else found[chosen]


def _fits(landmarks: np.ndarray, box: np.ndarray) -> bool:
    """Whether landmarks (68, 2) lie where the face's box (4,) says, and are as large."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    return overlap(np.concatenate([low, high - low]), box) >= LEAST_FIT


def _landmarks(frame: Frame, face: DetectedFace, settings: FaceSettings) -> np.ndarray | None:
    """The landmarks (68, 2) of a face in frame pixels, or None where they show that it is none."""
    landmarks = face.landmarks if settings.landmarks == "mesh" else None
    if landmarks is None:
        landmarks = make_landmarker(settings.landmarks)(frame.image, face.haar_box)
    return landmarks if landmarks is not None and _fits(landmarks, face.box) else None


def crop_video(frames: FrameSource, settings: FaceSettings) -> tuple[list[Face], np.ndarray]:
    """A video's faces, one for each frame, and the crops of those that there are, RGB uint8 (n, size, size, 3)."""
    size = settings.size
    faces, crops = [], []
    for frame, found in _select(frames, settings):
        if isinstance(found, FrameReject):
            faces.append(Face(frame.frame_index, frame.time_s, found))
            continue
        landmarks = _landmarks(frame, found, settings)
        if landmarks is None:
            faces.append(Face(frame.frame_index, frame.time_s, FrameReject.NOT_A_FACE))
            continue
        square = crop_square(found.box, settings.enlarge)
        landmarks, crop = to_crop(landmarks, square, size), crop_face(frame.image, square, size)
        faces.append(Face(frame.frame_index, frame.time_s, None, found.box, landmarks, appearance(crop, landmarks)))
        crops.append(crop)
    return _without_jumps(faces, crops, size)


def _without_jumps(faces: list[Face], crops: list[np.ndarray], size: int) -> tuple[list[Face], np.ndarray]:
    """The faces and crops, those rejected whose box is elsewhere for one frame."""
    there = [at for at, face in enumerate(faces) if face.box is not None]
    jumped = jumps(np.array([faces[at].box for at in there]).reshape(-1, 4))
    for at in np.flatnonzero(jumped):
        face = faces[there[at]]
        faces[there[at]] = Face(face.frame_index, face.time_s, FrameReject.NOT_A_FACE)
    crops = [crop for crop, away in zip(crops, jumped, strict=True) if not away]
    return faces, stack_crops(crops, size)


def stack_crops(crops: list[np.ndarray], size: int) -> np.ndarray:
    """Crops (size, size, 3) as one array, (n, size, size, 3), also where there are none."""
    return np.stack(crops) if crops else np.empty((0, size, size, 3), np.uint8)


def given_face(picture: Frame, settings: FaceSettings) -> tuple[Face, np.ndarray]:
    """The face of a picture that others have cropped, and the whole picture as its crop, RGB uint8 (size, size, 3).

    A picture that isn't square is padded by its edges. It is a face whatever the detector says: where none is seen
    (in profile, or cropped too tightly), box and landmarks are those of an upright face in the middle, of the size that
    a crop of ``faces.enlarge`` shows.
    """
    height, width = picture.image.shape[:2]
    square = crop_square(np.array([0.0, 0.0, width, height]), 1.0)
    found = FACE_DETECTORS[settings.detector].largest(picture.image)
    landmarks = None if found is None else _landmarks(picture, found, settings)
    if found is None or landmarks is None:
        side = square[2] / settings.enlarge
        box = np.array([(width - side) / 2, (height - side) / 2, side, side])
        landmarks = nominal_landmarks(box)
    else:
        box = found.box
    crop = crop_face(picture.image, square, settings.size)
    landmarks = to_crop(landmarks, square, settings.size)
    measured = appearance(crop, landmarks)
    return Face(picture.frame_index, picture.time_s, None, box, landmarks, measured), crop


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

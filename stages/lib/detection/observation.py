"""What decoding and cropping one video gives, by the same code as the pipeline's stages; can run in other processes."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.looks import Looks, looks
from stages.lib.cluster import Shared
from stages.lib.faces.detector import FACE_DETECTORS, FaceDetector
from stages.lib.faces.tracking import follow_person, head_colours
from stages.lib.faces.video_faces import Face, FrameSource, crop_video
from stages.lib.fingerprint import sha256
from stages.lib.frames.extraction import ExtractedVideo, extract_frames
from stages.lib.frames.storage import decompressed
from stages.lib.images import encode_jpeg
from stages.lib.mapping import Crashed, map_videos
from stages.lib.reasons import TRUNCATED, VideoReject
from stages.lib.records import Video

_COUNTED_IN = 8  # frames in which all faces are counted
_OTHER_PEOPLE = 0.1  # share of the faces used that may look like somebody else's before it is noted
_VIEW_WIDTH = 640  # px of the picture that shows where the face is


class NoteCode(StrEnum):
    """What somebody who reads a verdict has to know beside it; :mod:`stages.lib.detection.wording` says it in
    sentences.
    """

    TRUNCATED = "truncated"
    OTHER_PEOPLE = "other_people"
    SEVERAL_FACES = "several_faces"
    FACE_SIZE = "face_size"
    BRIGHTNESS = "brightness"
    DETAIL = "detail"
    BORDERLINE = "borderline"
    RENDERED = "rendered"


@dataclass(frozen=True)
class Note:
    """A note with the figures that its sentence names."""

    code: NoteCode
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Observation:
    """What decoding and cropping one video gave; pictures are small, so that many of these may wait.

    ``extracted``: without its frames. ``faces``: one for each frame; ``crops``: RGB uint8 (n, size, size, 3) of those
    that there are; ``view``: JPEG of a whole frame with the face's box, or None.
    """

    name: str
    extracted: ExtractedVideo
    sha256: str | None = None
    n_bytes: int = 0
    faces: list[Face] = field(default_factory=list)
    crops: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1, 3), np.uint8))
    view: bytes | None = None
    notes: list[Note] = field(default_factory=list)
    crash: Crashed | None = None

    @property
    def n_frames(self) -> int:
        """How many frames were looked at."""
        return len(self.faces)

    @property
    def used(self) -> list[Face]:
        """The faces that are used, in the order of ``crops``."""
        return [face for face in self.faces if face.reject_reason is None]


def observe(
    name: str,
    path: Path,
    calibration: Calibration,
    max_seconds: float = math.inf,
    on_progress: Callable[[int, int], None] | None = None,
) -> Observation:
    """Decode a video (a file, or a folder of frames) once and crop its faces, as the pipeline does.

    ``name``: what it is called in results. A video that is declared to last longer than ``max_seconds`` isn't decoded.
    ``on_progress``: see :func:`stages.lib.frames.extraction.extract_frames`.
    """
    frames = calibration.frames
    video = extract_frames(path, frames.per_video, max_seconds, on_progress, frames.max_side)
    rows, video.frames = video.frames, []
    if path.is_file() and video.n_decoded == 1 and video.n_declared <= 1:
        video.reject_reason, rows = VideoReject.SINGLE_IMAGE, []
    observation = Observation(name, video)
    if path.is_file():
        observation.sha256, observation.n_bytes = sha256(path), path.stat().st_size
    observation.faces, observation.crops = crop_video(lambda: decompressed(rows), calibration.faces)
    if len(observation.crops):
        _look_around(observation, lambda: decompressed(rows), FACE_DETECTORS[calibration.faces.detector])
    if video.note == TRUNCATED:
        counts = {"n_decoded": video.n_decoded, "n_declared": video.n_declared}
        observation.notes.append(Note(NoteCode.TRUNCATED, counts))
    return observation


@dataclass(frozen=True)
class AskedFor(Video):
    """A video to observe; ``video_id`` is what it is called in what is written."""

    path: Path


def _observe(calibration: Calibration, max_seconds: float, video: AskedFor) -> Observation:
    return observe(video.video_id, video.path, calibration, max_seconds)


def crashed(video: AskedFor, crash: Crashed | None = None) -> Observation:
    """What there is of a video whose process died again and again."""
    return Observation(video.video_id, ExtractedVideo(reject_reason=VideoReject.CRASHED), crash=crash)


def observe_all(
    videos: Sequence[AskedFor], calibration: Calibration, max_seconds: float, description: str
) -> Iterator[Observation]:
    """:func:`observe` each video, in the order in which they are done: several at once, or one under a progress bar of
    its frames.
    """
    if len(videos) > 1:
        observe_one = partial(_observe, calibration, max_seconds)
        folders = Shared(sorted({video.path.parent.absolute() for video in videos}))
        for video, observed in map_videos(observe_one, videos, description, shared=folders):
            yield crashed(video, observed) if isinstance(observed, Crashed) else observed
        return
    for video in videos:
        with tqdm(desc=description, unit="frame", dynamic_ncols=True, mininterval=0.5) as bar:

            def show(n_decoded: int, n_declared: int, bar: tqdm = bar) -> None:
                bar.total = n_declared or None
                bar.update(n_decoded - bar.n)

            yield observe(video.video_id, video.path, calibration, max_seconds, show)


def looks_of(observation: Observation) -> Looks:
    """What the faces used look like; there must be one at least."""
    widths = np.array([np.nan if face.box is None else face.box[2] for face in observation.used])
    return looks(widths, np.array([face.appearance for face in observation.used], np.float32))


def _look_around(observation: Observation, frames: FrameSource, detector: FaceDetector) -> None:
    """Note other people, and keep a picture of where the face is."""
    used = observation.used
    middle = used[len(used) // 2].frame_index
    boxes = {face.frame_index: face.box for face in used if face.box is not None}
    counted_in = {used[i].frame_index for i in np.linspace(0, len(used) - 1, _COUNTED_IN).astype(int)}
    colours, several = [], 0
    for frame in frames():
        if frame.frame_index not in boxes:
            continue
        box = boxes[frame.frame_index]
        colours.append(head_colours(frame.image, box))
        if frame.frame_index in counted_in:
            several += len(detector.all(frame.image)) > 1
        if frame.frame_index == middle:
            observation.view = _view(frame.image, box)
    followed = follow_person([[box] for box in boxes.values()], [[one] for one in colours])
    others = sum(chosen is None for chosen in followed)
    if others > _OTHER_PEOPLE * len(used):
        observation.notes.append(Note(NoteCode.OTHER_PEOPLE, {"others": others, "n_faces": len(used)}))
    if 2 * several >= len(counted_in):
        observation.notes.append(Note(NoteCode.SEVERAL_FACES, {"several": several, "counted_in": len(counted_in)}))


def _view(image: np.ndarray, box: np.ndarray) -> bytes:
    """JPEG of a frame, shrunk, with a face's box."""
    image = image.copy()
    x, y, width, height = np.round(box).astype(int)
    thickness = max(image.shape[1] // 200, 1)
    cv2.rectangle(image, (x, y), (x + width, y + height), (255, 255, 255), 3 * thickness)
    cv2.rectangle(image, (x, y), (x + width, y + height), (0, 0, 0), thickness)
    scale = min(1.0, _VIEW_WIDTH / image.shape[1])
    return encode_jpeg(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))

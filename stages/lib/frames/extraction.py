"""Frames of a video: decoding those that are taken in one pass."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from stages.lib.frames.pictures import equally_spaced, equally_spaced_pictures, pictures_in
from stages.lib.frames.storage import StoredFrame, stored_frame
from stages.lib.reasons import TRUNCATED, VideoReject

_PROGRESS_EVERY = 50  # frames
_MAX_DECLARED = 1 << 24  # more frames than this is a broken header, not a video (155 hours at 30 fps)


@dataclass
class ExtractedVideo:
    """What decoding one video gave: a row of the ``EXTRACTED_VIDEOS`` table, and the ``FRAMES`` rows."""

    n_decoded: int = 0
    n_declared: int = 0
    width: int = 0
    height: int = 0
    note: str | None = None
    reject_reason: VideoReject | None = None
    frames: list[StoredFrame] = field(default_factory=list)


def _decode(
    path: Path, wanted: np.ndarray, max_side: int, on_progress: Callable[[int], None] | None
) -> tuple[int, list[StoredFrame], tuple[int, int]]:
    """One pass in order; only wanted frames are converted and kept. Returns (n_decoded, rows, (width, height))."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    rows: list[StoredFrame] = []
    n_decoded, size, pending = 0, (0, 0), set(wanted.tolist())
    try:
        while capture.grab():
            if n_decoded in pending:
                time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
                decoded, frame = capture.retrieve()
                if decoded:
                    size = (frame.shape[1], frame.shape[0])
                    rows.append(stored_frame(n_decoded, time_s, shrunk(frame, max_side)))
            n_decoded += 1
            if on_progress and n_decoded % _PROGRESS_EVERY == 0:
                on_progress(n_decoded)
    finally:
        capture.release()
    return n_decoded, rows, size


def shrunk(frame: np.ndarray, max_side: int) -> np.ndarray:
    """A frame, uint8 (h, w, 3), of ``max_side`` px on its longer side; as it is where it is no larger, or that is 0."""
    longer = max(frame.shape[:2])
    if not max_side or longer <= max_side:
        return frame
    height, width = (max(round(side * max_side / longer), 1) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def _declared(path: Path) -> tuple[int, float] | None:
    """The container's own count of frames (0 where it has none) and the seconds they last (0.0 where it doesn't say).

    None where the file does not open as a video.
    """
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            return None
        declared, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    finally:
        capture.release()
    n_declared = int(declared) if 0 < declared < _MAX_DECLARED else 0
    return n_declared, n_declared / rate if rate > 0 else 0.0


def list_pictures(folder: Path) -> ExtractedVideo:
    """How many pictures a folder has, without decoding any: for pictures that are faces already, which are read where
    they lie.

    ``missing_file`` or ``no_frames`` says why there are none; whether each can be read isn't known yet.
    """
    if not folder.is_dir():
        return ExtractedVideo(reject_reason=VideoReject.MISSING_FILE)
    n = len(pictures_in(folder))
    return ExtractedVideo(n, n, reject_reason=None if n else VideoReject.NO_FRAMES)


def _read_pictures(folder: Path, n_frames: int, max_side: int) -> ExtractedVideo:
    """Equally spaced pictures of a folder of frames, numbered and timed as in :mod:`stages.lib.frames.pictures`."""
    video = list_pictures(folder)
    for picture in equally_spaced_pictures(folder, n_frames):
        frame = picture.read()
        if frame is None:
            return ExtractedVideo(video.n_decoded, video.n_declared, reject_reason=VideoReject.UNREADABLE)
        video.height, video.width = frame.shape[:2]
        video.frames.append(stored_frame(picture.frame_index, picture.time_s, shrunk(frame, max_side)))
    return video


def extract_frames(
    path: Path,
    n_frames: int,
    max_seconds: float = math.inf,
    on_progress: Callable[[int, int], None] | None = None,
    max_side: int = 0,
) -> ExtractedVideo:
    """``n_frames`` equally spaced frames of a video or of a folder of frames, decoded once and in order, :func:`shrunk`
    to ``max_side``; ``width`` and ``height`` are those of the video.

    The container's frame count says which frames to take; where it turns out wrong (a cut-off file, a container without
    a count) a second pass takes them by the true count. What cannot be used has a ``reject_reason``: ``missing_file``,
    ``empty_file``, ``unreadable`` (no video could be opened), ``no_frames``, or ``too_long`` (its container says that
    it lasts more than ``max_seconds``; it isn't decoded). A video that ends more than 5 % early is used, and noted as
    ``truncated``. ``on_progress`` is called with (frames decoded, frames declared) now and then.
    """
    if path.is_dir():
        return _read_pictures(path, n_frames, max_side)
    if not path.is_file():
        return ExtractedVideo(reject_reason=VideoReject.MISSING_FILE)
    if path.stat().st_size == 0:
        return ExtractedVideo(reject_reason=VideoReject.EMPTY_FILE)
    opened = _declared(path)
    if opened is None:
        return ExtractedVideo(reject_reason=VideoReject.UNREADABLE)
    declared, seconds = opened
    if seconds > max_seconds:
        return ExtractedVideo(n_declared=declared, reject_reason=VideoReject.TOO_LONG)
    tell = (lambda n: on_progress(n, declared)) if on_progress else None
    n_decoded, rows, size = _decode(path, equally_spaced(declared, n_frames), max_side, tell)
    if n_decoded != declared:
        _, rows, size = _decode(path, equally_spaced(n_decoded, n_frames), max_side, tell)
    video = ExtractedVideo(n_decoded, declared, *size, frames=rows)
    if not rows:
        video.reject_reason = VideoReject.NO_FRAMES
    elif n_decoded < 0.95 * declared:
        video.note = TRUNCATED
    return video

"""Frames of a video: which ones to take, decoding them in one pass, and keeping them without loss."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from stages.lib.tables import FRAMES, read_table, write_table

_ZSTD = pa.Codec("zstd", 1)
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_IMAGES_PER_SECOND = 25
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
    reject_reason: str | None = None
    frames: list[dict] = field(default_factory=list)


def equally_spaced(n_total: int, n_wanted: int) -> np.ndarray:
    """Indices of ``n_wanted`` equally spaced frames of ``n_total`` (section 4.1): int64, strictly increasing.

    The middles of ``n_wanted`` equal parts, so the ends (fades, titles) are never taken. A video with fewer
    frames than wanted gives each frame once.
    """
    n_kept = min(n_total, n_wanted)
    return np.floor((np.arange(n_kept) + 0.5) * n_total / n_kept).astype(np.int64) if n_kept else np.empty(0, np.int64)


def compress_frame(frame: np.ndarray) -> bytes:
    """A BGR uint8 frame (h, w, 3) without loss: zstd of the differences between its rows.

    PNG's "up" filter with a faster entropy coder: a third of OpenCV's PNG time or less, and smaller (`make bench`).
    """
    differences = frame.copy()
    np.subtract(frame[1:], frame[:-1], out=differences[1:])  # uint8 wraps around, and the sum wraps back
    return _ZSTD.compress(differences, asbytes=True)


def decompress_frame(data: bytes, height: int, width: int) -> np.ndarray:
    """The inverse of :func:`compress_frame`: uint8 (height, width, 3)."""
    buffer = _ZSTD.decompress(data, decompressed_size=height * width * 3)
    frame = np.frombuffer(buffer, np.uint8).reshape(height, width, 3).copy()
    for above, row in itertools.pairwise(frame):  # np.cumsum walks down the columns: ten times slower at 4K
        np.add(above, row, out=row)
    return frame


def _frame_row(frame_index: int, time_s: float, frame: np.ndarray) -> dict:
    """A row of the ``FRAMES`` table."""
    height, width = frame.shape[:2]
    return {
        "frame_index": frame_index,
        "time_s": time_s,
        "height": height,
        "width": width,
        "zstd": compress_frame(frame),
    }


def _decode(
    path: Path, wanted: np.ndarray, on_progress: Callable[[int], None] | None
) -> tuple[int, list[dict], tuple[int, int]]:
    """One pass in order; only wanted frames are converted and kept. Returns (n_decoded, rows, (width, height))."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    rows, n_decoded, size, pending = [], 0, (0, 0), set(wanted.tolist())
    try:
        while capture.grab():
            if n_decoded in pending:
                time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
                decoded, frame = capture.retrieve()
                if decoded:
                    size = (frame.shape[1], frame.shape[0])
                    rows.append(_frame_row(n_decoded, time_s, frame))
            n_decoded += 1
            if on_progress and n_decoded % _PROGRESS_EVERY == 0:
                on_progress(n_decoded)
    finally:
        capture.release()
    return n_decoded, rows, size


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


def _read_images(folder: Path, n_frames: int) -> ExtractedVideo:
    """Equally spaced images of a folder of frames, in the order of their names. They have no time: 25 a second is assumed."""
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)
    video = ExtractedVideo(len(images), len(images), reject_reason=None if images else "no_frames")
    for index in equally_spaced(len(images), n_frames):
        frame = cv2.imread(str(images[index]), cv2.IMREAD_COLOR)
        if frame is None:
            return ExtractedVideo(len(images), len(images), reject_reason="unreadable")
        video.height, video.width = frame.shape[:2]
        video.frames.append(_frame_row(int(index), float(index) / _IMAGES_PER_SECOND, frame))
    return video


def extract_frames(
    path: Path, n_frames: int, max_seconds: float = math.inf, on_progress: Callable[[int, int], None] | None = None
) -> ExtractedVideo:
    """``n_frames`` equally spaced frames of a video or of a folder of frames, at native resolution, decoded once and in order.

    The container's frame count says which frames to take; where it turns out wrong (a cut-off file, a container
    without a count) a second pass takes them by the true count. What cannot be used has a ``reject_reason``:
    ``missing_file``, ``empty_file``, ``unreadable`` (no video could be opened), ``no_frames``, or ``too_long`` (its container
    says that it lasts more than ``max_seconds``; it isn't decoded). A video that ends more than 5 % early is used, and noted as
    ``truncated``. ``on_progress`` is called with (frames decoded, frames declared) now and then.
    """
    if path.is_dir():
        return _read_images(path, n_frames)
    if not path.is_file():
        return ExtractedVideo(reject_reason="missing_file")
    if path.stat().st_size == 0:
        return ExtractedVideo(reject_reason="empty_file")
    opened = _declared(path)
    if opened is None:
        return ExtractedVideo(reject_reason="unreadable")
    declared, seconds = opened
    if seconds > max_seconds:
        return ExtractedVideo(n_declared=declared, reject_reason="too_long")
    tell = (lambda n: on_progress(n, declared)) if on_progress else None
    n_decoded, rows, size = _decode(path, equally_spaced(declared, n_frames), tell)
    if n_decoded != declared:
        _, rows, size = _decode(path, equally_spaced(n_decoded, n_frames), tell)
    video = ExtractedVideo(n_decoded, declared, *size, frames=rows)
    if not rows:
        video.reject_reason = "no_frames"
    elif n_decoded < 0.95 * declared:
        video.note = "truncated"
    return video


def write_frames(path: Path, rows: list[dict]) -> None:
    """Write a video's kept frames, compressed, with their source index and time, atomically."""
    write_table(path, rows, FRAMES, compression="none")  # each frame is compressed already


def read_frames(path: Path) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield (frame_index, time_s, BGR uint8 frame (h, w, 3)) of a file of :func:`write_frames`, one at a time."""
    for batch in read_table(path, FRAMES).to_batches(max_chunksize=1):
        row = batch.to_pylist()[0]
        yield row["frame_index"], row["time_s"], decompress_frame(row["zstd"], row["height"], row["width"])

"""How frames become a video file: a camera's blur and sensor noise, and the encoder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FPS = 25.0


@dataclass(frozen=True)
class Camera:
    """A camera's optical blur, in pixels, and the deviation of its sensor's noise at full light, 1 being white."""

    blur: float
    noise: float


def make_camera(rng: np.random.Generator) -> Camera:
    """A random camera, from a good one to a poor one."""
    return Camera(blur=rng.uniform(0.3, 0.8), noise=rng.uniform(0.003, 0.024))


def film(frames: Iterable[np.ndarray], camera: Camera, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """What a camera records of lit frames, float32 (h, w, 3): uint8 (h, w, 3)."""
    tape = np.empty(0, np.float32)
    for frame in frames:
        if not len(tape):
            tape = rng.standard_normal(3 * frame.size, np.float32)
        # Each frame reads the tape from a place and with a sign of its own: drawing all anew takes ten times as long.
        start, sign = int(rng.integers(2 * frame.size, endpoint=True)), rng.choice([-1, 1])
        grain = tape[start : start + frame.size].reshape(frame.shape)
        picture = cv2.GaussianBlur(frame, (0, 0), camera.blur)
        picture += np.float32(sign * camera.noise) * grain * np.sqrt(np.float32(0.3) + np.clip(picture, 0, 1))
        yield np.clip(picture * 255, 0, 255).astype(np.uint8)


def write_video(path: Path, frames: Iterable[np.ndarray], side: int) -> None:
    """Encode frames, BGR uint8 (side, side, 3), as MPEG-4. Raises :class:`RuntimeError` if OpenCV cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (side, side))
    if not writer.isOpened():
        raise RuntimeError(
            f"{path}: OpenCV cannot encode MPEG-4; install opencv-contrib-python-headless as pinned in requirements.txt"
        )
    for frame in frames:
        writer.write(frame)
    writer.release()

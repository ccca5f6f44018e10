"""Small seeded videos that the tests make: a portrait that moves, texture, counted frames."""

from pathlib import Path

import cv2
import numpy as np


def portrait() -> np.ndarray:
    """The public-domain astronaut portrait, BGR uint8 (512, 512, 3)."""
    import skimage.data

    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


def write_video(
    path: Path, frames: list[np.ndarray], fps: float = 25.0, codec: str = "mp4v", backend: int = cv2.CAP_FFMPEG
) -> Path:
    """Encode BGR frames; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), backend, cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def face_frames(n: int, size: tuple[int, int] = (240, 320)) -> list[np.ndarray]:
    """n frames of (height, width) in which the portrait's head drifts sideways."""
    head = cv2.resize(portrait()[0:256, 96:352], (200, 200), interpolation=cv2.INTER_AREA)
    frames = []
    for t in range(n):
        frame = np.full((*size, 3), 90, np.uint8)
        left = 20 + int(30 * np.sin(t / 8)) + 20
        frame[20:220, left : left + 200] = head
        frames.append(frame)
    return frames


def noise_frames(n: int, size: tuple[int, int] = (240, 320), seed: int = 0) -> list[np.ndarray]:
    """n frames of smooth random texture without a face."""
    rng = np.random.default_rng(seed)
    return [
        cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
        for _ in range(n)
    ]


def counting_frames(n: int, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """n frames whose brightness encodes their index: frame i is grey of level 2 i (n <= 120)."""
    return [np.full((*size, 3), 2 * i, np.uint8) for i in range(n)]

"""What packages hand to each other: the words of a video's label and split, a video to be processed, a decoded
frame.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

REAL, FAKE = "real", "fake"
LABELS = (REAL, FAKE)
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
# What a dataset gives of each video: the video itself, or face pictures that its authors cropped.
Input = Literal["video", "faces"]
FACE_PICTURES: Input = "faces"
# How a fake was made: another person's face put in; the mouth alone changed, to fit speech; a photo or face moved by
# somebody else's motion or by sound; anything else.
FAMILIES = ("swap", "lips", "animated", "other")
N_LANDMARKS = 68
# The numbers of faces/appearance.py: three regions; mean, deviation and four bands of detail; three channels.
APPEARANCE_SHAPE = (3, 6, 3)
N_APPEARANCE = 54


@dataclass(frozen=True)
class Video:
    """A video to be processed: its name, and the fingerprint of what its rows are made from."""

    video_id: str
    made_from: str


@dataclass(frozen=True)
class Frame:
    """A decoded frame: its index in the video, its presentation time in seconds, and its pixels, BGR uint8 (h, w,
    3).
    """

    frame_index: int
    time_s: float
    image: np.ndarray

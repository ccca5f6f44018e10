"""On real faces, where they are at hand: frames, detection, landmarks."""

import numpy as np
import pytest

from stages.lib.datasets.index import index_dataset
from stages.lib.faces.detector import detect_face
from stages.lib.faces.landmarks import haar_landmarks, make_landmarker
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import decompressed
from stages.lib.records import REAL

pytestmark = pytest.mark.realfaces


@pytest.fixture(scope="module")
def frames(realfaces) -> list[np.ndarray]:
    """The frame in the middle of each real video, BGR uint8."""
    rows = [row for row in index_dataset("manifest", realfaces) if row["label"] == REAL]
    videos = [extract_frames(realfaces / row["path"], 1) for row in rows]
    return [frame.image for video in videos for frame in decompressed(video.frames)]


def test_every_clip_gives_40_frames_without_notes(realfaces):
    rows = [row for row in index_dataset("manifest", realfaces) if row["split"] == "test"]
    for row in rows:
        video = extract_frames(realfaces / row["path"], 40)
        assert len(video.frames) == 40 and video.note is None and video.reject_reason is None, row["path"]


# Of the middle frames of 103 real clips (101 people), as these tests measure it (`pytest
# tests/faces/test_realfaces.py`): a face found in 101; the same face in the frame as it is and shrunk for detection in
# 102; landmarks 0.147 of the eye distance from those of PFLD, on average over 101 faces.
FOUND, SAME = 101 / 103, 102 / 103
MARGIN = 0.03  # three clips


def test_a_face_is_found_in_almost_every_clip(frames):
    assert np.mean([detect_face(frame) is not None for frame in frames]) > FOUND - MARGIN


def _overlap(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """The shared part of two boxes, in parts of the larger one; 1 where there is neither, 0 where there is one
    alone.
    """
    if one is None or other is None:
        return float(one is other)
    shared = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - np.maximum(one[:2], other[:2])
    return shared.clip(0).prod() / max(one[2:].prod(), other[2:].prod())


def test_shrinking_finds_the_same_face_in_almost_every_clip(frames):
    overlaps = [_overlap(detect_face(frame), detect_face(frame, detection_side=10**6)) for frame in frames]
    assert np.mean(np.array(overlaps) > 0.5) > SAME - MARGIN


def test_default_landmarks_lie_within_a_fifth_of_the_eye_distance_of_pfld(frames, pfld):
    regressor, errors = make_landmarker(str(pfld)), []
    for frame in frames:
        box = detect_face(frame)
        if box is None:
            continue
        points = regressor(frame, box)
        eyes = np.linalg.norm(points[42:48].mean(axis=0) - points[36:42].mean(axis=0))
        errors.append(np.linalg.norm(haar_landmarks(frame, box) - points, axis=1).mean() / eyes)
    assert np.mean(errors) < 0.2

"""On real faces, where they are at hand: frames, detection, landmarks."""

import cv2
import numpy as np
import pytest

from stages.lib.datasets.index import index_dataset
from stages.lib.faces.detector import detect_face
from stages.lib.faces.landmarks import haar_landmarks, make_landmarker
from stages.lib.frames.extraction import extract_frames

pytestmark = pytest.mark.realfaces


@pytest.fixture(scope="module")
def frames(realfaces) -> list[np.ndarray]:
    """A frame from the middle of each person's real video."""
    found = []
    for row in index_dataset("manifest", realfaces):
        if row["label"] == "real":
            capture = cv2.VideoCapture(str(realfaces / row["path"]))
            for _ in range(40):
                capture.grab()
            found.append(capture.read()[1])
    return found


def test_every_clip_gives_40_frames_without_notes(realfaces):
    rows = [row for row in index_dataset("manifest", realfaces) if row["split"] == "test"]
    for row in rows:
        video = extract_frames(realfaces / row["path"], 40)
        assert len(video.frames) == 40 and video.note is None and video.reject_reason is None, row["path"]


def test_a_face_is_found_in_each(frames):
    assert all(detect_face(frame) is not None for frame in frames)


def test_shrinking_finds_the_same_face(frames):
    for frame in frames:
        small, full = detect_face(frame), detect_face(frame, detection_side=10**6)
        overlap = np.minimum(small[:2] + small[2:], full[:2] + full[2:]) - np.maximum(small[:2], full[:2])
        assert overlap.clip(0).prod() > 0.5 * max(small[2:].prod(), full[2:].prod())


def test_default_landmarks_lie_within_a_fifth_of_the_eye_distance_of_pfld(frames, pfld):
    regressor, errors = make_landmarker(str(pfld)), []
    for frame in frames:
        box = detect_face(frame)
        points = regressor(frame, box)
        eyes = np.linalg.norm(points[42:48].mean(axis=0) - points[36:42].mean(axis=0))
        errors.append(np.linalg.norm(haar_landmarks(frame, box) - points, axis=1).mean() / eyes)
    assert np.mean(errors) < 0.2

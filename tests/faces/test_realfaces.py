"""On real faces, where they are at hand: frames, detection, landmarks."""

from pathlib import Path

import numpy as np
import pytest

from stages.lib.datasets.index import index_dataset
from stages.lib.faces.detector import detect_face
from stages.lib.faces.landmarks import haar_landmarks, make_landmarker
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import decompressed
from stages.lib.records import REAL

pytestmark = pytest.mark.realfaces

# Shares of the real clips (103 of 101 people, 24 November 2026) whose middle frame is as the tests' names say. `python
# -m pytest -n 0 -rP tests/faces/test_realfaces.py` prints the clips that are not: no face is found in two, and one of
# the others has another face at full size than shrunk.
FOUND, SAME = 101 / 103, 100 / 101
MARGIN = 3.5 / 103  # three clips more may fail
PFLD_DISTANCE = 0.2  # of the eye distance; 0.147 on those clips


@pytest.fixture(scope="module")
def frames(realfaces) -> dict[str, np.ndarray]:
    """The frame in the middle of each real video, BGR uint8, by the video's path."""

    def middle(path: Path) -> np.ndarray:
        (frame,) = decompressed(extract_frames(path, 1).frames)
        return frame.image

    rows = index_dataset("manifest", realfaces)
    return {row["path"]: middle(realfaces / row["path"]) for row in rows if row["label"] == REAL}


@pytest.fixture(scope="module")
def boxes(frames) -> dict[str, np.ndarray | None]:
    return {name: detect_face(frame) for name, frame in frames.items()}


def _share(holds: dict[str, bool]) -> float:
    """The share of clips of which something holds; prints those of which it doesn't."""
    print("not in", ", ".join(name for name, held in holds.items() if not held) or "none", "of", len(holds))
    return float(np.mean(list(holds.values())))


def test_every_clip_gives_40_frames_without_notes(realfaces):
    rows = [row for row in index_dataset("manifest", realfaces) if row["split"] == "test"]
    for row in rows:
        video = extract_frames(realfaces / row["path"], 40)
        assert len(video.frames) == 40, row["path"]
        assert video.note is None, row["path"]
        assert video.reject_reason is None, row["path"]


def test_a_face_is_found_in_almost_every_clip(boxes):
    assert _share({name: box is not None for name, box in boxes.items()}) > FOUND - MARGIN


def _is_same_face(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Whether two boxes share more than half of the larger one."""
    if one is None or other is None:
        return False
    shared = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - np.maximum(one[:2], other[:2])
    return bool(shared.clip(0).prod() > 0.5 * max(one[2:].prod(), other[2:].prod()))


def test_shrinking_finds_the_same_face_in_almost_every_clip(frames, boxes):
    full_size = {name: detect_face(frame, detection_side=10**6) for name, frame in frames.items()}
    found = [name for name in frames if boxes[name] is not None or full_size[name] is not None]
    assert _share({name: _is_same_face(boxes[name], full_size[name]) for name in found}) > SAME - MARGIN


def test_default_landmarks_lie_within_a_fifth_of_the_eye_distance_of_pfld(frames, boxes, pfld):
    regressor, errors = make_landmarker(str(pfld)), []
    for name, box in boxes.items():
        if box is None:
            continue
        points = regressor(frames[name], box)
        eyes = np.linalg.norm(points[42:48].mean(axis=0) - points[36:42].mean(axis=0))
        errors.append(np.linalg.norm(haar_landmarks(frames[name], box) - points, axis=1).mean() / eyes)
    print(f"{np.mean(errors):.3f} of the eye distance")
    assert np.mean(errors) < PFLD_DISTANCE

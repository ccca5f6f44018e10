"""On real faces, where they are at hand: frames, detection, landmarks."""

from pathlib import Path

import numpy as np
import pytest

from stages.lib.datasets.index import index_dataset
from stages.lib.faces.detector import FACE_DETECTORS
from stages.lib.faces.haar import detect_face
from stages.lib.faces.landmarks import haar_landmarks, make_landmarker
from stages.lib.faces.tracking import overlap
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import decompressed
from stages.lib.records import REAL

pytestmark = pytest.mark.realfaces

# Of the real clips (103 of 101 people). `python -m pytest -n 0 -rP tests/faces/test_realfaces.py` prints the clips that
# are not as the tests' names say. Haar's cascade finds no face in the middle frame of two, and in one of the others
# another face at full size than shrunk.
HAAR_SAME = 100 / 101
MARGIN = 3.5 / 103  # three clips more may fail
HAAR_DISTANCE, MESH_DISTANCE = 0.2, 0.12  # from PFLD, in eye distances; 0.147 and 0.09 on those clips
SAMPLED = 5  # frames of a clip


@pytest.fixture(scope="module")
def sampled(realfaces) -> dict[str, list[np.ndarray]]:
    """Frames of each real video, BGR uint8, by the video's path."""

    def frames(path: Path) -> list[np.ndarray]:
        return [frame.image for frame in decompressed(extract_frames(path, SAMPLED).frames)]

    rows = index_dataset("manifest", realfaces)
    return {row["path"]: frames(realfaces / row["path"]) for row in rows if row["label"] == REAL}


@pytest.fixture(scope="module")
def frames(sampled) -> dict[str, np.ndarray]:
    """The frame in the middle of each."""
    return {name: images[len(images) // 2] for name, images in sampled.items()}


@pytest.fixture(scope="module")
def boxes(frames) -> dict[str, np.ndarray | None]:
    """Haar's box in it."""
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


@pytest.fixture(scope="module")
def found(sampled) -> dict[str, list[np.ndarray | None]]:
    """The default detector's box in every frame."""
    detector = FACE_DETECTORS["blazeface"]
    largest = {name: [detector.largest(frame) for frame in images] for name, images in sampled.items()}
    return {name: [None if face is None else face.box for face in faces] for name, faces in largest.items()}


def test_a_face_is_found_in_almost_every_frame(found):
    assert _share({name: all(box is not None for box in boxes) for name, boxes in found.items()}) > 1 - MARGIN


def test_no_box_lies_apart_from_what_both_detectors_find_in_the_clip(sampled, found):
    holds = {}
    for name, boxes in found.items():
        mine = [box for box in boxes if box is not None]
        others = [box for frame in sampled[name] if (box := detect_face(frame)) is not None]
        usual = np.median(mine + others, axis=0)
        holds[name] = all(overlap(box, usual) > 0.2 for box in mine)
    assert _share(holds) == 1


def test_haar_finds_the_same_face_in_almost_every_clip_where_the_frame_is_shrunk(frames, boxes):
    full_size = {name: detect_face(frame, detection_side=10**6) for name, frame in frames.items()}
    pairs = {name: (box, full_size[name]) for name, box in boxes.items() if box is not None}
    same = {name: full is not None and overlap(box, full) > 0.4 for name, (box, full) in pairs.items()}
    assert _share(same) > HAAR_SAME - MARGIN


def _distance(points: np.ndarray, others: np.ndarray) -> float:
    """Mean distance of landmarks, in distances between the others' eyes."""
    eyes = np.linalg.norm(others[42:48].mean(axis=0) - others[36:42].mean(axis=0))
    return float(np.linalg.norm(points - others, axis=1).mean() / eyes)


def test_mesh_landmarks_lie_within_an_eighth_of_the_eye_distance_of_pfld(frames, pfld):
    regressor, detector = make_landmarker(str(pfld)), FACE_DETECTORS["blazeface"]
    faces = {name: face for name, frame in frames.items() if (face := detector.largest(frame)) is not None}
    errors = [_distance(face.landmarks, regressor(frames[name], face.haar_box)) for name, face in faces.items()]
    print(f"{np.mean(errors):.3f} of the eye distance")
    assert np.mean(errors) < MESH_DISTANCE


def test_haar_landmarks_lie_within_a_fifth_of_the_eye_distance_of_pfld(frames, boxes, pfld):
    regressor = make_landmarker(str(pfld))
    there = {name: box for name, box in boxes.items() if box is not None}
    errors = [_distance(haar_landmarks(frames[name], box), regressor(frames[name], box)) for name, box in there.items()]
    print(f"{np.mean(errors):.3f} of the eye distance")
    assert np.mean(errors) < HAAR_DISTANCE

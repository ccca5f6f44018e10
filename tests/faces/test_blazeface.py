"""BlazeFace on portraits: which face is found, how large, and where there is none."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from stages.lib.faces.blazeface import all_faces, largest_face
from stages.lib.faces.tracking import overlap
from tests.helpers.videos import face_frames, noise_frames, portrait


def _head(width: int) -> np.ndarray:
    return cv2.resize(portrait()[:256, 96:352], (width, width), interpolation=cv2.INTER_AREA)


def _two_people() -> np.ndarray:
    frame = np.full((240, 400, 3), 90, np.uint8)
    frame[60:180, 10:130], frame[10:230, 170:390] = _head(120), _head(220)
    return frame


def test_finds_the_portraits_face(portrait_landmarks):
    low, high = portrait_landmarks.min(axis=0), portrait_landmarks.max(axis=0)
    assert overlap(largest_face(portrait()).box, np.concatenate([low, high - low])) > 0.5


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0, 4.0])
def test_the_face_is_where_it_is_at_any_size_of_the_frame(scale):
    frame = cv2.resize(portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert overlap(largest_face(frame).box / scale, largest_face(portrait()).box) > 0.85


@pytest.mark.parametrize("shape", [(512, 1200), (1200, 512)])
def test_a_frame_that_is_wide_or_tall_is_not_squeezed(shape):
    frame = np.full((*shape, 3), 90, np.uint8)
    top, left = shape[0] - 512, shape[1] - 512
    frame[top:, left:] = portrait()
    assert overlap(largest_face(frame).box - (left, top, 0, 0), largest_face(portrait()).box) > 0.85


def test_the_largest_of_two_people_is_taken():
    x, _, width, _ = largest_face(_two_people()).box
    assert x > 170
    assert width > 60


def test_both_of_two_people_are_found_the_largest_first():
    boxes = [mesh.box for mesh in all_faces(_two_people())]
    assert [box[0] > 170 for box in boxes] == [True, False]


def test_a_small_face_is_found_when_there_is_no_large_one():
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[200:320, 300:420] = _head(120)
    x, y, width, _ = largest_face(frame).box
    assert 300 < x < 420
    assert 190 < y < 320
    assert width < 100


@pytest.mark.parametrize(
    "frame", [noise_frames(1)[0], np.zeros((90, 160, 3), np.uint8), np.zeros((1, 4000, 3), np.uint8)]
)
def test_without_a_face_there_is_none(frame):
    assert largest_face(frame) is None
    assert all_faces(frame) == []


def test_part_of_a_face_is_no_face():
    eye = cv2.resize(portrait()[95:125, 190:225], (320, 274), interpolation=cv2.INTER_CUBIC)
    assert largest_face(eye) is None


def test_the_same_frame_gives_the_same_bytes():
    assert largest_face(portrait()).points.tobytes() == largest_face(portrait()).points.tobytes()


def test_threads_do_not_disturb_each_other():
    frames = face_frames(24)
    alone = [largest_face(frame).points for frame in frames]
    with ThreadPoolExecutor(2) as threads:
        together = [mesh.points for mesh in threads.map(largest_face, frames)]
    np.testing.assert_array_equal(together, alone)

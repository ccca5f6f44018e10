"""Detection, the crop's geometry, and coordinates in it."""

import cv2
import numpy as np
import pytest

from stages.lib.faces.crop import crop_face, crop_square, to_crop
from stages.lib.faces.detector import detect_eyes, detect_face
from tests.helpers.videos import face_frames, noise_frames, portrait


def test_finds_the_portraits_face_and_eyes(portrait_landmarks):
    box = detect_face(portrait())
    x, y, width, height = box
    inner = portrait_landmarks[17:]  # brows, eyes, nose, mouth
    assert ((inner > (x, y)) & (inner < (x + width, y + height))).all()
    left, right = (portrait_landmarks[eye].mean(axis=0) for eye in (slice(36, 42), slice(42, 48)))
    eyes = detect_eyes(portrait(), box)
    assert np.linalg.norm(eyes - [left, right], axis=1).max() < 0.12 * np.linalg.norm(right - left)


def test_the_largest_of_two_people_is_taken():
    small, large = cv2.resize(portrait()[:256, 96:352], (120, 120)), cv2.resize(portrait()[:256, 96:352], (220, 220))
    frame = np.full((240, 400, 3), 90, np.uint8)
    frame[60:180, 10:130], frame[10:230, 170:390] = small, large
    x, _, width, _ = detect_face(frame)
    assert x > 170 and width > 60


def test_a_small_face_is_found_when_there_is_no_large_one():
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[200:320, 300:420] = cv2.resize(portrait()[:256, 96:352], (120, 120))
    x, y, width, _ = detect_face(frame)
    assert 300 < x < 420 and 190 < y < 320 and width < 100


def test_shrinking_the_frame_finds_the_same_face():
    frame = cv2.resize(face_frames(1)[0], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    small, full = detect_face(frame), detect_face(frame, detection_side=10**6)
    assert np.abs(small - full).max() < 0.1 * full[2]


def test_no_face_is_none():
    assert detect_face(noise_frames(1)[0]) is None


def test_crop_square_is_enlarged_about_the_centre():
    assert crop_square(np.array([100.0, 50.0, 40.0, 40.0]), 1.3) == pytest.approx([94, 44, 52])


def test_crop_maps_pixels_where_to_crop_says():
    frame = np.zeros((300, 300, 3), np.uint8)
    cv2.circle(frame, (150, 120), 4, (0, 0, 255), -1)
    square = np.array([90.0, 60.0, 112.0])
    crop = crop_face(frame, square, 224)
    ys, xs = np.nonzero(crop[..., 0] > 127)  # RGB: the red dot is in channel 0
    expected = to_crop(np.array([[150.0, 120.0]]), square, 224)[0]
    assert (xs.mean(), ys.mean()) == pytest.approx(expected, abs=1.5)
    assert crop[..., 1:].max() == 0


@pytest.mark.parametrize("square", [(-30, -20, 100), (250, 260, 100), (-50, -50, 400)])
def test_a_crop_beyond_the_frame_repeats_the_edge(square):
    crop = crop_face(np.full((300, 300, 3), 77, np.uint8), np.array(square, float), 224)
    assert crop.shape == (224, 224, 3) and (crop == 77).all()

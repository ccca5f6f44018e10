"""The Haar cascades on portraits: which face is found, how large, and where there is none."""

import cv2
import numpy as np

from stages.lib.faces.haar import detect_eyes, detect_face
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
    assert x > 170
    assert width > 60


def test_a_small_face_is_found_when_there_is_no_large_one():
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[200:320, 300:420] = cv2.resize(portrait()[:256, 96:352], (120, 120))
    x, y, width, _ = detect_face(frame)
    assert 300 < x < 420
    assert 190 < y < 320
    assert width < 100


def test_shrinking_the_frame_finds_the_same_face():
    frame = cv2.resize(face_frames(1)[0], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    small, full = detect_face(frame), detect_face(frame, detection_side=10**6)
    assert np.abs(small - full).max() < 0.1 * full[2]


def test_no_face_is_none():
    assert detect_face(noise_frames(1)[0]) is None

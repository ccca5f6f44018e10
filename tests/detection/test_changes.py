"""What differs between two frames of a face: what a change of light, a seam and a moved head give."""

import cv2
import numpy as np
import pytest

from stages.lib.detection.changes import Change, change
from stages.lib.detection.observation import Observation
from stages.lib.faces.appearance import appearance, face_regions
from stages.lib.faces.crop import crop_face, crop_square, to_crop
from stages.lib.faces.detector import FACE_DETECTORS
from stages.lib.faces.video_faces import Face
from stages.lib.frames.extraction import ExtractedVideo
from tests.helpers.videos import portrait

SIDE = 224


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """A crop of the portrait, RGB, and its landmarks."""
    found = FACE_DETECTORS["blazeface"].largest(portrait())
    square = crop_square(found.box, 1.4)
    return crop_face(portrait(), square, SIDE), to_crop(found.landmarks, square, SIDE)


def changed(face: tuple[np.ndarray, np.ndarray], other: np.ndarray, moved: np.ndarray | None = None) -> Change:
    """From the face to another crop, whose landmarks are where they were unless they are given."""
    crop, landmarks = face
    both = [(crop, landmarks), (other, landmarks if moved is None else moved)]
    box = np.array([0.0, 0, SIDE, SIDE])
    faces = [
        Face(at, float(at), None, box, points, appearance(picture, points)) for at, (picture, points) in enumerate(both)
    ]
    crops = np.stack([picture for picture, _ in both])
    return change(Observation("clip", ExtractedVideo(), faces=faces, crops=crops), 0, 1)


def test_nothing_that_changes_is_white_and_zero(face):
    same = changed(face, face[0])
    assert (same.picture == 255).all() and (same.motion, same.light, same.boundary) == (0, 0, 0)


def test_light_that_changes_everywhere_alike_is_no_break(face):
    lighter = np.clip(face[0] * 0.8 + 20, 0, 255).astype(np.uint8)
    assert changed(face, lighter).light < 6


def test_light_that_changes_on_one_half_is_a_break_and_red(face):
    half = face[0].copy()
    half[:, : SIDE // 2] = np.clip(half[:, : SIDE // 2].astype(int) + 30, 0, 255)
    found = changed(face, half)
    assert 15 < found.light < 35 and found.boundary < 0.3
    red, _, blue = found.picture[:, : SIDE // 2].reshape(-1, 3).mean(axis=0)
    assert red > blue + 50 and (found.picture[:, SIDE // 2 + 1 :] == 255).all()


def test_detail_that_is_lost_along_the_outline_is_a_break_at_the_boundary(face):
    crop, landmarks = face
    band = (face_regions(landmarks, SIDE)[1] > 0)[..., None]
    blurred = np.where(band, cv2.GaussianBlur(crop, (0, 0), 3), crop)
    softer = cv2.GaussianBlur(crop, (0, 0), 3)
    assert changed(face, blurred).boundary > 0.7 > 0.4 > changed(face, softer).boundary


def test_a_head_that_moves_and_turns_is_laid_on_the_first(face):
    crop, landmarks = face
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 12, 0.95) + [[0, 0, 6], [0, 0, -4]]
    moved = cv2.warpAffine(crop, matrix, (SIDE, SIDE))
    points = landmarks @ matrix[:, :2].T + matrix[:, 2]
    found = changed(face, moved, points)
    assert found.motion > 0.03 and found.light < 2
    inside = face_regions(landmarks, SIDE)[0] > 0
    assert found.picture[inside].mean() > 235  # nearly white


def test_landmarks_on_one_point_leave_the_faces_where_they_are(face):
    found = changed((face[0], np.full((68, 2), 100.0)), face[0])
    assert (found.picture == 255).all()

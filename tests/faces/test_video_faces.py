"""The faces of one video: which frames have one, why others have none, and the crops that go with them."""

import cv2
import numpy as np
import pytest

from stages.lib.faces import video_faces
from stages.lib.faces.detector import FACE_DETECTORS, DetectedFace
from stages.lib.faces.landmarks import canonical_face
from stages.lib.faces.video_faces import crop_video, face_rows, given_face
from stages.lib.reasons import FrameReject
from stages.lib.records import Frame
from tests.helpers.params import face_settings
from tests.helpers.videos import face_frames, noise_frames

BACKENDS = [("blazeface", "mesh"), ("blazeface", "haar"), ("haar", "mesh"), ("haar", "haar")]


def _frames(images: list[np.ndarray]) -> list[Frame]:
    return [Frame(5 * i, i / 5, image) for i, image in enumerate(images)]


def _cropped(images: list[np.ndarray], **settings: object) -> tuple[list[video_faces.Face], np.ndarray]:
    return crop_video(lambda: _frames(images), face_settings(**settings))


def _reasons(images: list[np.ndarray], **settings: object) -> list[FrameReject | None]:
    return [face.reject_reason for face in _cropped(images, **settings)[0]]


@pytest.mark.parametrize(("detector", "landmarks"), BACKENDS)
def test_a_frame_has_a_face_or_says_that_it_has_none(detector, landmarks):
    images = [*face_frames(2), *noise_frames(1), *face_frames(1)]
    assert _reasons(images, detector=detector, landmarks=landmarks) == [None, None, FrameReject.NO_FACE, None]


@pytest.mark.parametrize(("detector", "landmarks"), BACKENDS)
def test_landmarks_of_every_combination_agree(detector, landmarks):
    (reference,), _ = _cropped(face_frames(1))
    (face,), _ = _cropped(face_frames(1), detector=detector, landmarks=landmarks)
    points = [one.landmarks * max(one.box[2:]) + one.box[:2] * 224 / 1.3 for one in (reference, face)]
    eyes = np.linalg.norm(points[0][42:48].mean(axis=0) - points[0][36:42].mean(axis=0))
    centred = [one - one.mean(axis=0) for one in points]
    assert np.linalg.norm(centred[0] - centred[1], axis=1).mean() < 0.2 * eyes


@pytest.mark.parametrize("size", [64, 224, 320])
def test_crops_have_the_size_that_is_asked_for(size):
    assert _cropped(face_frames(2), size=size)[1].shape == (2, size, size, 3)


def test_a_larger_crop_shows_the_same_face():
    small, large = (_cropped(face_frames(1), size=size)[1][0] for size in (224, 320))
    shrunk = cv2.resize(large, (224, 224), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small).mean() < 3


def test_landmarks_grow_with_the_crop():
    small, large = (_cropped(face_frames(1), size=size)[0][0].landmarks for size in (224, 320))
    np.testing.assert_allclose(large, small * 320 / 224)


def test_a_video_without_faces_has_no_crops_of_that_size():
    assert _cropped(noise_frames(2), size=320)[1].shape == (0, 320, 320, 3)


class _Detector:
    """Finds in each frame the box that it is told, in turn; with the landmarks of a face there."""

    description = "stand-in"

    def __init__(self, boxes: list[tuple[float, ...]], shift: float = 0.0, scale: float = 1.0):
        self.boxes, self.shift, self.scale = iter(boxes), shift, scale

    def largest(self, frame: np.ndarray) -> DetectedFace:
        box = np.array(next(self.boxes))
        landmarks = canonical_face() * 0.4 * box[2] * self.scale + box[:2] + box[2:] / 2 + self.shift * box[2:]
        return DetectedFace(box, box, landmarks)

    def all(self, frame: np.ndarray) -> list[DetectedFace]:
        return [self.largest(frame)]


HERE, THERE = (100.0, 60.0, 100.0, 100.0), (20.0, 20.0, 30.0, 30.0)


def test_a_box_that_jumps_away_for_a_frame_is_not_a_face(monkeypatch):
    monkeypatch.setitem(FACE_DETECTORS, "blazeface", _Detector([HERE, HERE, THERE, HERE]))
    assert _reasons(noise_frames(4)) == [None, None, FrameReject.NOT_A_FACE, None]


def test_the_crop_of_what_is_not_a_face_is_dropped(monkeypatch):
    images, boxes = [np.full((240, 320, 3), 10 * i, np.uint8) for i in range(4)], [HERE, HERE, THERE, HERE]
    monkeypatch.setitem(FACE_DETECTORS, "blazeface", _Detector(boxes))
    assert _cropped(images)[1][:, 0, 0, 0].tolist() == [0, 10, 30]


@pytest.mark.parametrize(
    ("shift", "scale", "reason"),
    [
        (0.0, 1.0, None),
        (0.1, 0.9, None),
        (0.8, 1.0, FrameReject.NOT_A_FACE),  # beside the box
        (0.0, 0.3, FrameReject.NOT_A_FACE),  # in an eye of it
        (0.0, 3.0, FrameReject.NOT_A_FACE),
    ],
)
def test_landmarks_that_do_not_fit_the_box_are_not_a_faces(monkeypatch, shift, scale, reason):
    monkeypatch.setitem(FACE_DETECTORS, "blazeface", _Detector([HERE], shift, scale))
    assert _reasons(noise_frames(1)) == [reason]


def test_a_box_in_which_the_mesh_sees_no_face_is_not_a_face(monkeypatch):
    monkeypatch.setattr(video_faces, "make_landmarker", lambda backend: lambda frame, box: None)
    assert _reasons(face_frames(1), detector="haar") == [FrameReject.NOT_A_FACE]


def test_rows_count_the_faces_that_there_are(monkeypatch):
    monkeypatch.setitem(FACE_DETECTORS, "blazeface", _Detector([HERE, HERE, THERE, HERE]))
    rows = face_rows("v", _cropped(noise_frames(4))[0])
    assert [row.get("face_row") for row in rows] == [0, 1, None, 2]


def test_the_same_video_gives_the_same_bytes():
    one, other = (_cropped(face_frames(3)) for _ in range(2))
    assert one[1].tobytes() == other[1].tobytes()
    assert [face.landmarks.tobytes() for face in one[0]] == [face.landmarks.tobytes() for face in other[0]]


def _given(image: np.ndarray, **settings: object) -> tuple[video_faces.Face, np.ndarray]:
    return given_face(Frame(7, 0.28, image), face_settings(**settings))


def test_a_given_face_is_the_whole_picture():
    picture = face_frames(1)[0][20:220, 40:240]
    _, crop = _given(picture)
    expected = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(crop, cv2.cvtColor(expected, cv2.COLOR_BGR2RGB))


def test_a_given_face_keeps_its_number_and_time():
    face, _ = _given(face_frames(1)[0][20:220, 40:240])
    assert (face.frame_index, face.time_s, face.reject_reason) == (7, 0.28, None)


@pytest.mark.parametrize(("detector", "landmarks"), BACKENDS)
def test_a_given_face_is_measured_as_one_that_was_found(detector, landmarks):
    picture = face_frames(1)[0][20:220, 40:240]
    (found,), _ = _cropped([picture], detector=detector, landmarks=landmarks)
    face, _ = _given(picture, detector=detector, landmarks=landmarks)
    np.testing.assert_allclose(face.box, found.box)
    # Landmarks are in pixels of the crop, which is the whole picture of 200 px here.
    in_picture = found.landmarks * round(1.4 * max(found.box[2:])) / 224
    in_picture += np.round(found.box[:2] + (found.box[2:] - 1.4 * max(found.box[2:])) / 2)
    np.testing.assert_allclose(face.landmarks * 200 / 224, in_picture, atol=1e-6)


def test_where_no_face_is_seen_an_upright_one_in_the_middle_is_assumed():
    face, _ = _given(noise_frames(1, (210, 210))[0], enlarge=1.5)
    assert face.reject_reason is None
    assert face.box.tolist() == [35, 35, 140, 140]  # a crop of 1.5 boxes is 210 px
    eyes = face.landmarks[36:48].mean(axis=0)
    assert eyes[0] == pytest.approx(112)
    assert eyes[1] < face.landmarks[48:].mean(axis=0)[1]
    assert np.isfinite(face.appearance).all()


def test_a_picture_that_is_not_square_is_padded_by_its_edges():
    picture = np.full((100, 60, 3), (10, 20, 30), np.uint8)
    picture[:, :30] = (200, 100, 50)
    _, crop = _given(picture, size=96)
    assert crop.shape == (96, 96, 3)
    assert crop[50, 2].tolist() == [50, 100, 200]
    assert crop[50, -3].tolist() == [30, 20, 10]

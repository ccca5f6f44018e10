"""What decoding and cropping one video gives, and what is noted on the way."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.lib.detection.observation import Note, NoteCode, Observation, looks_of, observe
from stages.lib.fingerprint import sha256
from stages.lib.reasons import VideoReject
from tests.helpers.params import frame_settings
from tests.helpers.verdicts import calibration_of
from tests.helpers.videos import face_frames, portrait, write_video

CALIBRATION = calibration_of([1.0, 2.0])


def _observed(path: Path, **options: float) -> Observation:
    return observe(path.name, path, CALIBRATION, **options)


def _codes(path: Path) -> set[NoteCode]:
    return {note.code for note in _observed(path).notes}


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_video(tmp_path_factory.mktemp("observed") / "v.mp4", face_frames(20))


@pytest.fixture(scope="module")
def observation(video) -> Observation:
    return _observed(video)


def test_every_frame_taken_has_its_face(observation):
    assert observation.n_frames == CALIBRATION.frames.per_video
    assert [face.reject_reason for face in observation.faces] == [None] * observation.n_frames


def test_crops_belong_to_the_faces_used(observation):
    assert observation.crops.shape == (len(observation.used), 224, 224, 3)


def test_the_files_digest_and_size_are_kept(observation, video):
    assert (observation.sha256, observation.n_bytes) == (sha256(video), video.stat().st_size)


def test_frames_are_shrunk_as_the_calibration_says(video, observation):
    small = CALIBRATION.model_copy(update={"frames": frame_settings(max_side=160)})
    shrunk = observe(video.name, video, small)
    assert (shrunk.extracted.width, shrunk.extracted.height) == (320, 240)  # the video's own
    assert looks_of(shrunk)["face_px"] == pytest.approx(looks_of(observation)["face_px"] / 2, rel=0.15)


def test_whole_frames_are_not_kept_but_one_small_view_is(observation):
    assert observation.extracted.frames == []
    assert cv2.imdecode(np.frombuffer(observation.view, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)


def test_one_person_is_no_reason_for_a_note(observation):
    assert observation.notes == []


def test_several_faces_in_view_are_noted(tmp_path):
    beside = [np.hstack([frame, frame[:, 10:250]]) for frame in face_frames(20)]
    assert NoteCode.SEVERAL_FACES in _codes(write_video(tmp_path / "a.mp4", beside))


def test_other_people_are_noted(tmp_path):
    tinted = [np.clip(frame * (0.3, 0.8, 1.6), 0, 255).astype(np.uint8) for frame in face_frames(10)]
    assert NoteCode.OTHER_PEOPLE in _codes(write_video(tmp_path / "b.mp4", face_frames(10) + tinted))


def test_a_file_that_ends_early_is_noted_with_its_counts(tmp_path):
    whole = write_video(tmp_path / "whole.avi", face_frames(60), codec="MJPG").read_bytes()
    (tmp_path / "v.avi").write_bytes(whole[: len(whole) // 2])
    observation = _observed(tmp_path / "v.avi")
    extracted = observation.extracted
    assert 0 < extracted.n_decoded < 60
    assert observation.notes == [Note(NoteCode.TRUNCATED, {"n_decoded": extracted.n_decoded, "n_declared": 60})]


def test_a_single_image_is_rejected_before_its_face_is_sought(tmp_path):
    cv2.imwrite(str(tmp_path / "still.png"), portrait())
    observation = _observed(tmp_path / "still.png")
    assert observation.extracted.reject_reason == VideoReject.SINGLE_IMAGE
    assert (observation.n_frames, observation.faces, observation.view) == (0, [], None)


def test_a_video_that_is_too_long_is_not_decoded(video):
    extracted = _observed(video, max_seconds=0.7).extracted
    assert (extracted.reject_reason, extracted.n_decoded) == (VideoReject.TOO_LONG, 0)


def test_a_video_that_is_as_long_as_allowed_is_decoded(video):
    assert _observed(video, max_seconds=0.9).extracted.n_decoded == 20


def test_a_folder_of_frames_has_no_digest(tmp_path):
    for number, frame in enumerate(face_frames(12)):
        cv2.imwrite(str(tmp_path / f"{number:03}.png"), frame)
    observation = _observed(tmp_path)
    assert (observation.sha256, observation.n_bytes) == (None, 0)
    assert len(observation.used) == CALIBRATION.frames.per_video

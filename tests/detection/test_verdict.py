"""What is decided of a score, and what is noted beside it."""

import numpy as np
import pytest

from stages.lib.anomaly.scoring import VideoScore
from stages.lib.detection.observation import Note, NoteCode
from stages.lib.detection.verdict import ANOMALOUS, CANNOT_TELL, NOT_ANOMALOUS, Pair, decide
from stages.lib.faces.video_faces import Face
from stages.lib.reasons import FrameReject, VideoReject
from tests.helpers.verdicts import RATE, calibration_of, measured, observation_of, rejected, verdict_of

CALIBRATION = calibration_of(range(1, 20))  # 19 reals: at this rate the threshold is the highest of them, 19


@pytest.mark.parametrize(
    ("score", "decision", "percentile", "p_value"),
    [
        (19.5, ANOMALOUS, 100.0, 1 / 20),
        (19.0, NOT_ANOMALOUS, 97.4, 2 / 20),  # 18 of 19 are lower, and one equal
        (0.5, NOT_ANOMALOUS, 0.0, 20 / 20),
    ],
)
def test_a_score_above_the_threshold_is_anomalous(score, decision, percentile, p_value):
    verdict = verdict_of(observation_of("v"), [score] * 5, CALIBRATION)
    assert (verdict.decision, verdict.reject_reason) == (decision, None)
    assert verdict.anomaly_score == score
    assert verdict.percentile == pytest.approx(percentile, abs=0.05)
    assert verdict.p_value == pytest.approx(p_value)


def test_likelihood_ratios_are_no_part_of_the_decision():
    with_ratios = calibration_of(range(1, 20), measured=measured())
    verdict, without = (verdict_of(observation_of("v"), [4.5] * 5, one) for one in (with_ratios, CALIBRATION))
    assert [ratio.family for ratio in verdict.likelihood_ratios] == ["animated", "swap"]
    assert without.likelihood_ratios == []
    assert (verdict.decision, verdict.p_value) == (without.decision, without.p_value)


@pytest.mark.parametrize("n_reals", [0, 1])
def test_fewer_than_two_reals_leave_a_score_without_a_decision(n_reals):
    verdict = verdict_of(observation_of("v"), [3.0] * 5, calibration_of(range(n_reals)))
    assert (verdict.decision, verdict.reject_reason) == (CANNOT_TELL, VideoReject.UNCALIBRATED)
    assert verdict.anomaly_score == 3.0
    assert (verdict.percentile, verdict.p_value) == (None, None)


@pytest.mark.parametrize("reason", [VideoReject.NO_FACE, VideoReject.TOO_FEW_FACES, VideoReject.TOO_LONG])
def test_a_video_without_a_score_has_its_reason_and_no_figures(reason):
    verdict = rejected(observation_of("v"), reason, CALIBRATION)
    assert (verdict.decision, verdict.reject_reason) == (CANNOT_TELL, reason)
    assert (verdict.anomaly_score, verdict.interval, verdict.percentile, verdict.p_value) == (None,) * 4
    assert verdict.pairs == []


def test_pairs_without_a_score_are_not_listed():
    score = VideoScore(None, np.full(2, np.nan), VideoReject.UNCALIBRATED)
    verdict = decide(observation_of("v"), np.array([[0, 4], [2, 5]]), score, CALIBRATION, RATE)
    assert (verdict.decision, verdict.reject_reason, verdict.pairs) == (CANNOT_TELL, VideoReject.UNCALIBRATED, [])


def test_each_pair_keeps_its_faces_and_its_score():
    score = VideoScore(2.0, np.array([1.0, 3.0]), None)
    verdict = decide(observation_of("v"), np.array([[0, 4], [2, 5]]), score, CALIBRATION, RATE)
    assert verdict.pairs == [Pair(0, 4, 1.0), Pair(2, 5, 3.0)]


def test_faces_and_rejected_frames_are_counted():
    observation = observation_of("v", n_faces=5, dropped=2)
    observation.faces[-1] = Face(30, 6.0, FrameReject.OTHER_PERSON)
    verdict = verdict_of(observation, [1.0] * 4, CALIBRATION)
    assert verdict.n_faces == 5
    assert verdict.frame_rejects == {FrameReject.NO_FACE: 1, FrameReject.OTHER_PERSON: 1}


def test_the_interval_is_that_of_the_mean_over_pairs():
    pair_scores = np.random.default_rng(0).normal(5, 1, 200)
    low, high = verdict_of(observation_of("v", n_faces=201), pair_scores, CALIBRATION).interval
    half = 1.96 * pair_scores.std() / np.sqrt(200)
    assert (low, high) == pytest.approx((pair_scores.mean() - half, pair_scores.mean() + half), abs=0.03)


def test_one_pair_has_no_interval():
    assert verdict_of(observation_of("v", n_faces=2), [3.0], CALIBRATION).interval is None


def _codes(pair_scores: list[float], **observed: float) -> list[NoteCode]:
    return [note.code for note in verdict_of(observation_of("v", **observed), pair_scores, CALIBRATION).notes]


@pytest.mark.parametrize("pair_scores", [[1.0, 45.0, 9.0, 30.0], [1.0, 40.0, 2.0, 30.0]])
def test_a_threshold_within_the_interval_is_noted_as_borderline(pair_scores):
    assert _codes(pair_scores) == [NoteCode.BORDERLINE]


@pytest.mark.parametrize("pair_scores", [[30.0, 31.0, 32.0, 33.0], [1.0, 2.0, 3.0, 4.0]])
def test_a_threshold_far_from_the_interval_is_not_noted(pair_scores):
    assert _codes(pair_scores) == []


@pytest.mark.parametrize(
    ("width", "codes"),
    # faces of 50 to 150 px were calibrated on; half as much again is let pass
    [(33, [NoteCode.FACE_SIZE]), (34, []), (100, []), (225, []), (226, [NoteCode.FACE_SIZE])],
)
def test_a_face_of_another_size_than_those_calibrated_on_is_noted(width, codes):
    assert _codes([1.0] * 5, face_px=width) == codes


def test_the_note_on_the_size_of_a_face_has_the_figures():
    (note,) = verdict_of(observation_of("v", face_px=400), [1.0] * 5, CALIBRATION).notes
    assert note.figures == {"value": 400, "least": 50, "greatest": 150}


def test_a_video_whose_faces_are_as_those_of_the_reals_is_said_to_be_like_them():
    assert verdict_of(observation_of("v"), [1.0] * 5, CALIBRATION).is_like_the_reals is True


def test_a_video_whose_faces_are_larger_than_those_of_the_reals_is_said_to_be_unlike_them():
    assert verdict_of(observation_of("v", face_px=400), [1.0] * 5, CALIBRATION).is_like_the_reals is False


def test_what_was_noted_on_observing_comes_first_and_the_observation_stays_as_it_is():
    observation = observation_of("v", face_px=400)
    truncated = Note(NoteCode.TRUNCATED, {"n_decoded": 3, "n_declared": 9})
    observation.notes.append(truncated)
    verdict = verdict_of(observation, [1.0] * 5, CALIBRATION)
    assert [note.code for note in verdict.notes] == [NoteCode.TRUNCATED, NoteCode.FACE_SIZE]
    assert observation.notes == [truncated]

"""A verdict as JSON: its keys, codes and figures, written out by hand as docs/detect.md promises them."""

import json

import pytest

from stages.lib.detection.json_report import run_as_json, verdict_as_json
from stages.lib.detection.observation import Note, NoteCode
from stages.lib.files import json_text
from stages.lib.reasons import VideoReject
from tests.helpers.verdicts import (
    RATE,
    calibration_of,
    measured,
    observation_of,
    rejected,
    trained_on_fakes,
    verdict_of,
)

CALIBRATION = calibration_of(range(1, 20))


@pytest.fixture(scope="module")
def written() -> dict:
    """A video of four faces and a frame without one, as it is read back."""
    observation = observation_of("a.mp4", n_faces=4, dropped=1)
    observation.notes.append(Note(NoteCode.TRUNCATED, {"n_decoded": 3, "n_declared": 9}))
    verdict = verdict_of(observation, [20.0, 30.0, 40.0], CALIBRATION)
    return json.loads(json_text(verdict_as_json(verdict, CALIBRATION, RATE)))


def test_it_has_these_keys(written):
    assert set(written) == {
        "video", "sha256", "bytes", "width", "height", "n_declared", "n_decoded", "n_frames", "decision",
        "reject_reason", "reason", "notes", "anomaly_score", "anomaly_score_interval", "percentile", "p_value",
        "n_faces", "n_pairs", "frame_rejects", "faces", "dropped_frames", "pairs", "words",
        "is_like_the_reals", "likelihood_ratios",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("video", "a.mp4"),
        ("sha256", "0" * 64),
        ("bytes", 12345),
        ("width", 320),
        ("height", 240),
        ("n_declared", 40),
        ("n_decoded", 40),
        ("n_frames", 5),
        ("decision", "anomalous"),
        ("reject_reason", None),
        ("reason", None),
        ("notes", ["The file ends early: 3 of 9 frames can be decoded."]),
        ("anomaly_score", 30.0),
        ("percentile", 100.0),
        ("p_value", 0.05),
        ("is_like_the_reals", True),
        ("likelihood_ratios", []),
        ("n_faces", 4),
        ("n_pairs", 3),
        ("frame_rejects", {"no_face": 1}),
        ("dropped_frames", [{"frame_index": 20, "time_s": 0.8, "reject_reason": "no_face"}]),
    ],
)
def test_each_key_has_its_value(written, key, value):
    assert written[key] == value


def test_the_words_begin_with_the_verdict_and_end_with_the_notes(written):
    assert written["words"][0].startswith("Anomalous: its frames differ from each other otherwise")
    assert written["words"][-1] == "The file ends early: 3 of 9 frames can be decoded."


def test_the_interval_is_a_pair_of_numbers_around_the_score(written):
    low, high = written["anomaly_score_interval"]
    assert 20 <= low < 30 < high <= 40


def test_a_face_has_its_frame_its_time_and_its_box(written):
    assert written["faces"][1] == {"frame_index": 5, "time_s": 0.2, "box": [10.0, 10.0, 100.0, 100.0]}


def test_a_pair_has_both_its_frames_and_its_score(written):
    assert written["pairs"][2] == {
        "a": {"frame_index": 10, "time_s": 0.4},
        "b": {"frame_index": 15, "time_s": 0.6},
        "anomaly_score": 40.0,
    }


@pytest.fixture(scope="module")
def ratios() -> dict:
    """The likelihood ratios of a video that scores as the swaps do, by family, as they are read back."""
    calibration = calibration_of(range(1, 20), measured=measured())
    verdict = verdict_of(observation_of("a.mp4"), [4.5] * 5, calibration)
    found = json.loads(json_text(verdict_as_json(verdict, calibration, RATE)))["likelihood_ratios"]
    return {ratio["family"]: ratio for ratio in found}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("methods", {"x": 10, "y": 10}),
        ("n_fake", 20),
        ("people_fake", 10),
        ("dataset", "demo"),
        ("n_real", 10),
        ("people_real", 10),
    ],
)
def test_a_likelihood_ratio_names_what_it_rests_on(ratios, key, value):
    assert ratios["swap"][key] == value


def test_a_likelihood_ratio_stands_with_its_bounds_and_in_words(ratios):
    low, high = ratios["swap"]["bounds"]
    assert 1 / 11 < low < 1 < ratios["swap"]["likelihood_ratio"] <= high < 11
    assert "face swaps (x, y: 20 videos of 10 people)" in ratios["swap"]["words"]


@pytest.mark.parametrize("key", ["likelihood_ratio", "bounds"])
def test_too_few_fakes_have_no_likelihood_ratio(ratios, key):
    assert ratios["animated"][key] is None


def test_why_there_is_no_likelihood_ratio_is_said(ratios):
    assert ratios["animated"]["words"].startswith("There is no likelihood ratio for animated faces (z: 1 video)")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decision", "cannot tell"),
        ("reject_reason", "unreadable"),
        ("reason", "not a video that can be opened: another kind of file, or damaged"),
        ("anomaly_score", None),
        ("anomaly_score_interval", None),
        ("percentile", None),
        ("p_value", None),
        ("is_like_the_reals", None),
        ("words", ["Cannot tell: not a video that can be opened: another kind of file, or damaged.", ""]),
        ("likelihood_ratios", []),
        ("n_pairs", 0),
        ("pairs", []),
        ("faces", []),
        ("frame_rejects", {}),
    ],
)
def test_a_video_without_a_score_has_its_reason_and_nulls(key, value):
    verdict = rejected(observation_of("b.mp4", n_faces=0), VideoReject.UNREADABLE, CALIBRATION)
    assert json.loads(json_text(verdict_as_json(verdict, CALIBRATION, RATE)))[key] == value


def test_the_fakes_that_were_trained_on_stand_in_the_verdict_and_in_the_run():
    calibration = trained_on_fakes(CALIBRATION, "X", "Y")
    verdict = verdict_of(observation_of("a.mp4"), [20.0, 30.0], calibration)
    of_run = run_as_json(calibration, RATE, [])
    assert "trained on fakes: X, Y" in verdict_as_json(verdict, calibration, RATE)["words"][1]
    assert "trained on fakes: X, Y" in of_run["model"] and of_run["calibration"]["trained_on"]["fakes"] == ["X", "Y"]
    assert "fakes" not in run_as_json(CALIBRATION, RATE, [])["calibration"]["trained_on"]

"""Metrics against hand-counted answers."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.lib.evaluation.detectors import CLASSIFIER, DIFFFAKE, Detector
from stages.lib.evaluation.metrics import (
    ALL,
    EvaluatedDataset,
    Parts,
    auc,
    average_precision,
    by_method,
    coverage,
    detector_metrics,
    equal_error_rate,
    histogram_rows,
    roc_rows,
)
from stages.lib.reasons import TRUNCATED, FrameReject, VideoReject
from stages.lib.records import FAKE, REAL

VIDEOS = pd.DataFrame(
    {
        "video_id": list("abcdefg"),
        "label": [REAL, REAL, REAL, FAKE, FAKE, FAKE, FAKE],
        "method": ["", "", "", "swap", "swap", "mouth", "mouth"],
        "person": list("pqrpqpq"),
        "anomaly_score": [0.0, 1.0, None, 2.0, 0.5, 1.0, -1.0],
        "n_frames": [4, 4, 0, 4, 4, 4, 4],
        "n_faces": [4, 3, 0, 4, 4, 4, 4],
        "note": [TRUNCATED, None, None, None, None, None, None],
        "reject_reason": [None, None, VideoReject.UNREADABLE, None, None, None, None],
        "frame_rejects": [json.dumps(r) for r in ({}, {FrameReject.NO_FACE: 1}, {}, {}, {}, {}, {})],
    }
)


def _auc_by_method(videos: pd.DataFrame, score: str) -> dict[str, float | None]:
    return {method: auc(*scores) for method, scores in by_method(videos, score).items()}


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        ([0, 1], [2, 3], 1.0),
        ([2, 3], [0, 1], 0.0),
        ([0, 1], [0, 1], 0.5),
        ([1, 2, 3], [2.5], 2 / 3),
        ([1], [], None),
        ([], [1], None),
    ],
)
def test_auc_is_the_share_of_pairs_in_order(real, fake, expected):
    assert auc(np.array(real, float), np.array(fake, float)) == pytest.approx(expected)


def test_auc_per_method_uses_every_scored_real():
    # swap: 2 > 0, 2 > 1, 0.5 > 0, 0.5 < 1; mouth: 1 > 0, 1 = 1, -1 < both
    assert _auc_by_method(VIDEOS, "anomaly_score") == {"mouth": 1.5 / 4, "swap": 3 / 4, ALL: 4.5 / 8}


@pytest.mark.parametrize(("label", "expected"), [(REAL, {ALL: None}), (FAKE, {"mouth": None, "swap": None, ALL: None})])
def test_one_class_gives_null(label, expected):
    assert _auc_by_method(VIDEOS[VIDEOS["label"] == label], "anomaly_score") == expected


def test_roc_area_is_the_auc():
    rows = pd.DataFrame(roc_rows("d", VIDEOS, "anomaly_score"))
    for method, expected in _auc_by_method(VIDEOS, "anomaly_score").items():
        curve = rows[rows["method"] == method]
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(expected)


def test_histogram_shares_add_up_to_one_per_kind():
    rows = pd.DataFrame(histogram_rows("d", VIDEOS, "anomaly_score"))
    assert rows.groupby("kind")["share"].sum().to_dict() == pytest.approx({REAL: 1, "swap": 1, "mouth": 1})


def test_a_crashed_video_and_its_frames_are_counted():
    videos = VIDEOS.assign(reject_reason=[None, None, VideoReject.CRASHED, None, None, None, None])
    videos.loc[2, ["n_frames", "frame_rejects"]] = [5, json.dumps({FrameReject.CRASHED: 5})]
    found = coverage(videos)
    assert found["videos"]["dropped"] == {"crashed": 1}
    assert found["frames"] == {"extracted": 29, "used": 23, "dropped": {"crashed": 5, "no_face": 1}}


def test_nothing_is_lost_in_coverage():
    assert coverage(VIDEOS) == {
        "videos": {"indexed": 7, "used": 6, "dropped": {"unreadable": 1}, "noted": {"truncated": 1}},
        "frames": {"extracted": 24, "used": 23, "dropped": {"no_face": 1}},
    }


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        ([0, 1], [2, 3], 0.0),
        ([2, 3], [0, 1], 1.0),
        ([0, 1, 2, 4], [3, 5, 6, 7], 0.25),  # between 3 and 4, one of four is wrong on either side
        ([0, 2], [1, 3], 0.5),  # 1 real in 2 above 1, 1 fake in 2 below 2
        ([0, 0, 1], [1, 1, 1], 0.25),  # between "all above 0" (1/3, 0) and "none" (0, 1): fpr = 1/3 - t/3 = t
        ([1], [], None),
    ],
)
def test_equal_error_rate_by_hand(real, fake, expected):
    assert equal_error_rate(np.array(real, float), np.array(fake, float)) == pytest.approx(expected)


def test_equal_error_rate_of_two_gaussians():
    rng = np.random.default_rng(0)  # one deviation apart on either side of the threshold: Phi(-1)
    assert equal_error_rate(rng.normal(0, 1, 40000), rng.normal(2, 1, 10000)) == pytest.approx(0.1587, abs=0.006)


def test_average_precision_by_hand():
    # ranked: fake, real, fake -> precision 1 at recall 1/2, 2/3 at recall 1
    assert average_precision(np.array([1.0]), np.array([2.0, 0.0])) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


@pytest.mark.parametrize(("real", "fake"), [([1.0], []), ([], [1.0])])
def test_average_precision_of_one_class_is_none(real, fake):
    assert average_precision(np.array(real), np.array(fake)) is None


def _parts(video_ids: str, scores: list[float]) -> Parts:
    """The scores of pairs or frames of ``VIDEOS``."""
    return Parts(np.array(["abcdefg".index(one) for one in video_ids], np.int32), np.array(scores, float))


PAIRS = _parts("abcddeefg", [0.0, 1.0, 9.0, 1.0, 3.0, 0.5, 0.5, 2.0, -2.0])


@pytest.fixture(scope="module")
def measured() -> dict:
    return detector_metrics(VIDEOS, PAIRS, DIFFFAKE, seed=0)


def test_detector_metrics_are_of_each_method_and_of_all(measured):
    assert set(measured) == {"swap", "mouth", ALL}


@pytest.mark.parametrize(
    ("method", "key", "value"),
    [
        ("swap", "auc", 3 / 4),
        ("swap", "n_real", 2),
        ("swap", "n_fake", 2),
        (ALL, "n_fake", 4),
        # fakes' pairs 1, 3, 0.5, 0.5 against 0 and 1; c is a real without a score, so its pair doesn't count
        ("swap", "pair_auc", (1.5 + 2 + 1 + 1) / 8),
        ("mouth", "pair_auc", 2 / 4),
    ],
)
def test_detector_metrics_by_hand(measured, method, key, value):
    assert measured[method][key] == pytest.approx(value)


def test_the_equal_error_rate_of_frames_by_hand():
    """Between 3 and 4, one of four frames is wrong on either side; of the videos' means, none is."""
    videos = VIDEOS.assign(classifier_logit=[0.5, 3.0, None, 4.0, 6.5, None, None])
    frames = _parts("aabbcddee", [0.0, 1, 2, 4, 99, 3, 5, 6, 7])
    found = detector_metrics(videos, frames, CLASSIFIER, seed=0)["swap"]
    assert found["frame_eer"] == pytest.approx(1 / 4)
    assert found["frame_auc"] == pytest.approx(15 / 16)
    assert found["eer"] == 0


def test_the_interval_of_an_auc_is_over_its_people(measured):
    # p's real 0 and swap 2, q's real 1 and swap .5. Drawn are p alone (1), q alone (0) or, half the time, both (3/4):
    # less the bias of 5/8 - 3/4, that is 1/8 to 9/8
    assert measured["swap"]["auc_ci95"] == pytest.approx([1 / 8, 1.0], abs=0.03)


def test_one_person_has_no_interval():
    found = detector_metrics(VIDEOS.assign(person="p"), _parts("", []), DIFFFAKE, seed=0)
    assert found["swap"]["auc_ci95"] is None


def test_a_detector_without_parts_has_no_auc_of_parts():
    combined = Detector("combined", "combined", "anomaly_score")
    assert set(detector_metrics(VIDEOS, None, combined, seed=0)[ALL]) == {
        "auc", "auc_ci95", "eer", "average_precision", "n_real", "n_fake",
    }  # fmt: skip


def _dataset(**scores: object) -> EvaluatedDataset:
    """A dataset whose videos have these scores, and of the others none."""
    columns = ("single_frame_score", "classifier_logit", "pair_density", "typicality", "boundary_score", "drift")
    more = {"split": "test", "identity": "", "original": ""} | dict.fromkeys(columns, np.nan) | scores

    def of_a(detector: Detector, videos: pd.DataFrame) -> Parts:
        return _parts("a", [0.0]) if len(videos) else _parts("", [])

    return EvaluatedDataset(VIDEOS.assign(**more), of_a)


@pytest.mark.parametrize(
    ("scores", "keys"),
    [
        ({}, set()),
        ({"typicality": 1.0, "pair_density": 2.0}, {"typicality", "pairs"}),
        ({"boundary_score": [None, 1.0, *[None] * 5]}, {"boundary"}),
        ({"boundary_score": 1.0, "split": ["train"] * 7}, set()),
    ],
)
def test_a_detector_that_scores_no_test_video_is_left_out_unless_it_is_the_papers(scores, keys):
    assert set(_dataset(**scores).metrics(seed=0)) == {"difffake", "single_frame", "classifier"} | keys


def test_a_detector_of_the_papers_without_scores_has_null():
    assert _dataset().metrics(seed=0)["classifier"][ALL]["auc"] is None


def test_a_test_fake_is_of_its_originals_person():
    columns = ["video_id", "label", "split", "identity", "original"]
    rows = [("a", REAL, "test", "anna", ""), ("b", FAKE, "test", "ben", "a"), ("c", REAL, "train", "cleo", "")]
    videos = pd.DataFrame(rows, columns=columns)
    dataset = EvaluatedDataset(videos, lambda detector, videos: _parts("", []))
    assert dataset.test["person"].tolist() == ["anna", "anna"]


def test_what_a_videos_row_is_called_does_not_matter(measured):
    """A test split is a part of its table."""
    renamed = VIDEOS.set_index(pd.Index(range(10, 17)))
    assert detector_metrics(renamed, PAIRS, DIFFFAKE, seed=0) == measured

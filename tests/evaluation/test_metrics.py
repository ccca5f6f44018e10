"""Metrics against hand-counted answers."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.lib.evaluation.detectors import DIFFFAKE
from stages.lib.evaluation.metrics import (
    auc,
    auc_interval,
    average_precision,
    by_method,
    coverage,
    detector_metrics,
    equal_error_rate,
    histogram_rows,
    roc_rows,
)

VIDEOS = pd.DataFrame(
    {
        "video_id": list("abcdefg"),
        "label": ["real", "real", "real", "fake", "fake", "fake", "fake"],
        "method": ["", "", "", "swap", "swap", "mouth", "mouth"],
        "anomaly_score": [0.0, 1.0, None, 2.0, 0.5, 1.0, -1.0],
        "n_frames": [4, 4, 0, 4, 4, 4, 4],
        "n_faces": [4, 3, 0, 4, 4, 4, 4],
        "note": ["truncated", None, None, None, None, None, None],
        "reject_reason": [None, None, "unreadable", None, None, None, None],
        "frame_rejects": [json.dumps(r) for r in ({}, {"no_face": 1}, {}, {}, {}, {}, {})],
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
    assert _auc_by_method(VIDEOS, "anomaly_score") == {"mouth": 1.5 / 4, "swap": 3 / 4, "all": 4.5 / 8}


def test_one_class_gives_null():
    assert _auc_by_method(VIDEOS[VIDEOS["label"] == "real"], "anomaly_score") == {"all": None}
    assert _auc_by_method(VIDEOS[VIDEOS["label"] == "fake"], "anomaly_score") == {
        "mouth": None,
        "swap": None,
        "all": None,
    }


def test_roc_area_is_the_auc():
    rows = pd.DataFrame(roc_rows("d", VIDEOS, "anomaly_score"))
    for method, expected in _auc_by_method(VIDEOS, "anomaly_score").items():
        curve = rows[rows["method"] == method]
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(expected)


def test_histogram_shares_add_up_to_one_per_kind():
    rows = pd.DataFrame(histogram_rows("d", VIDEOS, "anomaly_score"))
    assert rows.groupby("kind")["share"].sum().to_dict() == pytest.approx({"real": 1, "swap": 1, "mouth": 1})


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
    assert average_precision(np.array([1.0]), np.array([])) is None


def test_interval_holds_the_true_auc_as_often_as_it_says():
    rng, true = np.random.default_rng(0), 0.7602  # Phi(1 / sqrt 2)
    intervals = [auc_interval(rng.normal(0, 1, 60), rng.normal(1, 1, 60), seed) for seed in range(40)]
    assert 34 <= sum(low <= true <= high for low, high in intervals) <= 40
    widths = [high - low for low, high in intervals]
    # Hanley and McNeil's standard error of this AUC with 60 and 60 is 0.0436
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 0.0436, rel=0.15)


def test_interval_is_seeded_and_needs_two_of_each():
    real, fake = np.arange(9.0), np.arange(4.0, 13.0)
    assert auc_interval(real, fake, 3) == auc_interval(real, fake, 3)
    assert auc_interval(real[:1], fake, 0) is None and auc_interval(real, fake[:0], 0) is None


def test_detector_metrics_hold_video_and_pair_level_and_counts():
    pairs = pd.DataFrame(
        {"video_id": list("abcddeefg"), "anomaly_score": [0.0, 1.0, 9.0, 1.0, 3.0, 0.5, 0.5, 2.0, -2.0]}
    )
    made = detector_metrics(VIDEOS, pairs, DIFFFAKE, seed=0)
    assert set(made) == {"swap", "mouth", "all"}
    assert (made["swap"]["auc"], made["swap"]["n_real"], made["swap"]["n_fake"]) == (3 / 4, 2, 2)
    # fakes' pairs 1, 3, 0.5, 0.5 against 0 and 1; c is a real without a score, so its pair doesn't count
    assert made["swap"]["pair_auc"] == pytest.approx((1.5 + 2 + 1 + 1) / 8)
    assert made["mouth"]["pair_auc"] == 2 / 4 and made["all"]["n_fake"] == 4

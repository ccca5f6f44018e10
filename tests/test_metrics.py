"""Metrics against hand-counted answers."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.lib.metrics import auc, auc_by_method, coverage, histogram_rows, roc_rows

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
    assert auc_by_method(VIDEOS, "anomaly_score") == {"mouth": 1.5 / 4, "swap": 3 / 4, "all": 4.5 / 8}


def test_one_class_gives_null():
    assert auc_by_method(VIDEOS[VIDEOS["label"] == "real"], "anomaly_score") == {"all": None}
    assert auc_by_method(VIDEOS[VIDEOS["label"] == "fake"], "anomaly_score") == {
        "mouth": None,
        "swap": None,
        "all": None,
    }


def test_roc_area_is_the_auc():
    rows = pd.DataFrame(roc_rows("d", VIDEOS, "anomaly_score"))
    for method, expected in auc_by_method(VIDEOS, "anomaly_score").items():
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

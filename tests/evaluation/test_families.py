"""AUC by family, and two detectors on the same videos, by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.lib.evaluation import detectors
from stages.lib.evaluation.detectors import Detector
from stages.lib.evaluation.families import comparisons, family_metrics
from stages.lib.records import FAKE, REAL

VIDEOS = pd.DataFrame(
    {
        "label": [REAL, REAL, REAL, FAKE, FAKE, FAKE, FAKE],
        "family": ["", "", "", "swap", "swap", "animated", "animated"],
        "person": list("pqrpqpq"),
        "anomaly_score": [0.0, 1.0, None, 2.0, 0.5, -1.0, None],
        "single_frame_score": [0.0, 1.0, None, 2.0, 3.0, 2.0, 2.0],
        "classifier_logit": [np.nan] * 7,
        "pair_density": [0.0, 1.0, None, 2.0, 3.0, 2.0, 2.0],
        "typicality": [np.nan] * 7,
        "boundary_score": [np.nan] * 7,
        "drift": [np.nan] * 7,
    }
)


@pytest.mark.parametrize(
    ("detector", "family", "key", "value"),
    [
        ("default", "swap", "auc", 3 / 4),  # 2 above 0 and 1, 0.5 above 0
        ("default", "animated", "auc", 0.0),
        ("default", "all", "auc", 3 / 6),
        ("default", "animated", "n_fake", 1),
        ("default", "swap", "n_real", 2),
        ("single_frame", "animated", "n_fake", 2),
        ("single_frame", "all", "auc", 1.0),
        ("classifier", "all", "auc", None),
        ("default", "animated", "auc_ci95", None),  # one person
    ],
)
def test_families_by_hand(detector, family, key, value):
    assert family_metrics(VIDEOS, seed=0)[detector][family][key] == value


def test_a_detector_that_scores_no_video_is_left_out_unless_it_is_the_papers():
    assert set(family_metrics(VIDEOS, seed=0)) == {"default", "single_frame", "classifier", "pairs"}


def test_the_default_is_compared_with_those_that_have_figures():
    assert set(comparisons(VIDEOS, seed=0)) == {f"default - {name}" for name in ("single_frame", "classifier", "pairs")}


def test_only_families_that_are_there_have_figures():
    assert set(family_metrics(VIDEOS, seed=0)["default"]) == {"swap", "animated", "all"}


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("swap", "difference", 3 / 4 - 1),
        ("animated", "difference", 0.0 - 1.0),
        ("animated", "n_fake", 1),  # what the default doesn't score, neither counts
        ("all", "difference", 3 / 6 - 1),
        ("all", "n_real", 2),
        ("animated", "ci95", None),
    ],
)
def test_differences_by_hand(family, key, value):
    assert comparisons(VIDEOS, seed=0)["default - single_frame"][family][key] == value


def test_the_interval_of_a_difference_is_over_people():
    # p alone: 2 above 0; q alone: .5 below 1; both: 3 of 4; each less 1. The mean, -3/8, is 1/8 below the difference
    found = comparisons(VIDEOS, seed=0)["default - single_frame"]["swap"]["ci95"]
    assert found == pytest.approx([-1 + 1 / 8, 1 / 8], abs=0.03)


def test_a_comparison_with_a_detector_without_scores_has_no_difference():
    assert comparisons(VIDEOS, seed=0)["default - classifier"]["all"]["difference"] is None


def test_a_new_detector_is_compared_without_further_edits(monkeypatch):
    combined = Detector("combined", "combined", "combined_score")
    monkeypatch.setattr(detectors, "DETECTORS", (*detectors.DETECTORS, combined))
    found = comparisons(VIDEOS.assign(combined_score=VIDEOS["anomaly_score"]), seed=0)
    assert found["default - combined"]["all"]["ci95"] == [0.0, 0.0]

"""Fakes against their own originals, by hand."""

import cv2
import numpy as np
import pandas as pd
import pytest

from stages.lib.evaluation import detectors, pairs
from stages.lib.evaluation.detectors import Detector
from stages.lib.evaluation.pairs import pair_metrics, pair_plot
from stages.lib.records import FAKE, REAL

# video_id, label, method, family, person, original, anomaly_score
ROWS = [
    ("a", REAL, "", "", "p", "", 0.0),
    ("b", REAL, "", "", "q", "", 5.0),
    ("c", REAL, "", "", "r", "", None),
    ("d", REAL, "", "", "s", "", 9.0),  # has no fake
    ("a1", FAKE, "x", "swap", "p", "a", 1.0),  # won
    ("b1", FAKE, "x", "swap", "q", "b", 4.0),  # lost
    ("a2", FAKE, "y", "swap", "p", "a", 0.0),  # tied
    ("b2", FAKE, "z", "lips", "q", "b", 6.0),  # won
    ("c1", FAKE, "z", "lips", "r", "c", 7.0),  # its original has no score
    ("d1", FAKE, "z", "lips", "s", "d", None),  # has no score
    ("e1", FAKE, "z", "lips", "t", "", 8.0),  # has no original
    ("f1", FAKE, "z", "lips", "t", "train", 8.0),  # its original isn't a test video
    ("g1", FAKE, "z", "lips", "t", "a1", 8.0),  # its original is a fake
]
VIDEOS = pd.DataFrame(
    ROWS, columns=["video_id", "label", "method", "family", "person", "original", "anomaly_score"]
).assign(
    single_frame_score=lambda t: -t["anomaly_score"],
    classifier_logit=np.nan,
    pair_density=np.nan,
    typicality=np.nan,
    boundary_score=np.nan,
    drift=np.nan,
)


@pytest.fixture(scope="module")
def measured() -> dict:
    return pair_metrics(VIDEOS, seed=0)


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("x", "n", 2),
        ("x", "win_rate", 1 / 2),
        ("y", "n", 1),
        ("y", "win_rate", 1 / 2),
        ("z", "n", 1),
        ("z", "win_rate", 1.0),
        ("swap", "n", 3),
        ("swap", "win_rate", (1 + 0 + 0.5) / 3),
        ("lips", "n", 1),
        ("all", "n", 4),
        ("all", "win_rate", (1 + 0 + 0.5 + 1) / 4),
        ("x", "auc", 2 / 4),  # 1 and 4 against 0 and 5
        ("y", "auc", 1 / 2),  # 0 against 0: b isn't one of its originals
        ("all", "auc", (1 + 1 + 0.5 + 2) / 8),  # 1, 4, 0, 6 against 0 and 5, each once
    ],
)
def test_pairs_by_hand(measured, group, key, value):
    assert measured["default"][group][key] == pytest.approx(value)


def test_groups_are_methods_families_and_all(measured):
    assert set(measured["default"]) == {"x", "y", "z", "swap", "lips", "all"}


def test_another_detector_is_measured_on_its_own_scores(measured):
    assert measured["single_frame"]["all"]["win_rate"] == pytest.approx((0 + 1 + 0.5 + 0) / 4)


def test_a_detector_without_scores_has_no_entry(measured):
    assert set(measured) == {"default", "single_frame"}


def test_intervals_are_over_people(measured):
    # p's pairs: 1 and 1/2; q's: 0 and 1; p twice, q twice, or both
    assert measured["default"]["all"]["win_rate_ci95"] == pytest.approx([1 / 2, 3 / 4], abs=0.01)


@pytest.mark.parametrize("key", ["win_rate_ci95", "auc_ci95"])
def test_one_person_has_no_interval(measured, key):
    assert measured["default"]["y"][key] is None


def test_a_family_takes_the_place_of_a_method_of_its_name():
    found = pair_metrics(VIDEOS.replace({"method": {"x": "swap"}}), seed=0)["default"]
    assert found["swap"]["n"] == 3


@pytest.mark.parametrize("videos", [VIDEOS.assign(original=""), VIDEOS[:0]])
def test_a_dataset_without_pairs_is_an_empty_mapping(videos):
    assert pair_metrics(videos, seed=0) == {}


def test_a_new_detector_is_in_the_table_without_further_edits(monkeypatch):
    combined = Detector("combined", "combined", "combined_score")
    monkeypatch.setattr(detectors, "DETECTORS", (*detectors.DETECTORS, combined))
    videos = VIDEOS.assign(combined_score=VIDEOS["anomaly_score"])
    assert pair_metrics(videos, seed=0)["combined"] == pair_metrics(videos, seed=0)["default"]


def test_another_default_is_what_default_names(monkeypatch):
    monkeypatch.setattr(detectors, "DEFAULT", detectors.SINGLE_FRAME)
    found = pair_metrics(VIDEOS, seed=0)
    assert found["default"]["all"]["win_rate"] == pytest.approx((0 + 1 + 0.5 + 0) / 4)
    assert set(found) == {"default", "difffake"}


def _plot(tmp_path, **datasets: pd.DataFrame) -> np.ndarray:
    pair_plot(tmp_path / "pairs.png", datasets)
    return cv2.imread(str(tmp_path / "pairs.png"))


def _has(image: np.ndarray, *bgr: int) -> bool:
    return bool((np.abs(image.astype(int) - bgr).max(axis=2) < 8).any())


@pytest.mark.parametrize(("fake", "won", "lost"), [(6.0, True, False), (4.0, False, True)])
def test_the_colour_of_a_pair_says_who_is_above(tmp_path, fake, won, lost):
    videos = VIDEOS[VIDEOS["video_id"].isin(["a", "b", "d", "b1"])].assign(single_frame_score=np.nan)
    videos.loc[videos["video_id"] == "b1", "anomaly_score"] = fake
    image = _plot(tmp_path, d=videos)
    image = image[: int(0.85 * len(image))]  # above the legend
    assert (_has(image, 172, 102, 33), _has(image, 77, 96, 214)) == (won, lost)


def test_a_detector_has_a_panel_where_it_scores_a_pair(tmp_path):
    two, three = (
        _plot(tmp_path, d=VIDEOS.assign(boundary_score=scores)).shape for scores in (np.nan, VIDEOS["anomaly_score"])
    )
    assert 2 * three[1] == pytest.approx(3 * two[1], abs=3)


def test_a_dataset_with_pairs_has_a_row_of_panels_and_one_without_has_none(tmp_path):
    one, two, without = (
        _plot(tmp_path, **dict.fromkeys(names, VIDEOS), z=VIDEOS.assign(original="")).shape
        for names in (["a"], ["a", "b"], [])
    )
    assert two[0] == 2 * one[0] > 4 * without[0]


def test_of_very_many_pairs_some_are_drawn_and_all_are_counted(tmp_path, monkeypatch):
    """A line for each would take gigabytes."""
    drawn = []
    monkeypatch.setattr(pairs, "save_png", lambda figure, path, dpi: drawn.append(figure))
    original, fake = VIDEOS[VIDEOS["video_id"] == "a"], VIDEOS[VIDEOS["video_id"] == "a1"]
    many = pd.concat([original, fake.loc[fake.index.repeat(5000)]], ignore_index=True)
    pair_plot(tmp_path / "pairs.png", {"d": many.assign(single_frame_score=np.nan)})
    axis = drawn[0].axes[0]
    assert 1000 < len(axis.lines) < 2500
    assert "fake above its original: 5000 of 5000" in [text.get_text() for text in axis.get_legend().texts]

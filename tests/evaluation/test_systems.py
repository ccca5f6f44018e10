"""Systems side by side, by hand."""

import json
import re
from pathlib import Path

import cv2
import pandas as pd
import pytest

from stages.lib.evaluation.detectors import CLASSIFIER, SINGLE_FRAME
from stages.lib.evaluation.systems import OURS, compare_systems, own_detector, plot_systems, systems_page
from stages.lib.records import FAKE, REAL

# video_id, label, family, person, original; ours and another's score
ROWS = [
    ("a", REAL, "", "p", "", 0.0, 1.0),
    ("b", REAL, "", "q", "", 1.0, 4.0),
    ("c", REAL, "", "r", "", 2.0, None),  # the other has no score
    ("a1", FAKE, "swap", "p", "a", 3.0, 2.0),
    ("b1", FAKE, "swap", "q", "b", 3.0, 3.0),
    ("c1", FAKE, "lips", "r", "c", 0.5, 5.0),
]
NAMES = ["video_id", "label", "family", "person", "original"]
VIDEOS = pd.DataFrame(ROWS, columns=[*NAMES, OURS, "pcl"])


@pytest.fixture(scope="module")
def found() -> dict:
    return compare_systems(
        {name: VIDEOS[NAMES].assign(score=VIDEOS[name]) for name in (OURS, "pcl")}, {OURS: [], "pcl": ["x"]}, seed=0
    )


@pytest.mark.parametrize(
    ("system", "key", "value"),
    [
        (OURS, "swap", 1.0),
        (OURS, "lips", 1 / 3),
        (OURS, "all", 7 / 9),
        ("pcl", "swap", 2 / 4),
        ("pcl", "lips", 2 / 2),
        ("pcl", "all", 4 / 6),
        (OURS, "n_pairs", 3),
        (OURS, "win_rate", 2 / 3),
        ("pcl", "n_pairs", 2),  # c has no score
        ("pcl", "win_rate", 1 / 2),
        (OURS, "difference", 0.0),
        ("pcl", "difference", 4 / 6 - 5 / 6),  # ours without c: 3, 3 and .5 against 0 and 1
        ("pcl", "n_real", 2),
        ("pcl", "n_fake", 3),
    ],
)
def test_figures_are_those_counted_by_hand(found, system, key, value):
    assert found[system][key] == pytest.approx(value)


@pytest.mark.parametrize("key", ["ci95", "win_rate_ci95", "difference_ci95"])
def test_an_interval_has_two_ends_in_order(found, key):
    low, high = found["pcl"][key]
    assert low <= high


def test_without_ours_there_is_no_difference():
    alone = compare_systems({"pcl": VIDEOS[NAMES].assign(score=VIDEOS["pcl"])}, {"pcl": []}, seed=0)
    assert alone["pcl"]["difference"] is None


def test_the_figures_are_json(found):
    assert json.loads(json.dumps(found)) == found


def test_the_page_has_a_row_for_each_system_and_says_what_was_not_run(found):
    page = systems_page({"mine": found}, {"gend": "no weights"}, "a command")
    rows = re.findall(r"^\| (difffake|pcl \(trained on fakes: x\)) \|.*", page, re.MULTILINE)
    assert (
        rows == ["difffake", "pcl (trained on fakes: x)"] and "| gend | no weights |" in page and "`a command`" in page
    )


def test_the_plot_is_a_picture(tmp_path: Path, found):
    plot_systems(tmp_path / "s.png", {"mine": found})
    assert cv2.imread(str(tmp_path / "s.png")) is not None


@pytest.mark.parametrize(("system", "detector"), [("pcl", CLASSIFIER), ("untag", SINGLE_FRAME), ("sbi", CLASSIFIER)])
def test_a_system_is_told_by_its_own_detector(system, detector):
    assert own_detector(system) is detector

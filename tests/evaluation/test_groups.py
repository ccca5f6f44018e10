"""False alarms by group, counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from stages.lib.evaluation.groups import NO_GROUP, false_alarms_by_group, group_alarms
from stages.lib.records import FAKE, REAL

GROUPS = pd.Series(["back", "back", "back", "back", "front", "front", ""])
SCORES = pd.Series([1.0, 5.0, 3.0, 2.0, 9.0, np.nan, 9.0])


@pytest.fixture(scope="module")
def counted():
    return false_alarms_by_group(GROUPS, SCORES, 3.0)


@pytest.mark.parametrize(
    ("group", "n", "alarms", "rate"), [("back", 4, 1, 0.25), ("front", 1, 1, 1.0), (NO_GROUP, 1, 1, 1.0)]
)
def test_alarms_are_counted_above_the_threshold(counted, group, n, alarms, rate):
    assert (counted[group]["n_real"], counted[group]["alarms"], counted[group]["false_alarm_rate"]) == (n, alarms, rate)


def test_every_group_is_there(counted):
    assert set(counted) == {"back", "front", NO_GROUP}


def test_the_interval_is_wilsons(counted):
    z = 1.959964  # Wilson's interval of 1 in 4 by its formula
    middle, half = (0.25 + z**2 / 8) / (1 + z**2 / 4), z * math.sqrt(0.25 * 0.75 / 4 + z**2 / 64) / (1 + z**2 / 4)
    assert counted["back"]["ci95"] == pytest.approx([middle - half, middle + half], abs=1e-5)


def test_without_a_threshold_reals_are_counted_and_no_alarms():
    assert false_alarms_by_group(GROUPS, SCORES, None)["back"] == {
        "n_real": 4,
        "alarms": None,
        "false_alarm_rate": None,
        "ci95": None,
    }


def _videos(people: int, group: str = "back") -> pd.DataFrame:
    rows = [(REAL, f"p{who}", group, float(who % 2)) for who in range(people)]
    rows += [(FAKE, f"p{who}", group, 1.0 + who % 4) for who in range(people)]
    return pd.DataFrame(rows, columns=["label", "person", "group", "anomaly_score"])


@pytest.mark.parametrize("count", [lambda v: false_alarms_by_group(v["group"], v["anomaly_score"], 3.0),
                                   lambda v: group_alarms(v, 3.0, seed=0)])  # fmt: skip
@pytest.mark.parametrize("videos", [_videos(4, group=""), _videos(0)])
def test_where_no_group_is_named_there_is_nothing(count, videos):
    assert count(videos) == {}


def test_a_groups_fakes_stand_beside_its_reals():
    found = group_alarms(_videos(8), 2.5, seed=0)["back"]
    assert (found["n_real"], found["alarms"], found["n_fake"], found["found"]) == (8, 0, 8, 0.5)


@pytest.mark.parametrize(("people", "auc"), [(9, None), (12, (0.25 * 0.75 + 0.75 * 1))])
def test_the_auc_is_given_where_there_are_enough_people(people, auc):
    found = group_alarms(_videos(people), 2.5, seed=0)["back"]
    assert found["auc"] == (auc if auc is None else pytest.approx(auc))
    assert (found["auc_ci95"] is None) == (auc is None)


def test_a_group_of_fakes_alone_has_no_false_alarm_rate():
    videos = pd.concat([_videos(4), _videos(4, "front").query("label == 'fake'")])
    found = group_alarms(videos, 2.5, seed=0)["front"]
    assert (found["n_real"], found["alarms"], found["false_alarm_rate"], found["found"]) == (0, 0, None, 0.5)


def test_a_group_of_reals_alone_has_nothing_found():
    found = group_alarms(_videos(4).query("label == 'real'"), 2.5, seed=0)["back"]
    assert (found["n_fake"], found["found"]) == (0, None)


def test_without_a_threshold_nothing_is_found():
    assert group_alarms(_videos(4), None, seed=0)["back"]["found"] is None


def test_videos_without_a_score_are_not_counted():
    videos = _videos(4)
    videos.loc[[0, 5], "anomaly_score"] = None
    found = group_alarms(videos, 2.5, seed=0)["back"]
    assert (found["n_real"], found["n_fake"]) == (3, 3)

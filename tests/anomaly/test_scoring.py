"""A video's score and its reason, by hand."""

import json

import pandas as pd
import pytest

from stages.lib.anomaly.scoring import score_videos

IDS = ["a", "b", "c", "d"]


def _scored() -> pd.DataFrame:
    text = {name: ["x"] * 4 for name in ("label", "method", "split", "identity")}
    index = pd.DataFrame({"video_id": IDS, **text})
    extracted = pd.DataFrame(
        {
            "video_id": IDS,
            "n_frames": [3, 2, 2, 0],
            "note": ["truncated", None, None, None],
            "reject_reason": [None, None, None, "unreadable"],
        }
    )
    reasons = [
        ("a", None),
        ("a", None),
        ("a", "no_face"),
        ("b", None),
        ("b", "no_face"),
        ("c", "no_face"),
        ("c", "no_face"),
    ]
    faces = pd.DataFrame(reasons, columns=["video_id", "reject_reason"])
    frames = pd.DataFrame(
        {"video_id": ["a", "a", "b"], "classifier_logit": [1.0, 3.0, 9.0], "single_frame_score": [5.0, 6.0, 9.0]}
    )
    pairs = pd.DataFrame({"video_id": ["a", "a"], "anomaly_score": [10.0, 20.0]})
    return score_videos(index, extracted, faces, frames, pairs).set_index("video_id")


def test_scores_are_means_over_pairs_and_faces():
    a = _scored().loc["a"]
    assert (a.anomaly_score, a.classifier_logit, a.single_frame_score) == (15.0, 2.0, 5.5)
    assert (a.n_pairs, a.n_faces, a.n_frames, a.note) == (2, 2, 3, "truncated")
    assert json.loads(a.frame_rejects) == {"no_face": 1} and pd.isna(a.reject_reason)


@pytest.mark.parametrize(("video_id", "reason"), [("b", "too_few_faces"), ("c", "no_face"), ("d", "unreadable")])
def test_what_has_no_score_has_a_reason_and_no_baseline(video_id, reason):
    row = _scored().loc[video_id]
    assert row.reject_reason == reason
    assert row[["anomaly_score", "classifier_logit", "single_frame_score"]].isna().all()

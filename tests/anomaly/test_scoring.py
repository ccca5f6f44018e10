"""A video's score and its reason, by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.anomaly.scoring import VideoScore, anomaly_scores, rows_by_video, score_table, score_video
from stages.lib.reasons import FrameReject, VideoReject
from tests.helpers.params import anomaly_model_settings

IDS = ["a", "b", "c", "d"]


class Norm:
    """A model whose log-likelihood of a vector is the negated sum of its numbers."""

    def score_samples(self, vectors: np.ndarray) -> np.ndarray:
        return -vectors.sum(axis=1)


def test_a_videos_score_is_the_mean_of_the_negated_log_likelihoods_of_its_pairs():
    score = score_video(Norm(), np.array([[4.0, 6.0], [15.0, 5.0]], np.float32), n_faces=2)
    assert (score.anomaly_score, score.reject_reason) == (15.0, None)
    np.testing.assert_array_equal(score.pair_scores, [10.0, 20.0])


@pytest.mark.parametrize(
    ("n_faces", "extraction_reject", "reason"),
    [
        (1, None, VideoReject.TOO_FEW_FACES),
        (0, None, VideoReject.NO_FACE),
        (0, VideoReject.UNREADABLE, VideoReject.UNREADABLE),
    ],
)
def test_a_video_without_pairs_has_a_reason_instead_of_a_score(n_faces, extraction_reject, reason):
    score = score_video(Norm(), np.empty((0, 2), np.float32), n_faces, extraction_reject)
    assert (score.anomaly_score, score.reject_reason, len(score.pair_scores)) == (None, reason, 0)


@pytest.mark.parametrize(
    ("video_ids", "rows"),
    [(["b", "b", "a"], [("b", slice(0, 2)), ("a", slice(2, 3))]), (["a"], [("a", slice(0, 1))]), ([], [])],
)
def test_the_rows_of_each_video_are_a_slice(video_ids, rows):
    assert list(rows_by_video(np.array(video_ids, str))) == rows


def test_a_videos_scores_do_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    settings = anomaly_model_settings(covariance="diag")
    model = fit_anomaly_model(rng.standard_normal((300, 64), np.float32), settings, seed=0)
    vectors, ids = rng.standard_normal((90, 64), np.float32), np.repeat(["a", "b", "c"], 30)
    for video, rows in rows_by_video(ids):
        alone = anomaly_scores(model, np.array([v for v, of in zip(vectors, ids, strict=True) if of == video]))
        together = score_video(model, vectors[rows], n_faces=9)
        np.testing.assert_array_equal(together.pair_scores, alone, err_msg=video)
        assert together.anomaly_score == pd.DataFrame({"of": video, "s": alone}).groupby("of")["s"].mean().item(), video


@pytest.fixture
def table() -> pd.DataFrame:
    text = {name: ["x"] * 4 for name in ("label", "method", "split", "identity", "original", "family")}
    index = pd.DataFrame({"video_id": IDS, **text})
    notes = ["truncated", None, None, None]
    extracted = pd.DataFrame({"video_id": IDS, "n_frames": [3, 2, 2, 0], "note": notes})
    reasons = [("a", None), ("a", None), ("a", FrameReject.NO_FACE), ("b", None), ("b", FrameReject.NO_FACE)]
    reasons += [("c", FrameReject.NO_FACE)] * 2
    faces = pd.DataFrame(reasons, columns=["video_id", "reject_reason"])
    frames = pd.DataFrame(
        {"video_id": ["a", "a", "b"], "classifier_logit": [1.0, 3.0, 9.0], "single_frame_score": [5.0, 6.0, 9.0]}
    )
    scores = {
        "a": VideoScore(15.0, np.array([10.0, 20.0]), None),
        "b": VideoScore(None, np.empty(0), VideoReject.TOO_FEW_FACES),
        "c": VideoScore(None, np.empty(0), VideoReject.NO_FACE),
        "d": VideoScore(None, np.empty(0), VideoReject.UNREADABLE),
    }
    return score_table(index, extracted, faces, frames, scores).set_index("video_id")


def test_a_scored_video_has_its_score_and_the_means_of_its_baselines(table):
    a = table.loc["a"]
    assert (a.anomaly_score, a.classifier_logit, a.single_frame_score) == (15.0, 2.0, 5.5)


def test_a_row_counts_pairs_faces_and_frames(table):
    a = table.loc["a"]
    assert (a.n_pairs, a.n_faces, a.n_frames, a.note) == (2, 2, 3, "truncated")
    assert json.loads(a.frame_rejects) == {"no_face": 1}
    assert pd.isna(a.reject_reason)


@pytest.mark.parametrize(("video_id", "reason"), [("b", "too_few_faces"), ("c", "no_face"), ("d", "unreadable")])
def test_what_has_no_score_has_a_reason_and_no_baseline(table, video_id, reason):
    row = table.loc[video_id]
    assert row.reject_reason == reason
    assert row[["anomaly_score", "classifier_logit", "single_frame_score"]].isna().all()

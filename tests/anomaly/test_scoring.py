"""A video's score and its reason, by hand."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from stages.lib.anomaly.evidence import Reference, boundary_logit, make_reference, pair_density
from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.anomaly.scoring import VideoScore, evidence_by_video, rows_by_video, score_table, score_video
from stages.lib.reasons import FrameReject, VideoReject
from stages.lib.tables import vector_column
from tests.helpers.params import anomaly_model_settings, scoring_settings

IDS = ["a", "b", "c", "d", "e"]
PAPER, TYPICAL = scoring_settings(), scoring_settings(side="typical")
COMBINED = scoring_settings(side="typical", evidence=["pairs", "classifier", "boundary", "drift"])
NO_REALS = make_reference({})
REALS = Reference(tuple("pqrs"), np.random.default_rng(7).normal(size=(4, 4)))


class Norm:
    """A model whose log-likelihood of a vector is the negated sum of its numbers."""

    def score_samples(self, vectors: np.ndarray) -> np.ndarray:
        return -vectors.sum(axis=1)


def _evidence(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 4))


def test_by_the_papers_settings_a_score_is_the_mean_of_the_pairs_negated_log_likelihoods(mixture):
    x, pairs = mixture(300), mixture(20, seed=1)
    scaler = StandardScaler().fit(x.astype(float))
    reference = GaussianMixture(3, reg_covar=1e-6, random_state=5, max_iter=200).fit(scaler.transform(x.astype(float)))
    model = fit_anomaly_model(x, anomaly_model_settings(components=3), seed=5)
    evidence = np.column_stack([pair_density(model, pairs), _evidence(20)[:, :3]])
    score = score_video(evidence, NO_REALS, PAPER, n_faces=9)
    assert score.anomaly_score == pytest.approx(-reference.score_samples(scaler.transform(pairs.astype(float))).mean())


def test_by_the_papers_settings_a_pairs_score_is_its_density():
    evidence = _evidence(3)
    np.testing.assert_array_equal(score_video(evidence, REALS, PAPER, 9).pair_scores, evidence[:, 0])


def test_a_pairs_score_is_that_of_a_video_of_it_alone():
    evidence = _evidence(3)
    alone = [score_video(evidence[[row]], REALS, COMBINED, 9).anomaly_score for row in range(3)]
    np.testing.assert_allclose(score_video(evidence, REALS, COMBINED, 9).pair_scores, alone)


@pytest.mark.parametrize("n_reals", [0, 1])
@pytest.mark.parametrize("settings", [TYPICAL, COMBINED, scoring_settings(evidence=["classifier"])])
def test_a_score_that_needs_real_videos_has_a_reason_where_they_are_too_few(settings, n_reals):
    few = Reference(REALS.video_ids[:n_reals], REALS.evidence[:n_reals])
    score = score_video(_evidence(3), few, settings, 9)
    assert (score.anomaly_score, score.typicality, score.interval) == (None, None, None)
    assert score.reject_reason == VideoReject.UNCALIBRATED


def test_pairs_without_a_score_are_counted_and_have_no_figure():
    np.testing.assert_array_equal(score_video(_evidence(3), NO_REALS, TYPICAL, 9).pair_scores, [np.nan] * 3)


def test_by_the_papers_settings_no_real_video_is_needed_and_typicality_is_not_known():
    score = score_video(_evidence(3), NO_REALS, PAPER, 9)
    assert (score.reject_reason, score.typicality) == (None, None)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("settings", [PAPER, TYPICAL, COMBINED])
def test_the_interval_contains_the_score(settings, seed):
    evidence = _evidence(8, seed)
    evidence += REALS.evidence.mean(axis=0) - evidence.mean(axis=0)  # amid the reals no resample is more typical
    score = score_video(evidence, REALS, settings, 9)
    low, high = score.interval
    assert low <= score.anomaly_score <= high


def test_the_interval_is_that_of_the_mean_over_pairs():
    density = np.random.default_rng(0).normal(5, 1, 200)
    low, high = score_video(np.column_stack([density] * 4), NO_REALS, PAPER, 9).interval
    half = 1.96 * density.std() / np.sqrt(200)
    assert (low, high) == pytest.approx((density.mean() - half, density.mean() + half), abs=0.03)


def test_a_lone_pair_has_no_interval():
    assert score_video(_evidence(1), REALS, COMBINED, 2).interval is None


def test_without_an_interval_the_score_is_the_same():
    scores = [score_video(_evidence(8), REALS, COMBINED, 9, with_interval=one) for one in (True, False)]
    assert scores[0].anomaly_score == scores[1].anomaly_score
    assert scores[1].interval is None


def _tables(videos: str, boundary: bool) -> tuple[pa.Table, pa.Table]:
    """Pairs and embeddings of three faces for each video."""
    rng, n = np.random.default_rng(0), 3 * len(videos)
    embeddings = {"video_id": np.repeat(list(videos), 3), "fake_logit": np.arange(n, dtype=np.float32)}
    embeddings |= {"time_s": np.tile([0.0, 0.2, 0.4], len(videos)), "appearance": vector_column(rng.random((n, 54)))}
    if boundary:
        embeddings["boundary"] = vector_column(rng.random((n, 16)))
    pairs = {
        "video_id": np.repeat(list(videos), 2),
        "face_row_a": np.tile([0, 1], len(videos)),
        "face_row_b": np.tile([1, 2], len(videos)),
        "fused": vector_column(rng.random((2 * len(videos), 4))),
    }
    return pa.table(pairs), pa.table(embeddings)


def test_the_evidence_of_a_pair_is_of_its_own_videos_faces():
    found = evidence_by_video(Norm(), *_tables("ab", boundary=False))
    # b's faces have the logits 3, 4 and 5
    np.testing.assert_array_equal(found["b"][:, 1], [3.5, 4.5])


def test_the_density_of_a_pair_is_of_its_vector():
    pairs, embeddings = _tables("ab", boundary=False)
    expected = np.array(pairs["fused"].to_pylist())[2:].sum(axis=1)
    np.testing.assert_allclose(evidence_by_video(Norm(), pairs, embeddings)["b"][:, 0], expected, rtol=1e-6)


def test_the_boundary_of_a_pair_is_the_mean_of_its_faces():
    pairs, embeddings = _tables("ab", boundary=True)
    of_faces = boundary_logit(np.array(embeddings["boundary"].to_pylist(), np.float32))[3:]
    expected = [(of_faces[0] + of_faces[1]) / 2, (of_faces[1] + of_faces[2]) / 2]
    np.testing.assert_allclose(evidence_by_video(Norm(), pairs, embeddings)["b"][:, 2], expected)


def test_without_a_boundary_map_its_evidence_is_empty():
    assert np.isnan(evidence_by_video(Norm(), *_tables("a", boundary=False))["a"][:, 2]).all()


def test_evidence_does_not_depend_on_which_other_videos_there_are():
    pairs, embeddings = _tables("abc", boundary=True)
    together = evidence_by_video(Norm(), pairs, embeddings)["b"]
    alone = evidence_by_video(Norm(), pairs.slice(2, 2), embeddings.slice(3, 3))["b"]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("n_faces", "earlier_reject", "reason"),
    [
        (1, None, VideoReject.TOO_FEW_FACES),
        (0, None, VideoReject.NO_FACE),
        (0, VideoReject.UNREADABLE, VideoReject.UNREADABLE),
        (9, VideoReject.CRASHED, VideoReject.CRASHED),
    ],
)
def test_a_video_without_pairs_has_a_reason_instead_of_a_score(n_faces, earlier_reject, reason):
    score = score_video(np.empty((0, 4)), REALS, COMBINED, n_faces, earlier_reject)
    assert (score.anomaly_score, score.reject_reason, len(score.pair_scores)) == (None, reason, 0)


@pytest.mark.parametrize(
    ("video_ids", "rows"),
    [(["b", "b", "a"], [("b", slice(0, 2)), ("a", slice(2, 3))]), (["a"], [("a", slice(0, 1))]), ([], [])],
)
def test_the_rows_of_each_video_are_a_slice(video_ids, rows):
    assert list(rows_by_video(np.array(video_ids, str))) == rows


def test_a_videos_densities_do_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    settings = anomaly_model_settings(covariance="diag")
    model = fit_anomaly_model(rng.standard_normal((300, 64), np.float32), settings, seed=0)
    vectors, ids = rng.standard_normal((90, 64), np.float32), np.repeat(["a", "b", "c"], 30)
    for video, rows in rows_by_video(ids):
        alone = pair_density(model, np.array([v for v, of in zip(vectors, ids, strict=True) if of == video]))
        np.testing.assert_array_equal(pair_density(model, vectors[rows]), alone, err_msg=video)


@pytest.fixture
def table() -> pd.DataFrame:
    text = {name: ["x"] * 5 for name in ("label", "method", "split", "identity", "original", "family", "group")}
    index = pd.DataFrame({"video_id": IDS, **text})
    notes = ["truncated", None, None, None, None]
    extracted = pd.DataFrame({"video_id": IDS, "n_frames": [3, 2, 2, 0, 2], "note": notes})
    reasons = [("a", None), ("a", None), ("a", FrameReject.NO_FACE), ("b", None), ("b", FrameReject.NO_FACE)]
    reasons += [("c", FrameReject.NO_FACE)] * 2
    faces = pd.DataFrame(reasons, columns=["video_id", "reject_reason"])
    frames = pd.DataFrame(
        {
            "video_id": ["a", "a", "b", "e", "e"],
            "classifier_logit": [1.0, 3.0, 9.0, 2.0, 4.0],
            "single_frame_score": [5.0, 6.0, 9.0, 7.0, 7.0],
        }
    )
    evidence = np.array([[10.0, 1.0, -2.0, 0.1], [20.0, 3.0, -5.0, 0.1]])
    scores = {
        "a": VideoScore(15.0, np.array([10.0, 20.0]), None, evidence, typicality=0.5),
        "e": VideoScore(None, np.array([np.nan] * 2), VideoReject.UNCALIBRATED, evidence * [1, 1, np.nan, 1]),
        "b": VideoScore(None, np.empty(0), VideoReject.TOO_FEW_FACES),
        "c": VideoScore(None, np.empty(0), VideoReject.NO_FACE),
        "d": VideoScore(None, np.empty(0), VideoReject.UNREADABLE),
    }
    return score_table(index, extracted, faces, frames, scores).set_index("video_id")


def test_a_video_keeps_its_group(table):
    assert table.loc["a", "group"] == "x"


def test_a_scored_video_has_its_score_and_the_means_of_its_baselines(table):
    a = table.loc["a"]
    assert (a.anomaly_score, a.classifier_logit, a.single_frame_score) == (15.0, 2.0, 5.5)


@pytest.mark.parametrize(
    ("column", "value"),
    [("pair_density", 15.0), ("typicality", 0.5), ("boundary_score", -3.5), ("drift", 0.1), ("n_pairs", 2)],
)
def test_a_scored_video_has_its_evidence(table, column, value):
    assert table.loc["a", column] == value


@pytest.mark.parametrize(
    ("column", "value"),
    [("reject_reason", "uncalibrated"), ("pair_density", 15.0), ("n_pairs", 2), ("classifier_logit", 3.0)],
)
def test_a_video_that_too_few_reals_leave_without_a_score_keeps_what_is_known_of_it(table, column, value):
    assert table.loc["e", column] == value


@pytest.mark.parametrize("column", ["anomaly_score", "typicality", "boundary_score"])
def test_what_is_not_known_of_a_video_is_blank(table, column):
    assert pd.isna(table.loc["e", column])


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
    assert row[["pair_density", "typicality", "boundary_score"]].isna().all()


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([FrameReject.CRASHED], {"crashed": 9}),  # while it was cropped: one row for the video
        ([None, None, FrameReject.NO_FACE, FrameReject.NO_FACE], {"crashed": 7, "no_face": 2}),  # while embedded
        ([], {"crashed": 9}),
    ],
)
def test_of_a_crashed_video_every_frame_is_accounted_for(reasons, expected):
    text = {name: ["x"] for name in ("label", "method", "split", "identity", "original", "family", "group")}
    index = pd.DataFrame({"video_id": ["a"], **text})
    extracted = pd.DataFrame({"video_id": ["a"], "n_frames": [9], "note": [None]})
    faces = pd.DataFrame({"video_id": ["a"] * len(reasons), "reject_reason": pd.Series(reasons, dtype=object)})
    frames = pd.DataFrame({"video_id": [], "classifier_logit": [], "single_frame_score": []})
    score = VideoScore(None, np.empty(0), VideoReject.CRASHED)
    row = score_table(index, extracted, faces, frames, {"a": score}).iloc[0]
    assert json.loads(row["frame_rejects"]) == expected
    assert row["n_faces"] == 0

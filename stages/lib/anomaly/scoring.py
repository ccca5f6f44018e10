"""From the pairs of a video to its anomaly score, or to the reason why it has none (section 4.1).

This is the one road from faces to a score: ``score_videos`` and ``detect`` both walk it, a video at a time. A vector's
anomaly score is its negated log-likelihood; where the model has no likelihood (``ocsvm``, ``autoencoder``), its negated
``score_samples`` takes that place.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from stages.lib.reasons import VideoReject


@dataclass(frozen=True)
class VideoScore:
    """A video's anomaly score, the mean over its ``pair_scores`` (float64 (n,)), or the reason why it has none."""

    anomaly_score: float | None
    pair_scores: np.ndarray
    reject_reason: VideoReject | None


def score_video(
    model: Pipeline, fused: np.ndarray, n_faces: int, extraction_reject: VideoReject | None = None
) -> VideoScore:
    """Score a video by the fused vectors of its pairs, float32 (n, d).

    A video without pairs has no score: for the reason that extraction gave, because it has no face, or because its
    faces are too few, or none lie apart in time.
    """
    pair_scores = anomaly_scores(model, fused)
    if len(pair_scores):
        return VideoScore(_mean(pair_scores), pair_scores, None)
    too_few = VideoReject.TOO_FEW_FACES if n_faces else VideoReject.NO_FACE
    return VideoScore(None, pair_scores, extraction_reject or too_few)


def _mean(scores: np.ndarray) -> float:
    """The mean of one video's scores as pandas' ``groupby`` has it (its sum is compensated), to the last bit."""
    return float(pd.Series(scores).groupby(np.zeros(len(scores))).mean().iloc[0])


def anomaly_scores(model: Pipeline, vectors: np.ndarray) -> np.ndarray:
    """Anomaly scores, float64 (n,), of one video's vectors, float32 (n, d): higher is more anomalous.

    One video at a time, because in one large matrix product the rounding of a video's scores would depend on which
    others are present.
    """
    if not len(vectors):
        return np.empty(0)
    scores: np.ndarray = -model.score_samples(vectors.astype(np.float64))
    return scores


def rows_by_video(video_ids: np.ndarray) -> Iterator[tuple[str, slice]]:
    """(video_id, its rows) of each video of a table in which each video's rows follow each other."""
    changes = np.flatnonzero(video_ids[1:] != video_ids[:-1]) + 1
    for start, end in itertools.pairwise([0, *changes.tolist(), len(video_ids)]):
        if end > start:
            yield str(video_ids[start]), slice(start, end)


def score_table(
    index: pd.DataFrame,
    extracted: pd.DataFrame,
    faces: pd.DataFrame,
    frame_scores: pd.DataFrame,
    scores: Mapping[str, VideoScore],
) -> pd.DataFrame:
    """Join everything known of each indexed video into one row of the ``SCORES`` table.

    ``extracted``: the ``EXTRACTED_VIDEOS`` table; ``faces``: video_id and reject_reason of each frame;
    ``frame_scores``: the ``FRAME_SCORES`` table; ``scores``: {video_id: :func:`score_video`} of every video. Baselines
    are means over a video's faces.
    """
    by_frame = frame_scores.groupby("video_id").agg(
        single_frame_score=("single_frame_score", "mean"),
        classifier_logit=("classifier_logit", "mean"),
        n_faces=("classifier_logit", "size"),
    )
    rejects = {
        video_id: reasons.value_counts().sort_index().to_dict()
        for video_id, reasons in faces.dropna(subset=["reject_reason"]).groupby("video_id")["reject_reason"]
    }
    videos = index.merge(extracted[["video_id", "n_frames", "note"]], on="video_id", validate="one_to_one")
    videos = videos.join(by_frame, on="video_id").sort_values("video_id", ignore_index=True)
    own = [scores[video_id] for video_id in videos["video_id"]]
    videos["n_faces"] = videos["n_faces"].fillna(0).astype("int32")
    videos["n_pairs"] = np.array([len(score.pair_scores) for score in own], np.int32)
    videos["anomaly_score"] = pd.array([score.anomaly_score for score in own], dtype="float64")
    videos["reject_reason"] = pd.array([score.reject_reason for score in own], dtype=object)
    videos["frame_rejects"] = [json.dumps(rejects.get(video_id, {})) for video_id in videos["video_id"]]
    # Baselines are compared with the anomaly score on the same videos.
    videos.loc[videos["n_pairs"] == 0, ["single_frame_score", "classifier_logit"]] = None
    return videos

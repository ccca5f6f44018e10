"""From the pairs of a video to its anomaly score, or to the reason why it has none (section 4.1).

This is the one road from faces to a score: ``score_videos`` and ``detect`` both walk it, a video at a time.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.pipeline import Pipeline

from stages.lib.anomaly.evidence import (
    Reference,
    boundary_logit,
    combined_score,
    drift,
    pair_density,
    pair_evidence,
    typicality,
)
from stages.lib.anomaly.settings import EVIDENCE, ScoringSettings
from stages.lib.reasons import FrameReject, VideoReject
from stages.lib.tables import embeddings_in, pairs_in, read_together, vectors

_RESAMPLES = 1000


@dataclass(frozen=True)
class VideoScore:
    """A video's anomaly score, or the reason why it has none, and what it rests on.

    ``pair_scores``: float64 (n,), of each pair as if it were the whole video; NaN where the video has pairs and no
    score. ``evidence``: float64 (n, 4), by pair (:mod:`stages.lib.anomaly.evidence`); the score is that of its mean.
    ``typicality``: of the density, None where there are no pairs or too few real videos to tell. ``interval``: 95 %
    bootstrap interval of the score over the pairs, None for a lone one, and where none is asked for.
    """

    anomaly_score: float | None
    pair_scores: np.ndarray
    reject_reason: VideoReject | None
    evidence: np.ndarray = field(default_factory=lambda: np.empty((0, len(EVIDENCE))))
    typicality: float | None = None
    interval: tuple[float, float] | None = None


def score_video(
    evidence: np.ndarray,
    reference: Reference,
    settings: ScoringSettings,
    n_faces: int,
    earlier_reject: VideoReject | None = None,
    with_interval: bool = True,
) -> VideoScore:
    """Score a video by the evidence of its pairs, float64 (n, 4), beside that of real videos.

    ``reference``: without the video itself. A video without pairs has no score: for the reason that an earlier stage
    gave, because it has no face, or because its faces are too few, or none lie apart in time; and where the score needs
    real videos and there are too few of them. Of a score the interval, 1,000 resamples, takes most of the time.
    """
    if not len(evidence):
        too_few = VideoReject.TOO_FEW_FACES if n_faces else VideoReject.NO_FACE
        return VideoScore(None, np.empty(0), earlier_reject or too_few)
    mean = evidence.mean(axis=0)
    scores = combined_score(np.vstack([mean, evidence]), reference, settings)
    score, of_pairs, typical = float(scores[0]), scores[1:], float(typicality(mean, reference))
    if np.isnan(score):
        return VideoScore(None, of_pairs, VideoReject.UNCALIBRATED, evidence)
    interval = _interval(evidence, reference, settings, score) if with_interval and len(evidence) > 1 else None
    return VideoScore(score, of_pairs, None, evidence, None if np.isnan(typical) else typical, interval)


def _interval(
    evidence: np.ndarray, reference: Reference, settings: ScoringSettings, score: float
) -> tuple[float, float]:
    drawn = np.random.default_rng(0).integers(0, len(evidence), (_RESAMPLES, len(evidence)))
    scores = combined_score(evidence[drawn].mean(axis=1), reference, settings)
    low, high = np.quantile(scores, [0.025, 0.975])
    # Nothing is more typical than a mean amid the real videos: all resamples may lie above its score.
    return min(float(low), score), max(float(high), score)


def evidence_by_video(model: Pipeline, pairs: pa.Table, embeddings: pa.Table) -> dict[str, np.ndarray]:
    """{video_id: the evidence of its pairs, float64 (n, 4)} of every video with pairs.

    ``pairs`` and ``embeddings``: rows of the same videos, each sorted by video; ``model``: of pairs.
    """
    fused, logit = vectors(pairs, "fused"), embeddings["fake_logit"].to_numpy()
    boundary = boundary_logit(vectors(embeddings, "boundary")) if "boundary" in embeddings.column_names else None
    appearance, times = vectors(embeddings, "appearance"), embeddings["time_s"].to_numpy()
    rows_of_faces = dict(rows_by_video(embeddings["video_id"].to_numpy()))
    faces = np.column_stack([pairs["face_row_a"].to_numpy(), pairs["face_row_b"].to_numpy()])
    found = {}
    for video_id, rows in rows_by_video(pairs["video_id"].to_numpy()):
        own = rows_of_faces[video_id]
        of_faces = None if boundary is None else boundary[own]
        density = pair_density(model, fused[rows])
        found[video_id] = pair_evidence(density, logit[own], of_faces, drift(appearance[own], times[own]), faces[rows])
    return found


def mean_evidence(
    model: Pipeline,
    pairs: Path,
    embeddings: Path,
    pairs_per_video: int,
    select: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> dict[str, np.ndarray]:
    """{video_id: the mean of :func:`evidence_by_video` over the pairs that score it, float64 (4,)} of one dataset.

    ``pairs``, ``embeddings``: the tables' files, which are read as streams; ``select``: takes the rows of the videos
    that are asked for from either.
    """
    means: dict[str, np.ndarray] = {}
    tables = [(embeddings, embeddings_in(embeddings), None), (pairs, pairs_in(pairs), None)]
    for of_faces, of_pairs in read_together(tables):
        scored = of_pairs.filter(pc.less(of_pairs["pair"], pairs_per_video))
        evidence = evidence_by_video(model, select(scored), select(of_faces))
        means |= {video_id: own.mean(axis=0) for video_id, own in evidence.items()}
    return means


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
    """Join everything known of some indexed videos into one row of the ``SCORES`` table each.

    ``extracted``: their rows of ``EXTRACTED_VIDEOS``; ``faces``: video_id and reject_reason of each frame;
    ``frame_scores``: those of ``FRAME_SCORES``; ``scores``: {video_id: :func:`score_video`} of every video. Baselines
    are means over a video's faces.
    """
    by_frame = frame_scores.groupby("video_id").agg(
        single_frame_score=("single_frame_score", "mean"),
        classifier_logit=("classifier_logit", "mean"),
        n_faces=("classifier_logit", "size"),
    )
    rejects = {
        str(video_id): {str(reason): int(n) for reason, n in reasons.value_counts().items()}
        for video_id, reasons in faces.dropna(subset=["reject_reason"]).groupby("video_id")["reject_reason"]
    }
    videos = index.merge(extracted[["video_id", "n_frames", "note"]], on="video_id", validate="one_to_one")
    videos = videos.join(by_frame, on="video_id").sort_values("video_id", ignore_index=True)
    own = [scores[video_id] for video_id in videos["video_id"]]
    videos["n_faces"] = videos["n_faces"].fillna(0).astype("int32")
    videos["n_pairs"] = np.array([len(score.pair_scores) for score in own], np.int32)
    videos["anomaly_score"] = pd.array([score.anomaly_score for score in own], dtype="float64")
    videos["typicality"] = pd.array([score.typicality for score in own], dtype="float64")
    for column, name in (("pair_density", "pairs"), ("boundary_score", "boundary"), ("drift", "drift")):
        of_pairs = [score.evidence[:, EVIDENCE.index(name)] for score in own]
        videos[column] = [values.mean() if len(values) else np.nan for values in of_pairs]
    videos["reject_reason"] = pd.array([score.reject_reason for score in own], dtype=object)
    videos["frame_rejects"] = [
        json.dumps(_frame_rejects(rejects.get(video_id, {}), score, n_frames), sort_keys=True)
        for video_id, score, n_frames in zip(videos["video_id"], own, videos["n_frames"], strict=True)
    ]
    # Baselines are compared with the anomaly score on the same videos.
    videos.loc[videos["n_pairs"] == 0, ["single_frame_score", "classifier_logit"]] = None
    return videos


def _frame_rejects(counts: dict[str, int], score: VideoScore, n_frames: int) -> dict[str, int]:
    """How many of a video's frames were dropped for each reason; of one that crashed, all that no other reason has."""
    if score.reject_reason != VideoReject.CRASHED:
        return counts
    others = {reason: n for reason, n in counts.items() if reason != FrameReject.CRASHED}
    left = n_frames - sum(others.values())
    return others | {str(FrameReject.CRASHED): left} if left else others

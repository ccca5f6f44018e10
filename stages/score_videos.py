"""score_videos: one row per indexed video with its anomaly score, its baselines, or the reason why it has none.

The scores of pairs and of single frames are kept beside it.
"""

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.pipeline import Pipeline

from stages.cli import parse_paths, run
from stages.lib.anomaly.evidence import Reference, pair_density
from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.anomaly.scoring import VideoScore, evidence_by_video, rows_by_video, score_table, score_video
from stages.lib.anomaly.settings import EVIDENCE, ScoringSettings
from stages.lib.datasets.folds import read_index
from stages.lib.reasons import FrameReject, VideoReject
from stages.lib.runtime import progress
from stages.lib.schemas import EXTRACTED_VIDEOS, FACES, FACES_TABLE, FRAME_SCORES, PAIR_SCORES, SCORES, VIDEOS_TABLE
from stages.lib.tables import embeddings_in, pairs_in, read_together, table_writer, vectors
from stages.params import load_params

_AT_ONCE = 64  # videos: what is in memory


def _crashed(faces: pd.DataFrame, embeddings: pa.Table) -> set[str]:
    """The videos whose process died: while they were cropped, or, where they have faces and no embedding, embedded."""
    cropped = faces.loc[faces["reject_reason"].isna(), "video_id"]
    told = faces.loc[faces["reject_reason"] == FrameReject.CRASHED, "video_id"]
    return {*told, *cropped} - {*pc.unique(embeddings["video_id"]).to_pylist()}


def _score(
    evidence: dict[str, np.ndarray],
    reference: Reference,
    settings: ScoringSettings,
    of_reference: frozenset[str],
    faces: pd.DataFrame,
    extracted: pd.DataFrame,
    crashed: set[str],
) -> Iterator[tuple[str, VideoScore]]:
    """(video_id, score) of each extracted video; one ``of_reference`` is judged by the others of it."""
    nothing = np.empty((0, len(EVIDENCE)))
    n_faces = faces.loc[faces["reject_reason"].isna(), "video_id"].value_counts()
    for video_id, reason in zip(extracted["video_id"], extracted["reject_reason"], strict=True):
        own = evidence.get(video_id, nothing)
        others = reference.without(video_id) if video_id in of_reference else reference
        reject = VideoReject.CRASHED if video_id in crashed else None if pd.isna(reason) else VideoReject(reason)
        n_own = int(n_faces.get(video_id, 0))
        yield video_id, score_video(own, others, settings, n_own, reject, with_interval=False)


def _frame_scores(model: Pipeline, embeddings: pa.Table) -> pd.DataFrame:
    """``FRAME_SCORES`` of some videos: the baselines' scores of each face."""
    embedding, video_ids = vectors(embeddings, "embedding"), embeddings["video_id"].to_numpy()
    of_videos = [pair_density(model, embedding[rows]) for _, rows in rows_by_video(video_ids)]
    scores = embeddings.select(["video_id", "face_row", "time_s"]).to_pandas()
    scores["single_frame_score"] = np.concatenate([np.empty(0), *of_videos])
    scores["classifier_logit"] = embeddings["fake_logit"].to_numpy().astype(np.float64)
    return scores


def _pair_scores(pairs: pa.Table, scores: dict[str, VideoScore]) -> pd.DataFrame:
    """``PAIR_SCORES`` of some videos."""
    pair_scores = pairs.select([name for name in PAIR_SCORES.names if name != "anomaly_score"]).to_pandas()
    of_pairs = [scores[video_id].pair_scores for video_id in pair_scores["video_id"].unique()]
    pair_scores["anomaly_score"] = np.concatenate([np.empty(0), *of_pairs])
    return pair_scores


def main() -> None:
    inputs = ("index", "frames", "faces", "embeddings", "pairs", "model")
    paths = parse_paths(__doc__, *inputs, "out", "pair-scores", "frame-scores", text=("dataset",))
    params = load_params()
    models = load_anomaly_models(paths.model)
    index = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    index = index[[name for name in SCORES.names if name in index]].set_index("video_id", drop=False).rename_axis(None)
    embeddings_schema = embeddings_in(paths.embeddings)
    if "boundary" in params.scoring.evidence and "boundary" not in embeddings_schema.names:
        warnings.warn(
            "scoring.evidence names the boundary map, but the backbone has none: it adds nothing. Set train.boundary "
            "above 0, or leave it out",
            stacklevel=1,
        )
    # Another dataset's video may have the name of one of the reference; it is another video.
    of_reference = frozenset(models.reference.video_ids if paths.dataset == params.train_dataset else ())
    tables = [
        (paths.frames / VIDEOS_TABLE, EXTRACTED_VIDEOS, None),
        (paths.faces / FACES_TABLE, FACES, ["video_id", "reject_reason"]),
        (paths.embeddings, embeddings_schema, None),
        (paths.pairs, pairs_in(paths.pairs), None),
    ]
    with (
        table_writer(paths.out, SCORES) as write_scores,
        table_writer(paths.pair_scores, PAIR_SCORES) as write_pair_scores,
        table_writer(paths.frame_scores, FRAME_SCORES) as write_frame_scores,
    ):
        some_videos = read_together(tables, _AT_ONCE)
        for some in progress(some_videos, "score_videos", math.ceil(len(index) / _AT_ONCE), "batch"):
            extracted, faces = (table.to_pandas() for table in some[:2])
            # Training reals have more pairs, for the fit; every video is scored by as many (section 4.1).
            embeddings, pairs = some[2], some[3].filter(pc.less(some[3]["pair"], params.pairs.per_video))
            evidence, crashed = evidence_by_video(models.pairs, pairs, embeddings), _crashed(faces, embeddings)
            scores = dict(_score(evidence, models.reference, params.scoring, of_reference, faces, extracted, crashed))
            frame_scores = _frame_scores(models.frames, embeddings)
            of_index = index.loc[extracted["video_id"].iloc[0] : extracted["video_id"].iloc[-1]]
            write_scores(score_table(of_index, extracted, faces, frame_scores, scores)[SCORES.names])
            write_pair_scores(_pair_scores(pairs, scores))
            write_frame_scores(frame_scores)


if __name__ == "__main__":
    run(main)

"""score_videos: one row per indexed video with its anomaly score, its baselines, or the reason why it has none.

The scores of pairs and of single frames are kept beside it.
"""

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
from stages.lib.reasons import VideoReject
from stages.lib.tables import (
    EXTRACTED_VIDEOS,
    FACES,
    FACES_TABLE,
    FRAME_SCORES,
    PAIR_SCORES,
    SCORES,
    VIDEOS_TABLE,
    read_embeddings,
    read_pairs,
    read_table,
    vectors,
    write_table,
)
from stages.params import load_params


def _score(
    evidence: dict[str, np.ndarray],
    reference: Reference,
    settings: ScoringSettings,
    of_reference: tuple[str, ...],
    faces: pd.DataFrame,
    extracted: pd.DataFrame,
) -> Iterator[tuple[str, VideoScore]]:
    """(video_id, score) of every video that was extracted; one ``of_reference`` is judged by the others of it."""
    nothing = np.empty((0, len(EVIDENCE)))
    n_faces = faces.loc[faces["reject_reason"].isna(), "video_id"].value_counts()
    for video_id, reason in zip(extracted["video_id"], extracted["reject_reason"], strict=True):
        own = evidence.get(video_id, nothing)
        others = reference.without(video_id) if video_id in of_reference else reference
        reject = None if pd.isna(reason) else VideoReject(reason)
        yield video_id, score_video(own, others, settings, int(n_faces.get(video_id, 0)), reject)


def _frame_scores(model: Pipeline, embeddings: pa.Table) -> pd.DataFrame:
    """The ``FRAME_SCORES`` table: the baselines' scores of each face."""
    embedding, video_ids = vectors(embeddings, "embedding"), embeddings["video_id"].to_numpy()
    of_videos = [pair_density(model, embedding[rows]) for _, rows in rows_by_video(video_ids)]
    scores = embeddings.select(["video_id", "face_row", "time_s"]).to_pandas()
    scores["single_frame_score"] = np.concatenate([np.empty(0), *of_videos])
    scores["classifier_logit"] = embeddings["fake_logit"].to_numpy().astype(np.float64)
    return scores


def main() -> None:
    inputs = ("index", "frames", "faces", "embeddings", "pairs", "model")
    paths = parse_paths(__doc__, *inputs, "out", "pair-scores", "frame-scores", text=("dataset",))
    params = load_params()
    models = load_anomaly_models(paths.model)
    index = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    extracted = read_table(paths.frames / VIDEOS_TABLE, EXTRACTED_VIDEOS).to_pandas()
    faces = read_table(paths.faces / FACES_TABLE, FACES, ["video_id", "reject_reason"]).to_pandas()
    # Training reals have more pairs, for the fit; every video is scored by as many (section 4.1).
    pairs = read_pairs(paths.pairs)
    pairs = pairs.filter(pc.less(pairs["pair"], params.pairs.per_video))
    embeddings = read_embeddings(paths.embeddings)
    if "boundary" in params.scoring.evidence and "boundary" not in embeddings.column_names:
        warnings.warn(
            "scoring.evidence names the boundary map, but the backbone has none: it adds nothing. Set train.boundary "
            "above 0, or leave it out",
            stacklevel=1,
        )
    evidence = evidence_by_video(models.pairs, pairs, embeddings)
    # Another dataset's video may have the name of one of the reference; it is another video.
    own = models.reference.video_ids if paths.dataset == params.train_dataset else ()
    scores = dict(_score(evidence, models.reference, params.scoring, own, faces, extracted))
    frame_scores = _frame_scores(models.frames, embeddings)
    pair_scores = pairs.select([name for name in PAIR_SCORES.names if name != "anomaly_score"]).to_pandas()
    of_pairs = [scores[video_id].pair_scores for video_id in pair_scores["video_id"].unique()]
    pair_scores["anomaly_score"] = np.concatenate([np.empty(0), *of_pairs])
    write_table(paths.pair_scores, pair_scores, PAIR_SCORES)
    write_table(paths.frame_scores, frame_scores, FRAME_SCORES)
    write_table(paths.out, score_table(index, extracted, faces, frame_scores, scores)[SCORES.names], SCORES)


if __name__ == "__main__":
    run(main)

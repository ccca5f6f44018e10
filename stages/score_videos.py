"""score_videos: one row per indexed video with its anomaly score, its baselines, or the reason why it has none.

The scores of pairs and of single frames, whose means they are, are kept beside it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.pipeline import Pipeline

from stages.cli import parse_paths, run
from stages.lib.anomaly import DIFFERENTIAL, SINGLE_FRAME, anomaly_scores, load_anomaly_models
from stages.lib.folds import read_index
from stages.lib.scoring import score_videos
from stages.lib.tables import (
    EXTRACTED_VIDEOS,
    FACES,
    FRAME_SCORES,
    PAIR_SCORES,
    SCORES,
    read_embeddings,
    read_pairs,
    read_table,
    vectors,
    write_table,
)
from stages.params import load_params


def _scores(model: Pipeline, table: pa.Table, column: str) -> np.ndarray:
    return anomaly_scores(model, vectors(table, column), table["video_id"].to_numpy())


def main() -> None:
    inputs = ("index", "frames", "faces", "embeddings", "pairs", "model")
    paths = parse_paths(__doc__, *inputs, "out", "pair-scores", "frame-scores", text=("dataset",))
    params = load_params()
    models = load_anomaly_models(paths.model)
    pairs, embeddings = read_pairs(paths.pairs), read_embeddings(paths.embeddings)
    # Training reals have more pairs, for the fit; every video is scored by as many (section 4.1).
    pairs = pairs.filter(pc.less(pairs["pair"], params.pairs.per_video))
    pair_scores = pairs.select(["video_id", "pair", "time_a_s", "time_b_s"]).to_pandas()
    pair_scores["anomaly_score"] = _scores(models[DIFFERENTIAL], pairs, "fused")
    frame_scores = embeddings.select(["video_id", "face_row", "time_s"]).to_pandas()
    frame_scores["single_frame_score"] = _scores(models[SINGLE_FRAME], embeddings, "embedding")
    frame_scores["classifier_logit"] = embeddings["fake_logit"].to_numpy().astype(np.float64)
    index = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    extracted = read_table(paths.frames / "videos.parquet", EXTRACTED_VIDEOS).to_pandas()
    faces = read_table(paths.faces / "faces.parquet", FACES, ["video_id", "reject_reason"]).to_pandas()
    scores = score_videos(index, extracted, faces, frame_scores, pair_scores)
    write_table(paths.pair_scores, pair_scores, PAIR_SCORES)
    write_table(paths.frame_scores, frame_scores, FRAME_SCORES)
    write_table(paths.out, scores[SCORES.names], SCORES)


if __name__ == "__main__":
    run(main)

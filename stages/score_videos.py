"""score_videos: one row per indexed video with its anomaly score, its baselines, or the reason why it has none."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.pipeline import Pipeline

from stages.cli import parse_paths, run
from stages.lib.anomaly import DIFFERENTIAL, SINGLE_FRAME, anomaly_scores, load_anomaly_models
from stages.lib.scoring import score_videos
from stages.lib.tables import (
    EXTRACTED_VIDEOS,
    FACES,
    INDEX,
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
    paths = parse_paths(__doc__, "index", "frames", "faces", "embeddings", "pairs", "model", "out")
    per_video = load_params().pairs.per_video
    models = load_anomaly_models(paths.model)
    pairs, embeddings = read_pairs(paths.pairs), read_embeddings(paths.embeddings)
    # Training reals have more pairs, for the fit; every video is scored by as many (section 4.1).
    pairs = pairs.filter(pc.less(pairs["pair"], per_video))
    pair_scores = pairs.select(["video_id"]).to_pandas()
    pair_scores["anomaly_score"] = _scores(models[DIFFERENTIAL], pairs, "fused")
    frame_scores = embeddings.select(["video_id", "fake_logit"]).to_pandas()
    frame_scores["single_frame_score"] = _scores(models[SINGLE_FRAME], embeddings, "embedding")
    index, extracted, faces = (
        read_table(paths.index, INDEX).to_pandas(),
        read_table(paths.frames / "videos.parquet", EXTRACTED_VIDEOS).to_pandas(),
        read_table(paths.faces / "faces.parquet", FACES).select(["video_id", "reject_reason"]).to_pandas(),
    )
    scores = score_videos(index, extracted, faces, frame_scores, pair_scores)
    write_table(paths.out, scores[SCORES.names], SCORES)


if __name__ == "__main__":
    run(main)

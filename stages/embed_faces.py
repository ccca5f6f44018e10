"""embed_faces: pass every face through the backbone once; keep its embedding, its fake logit and its appearance."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.appearance import appearance
from stages.lib.backbone import embed, load_backbone, pick_device
from stages.lib.folds import read_index
from stages.lib.runtime import map_videos, progress
from stages.lib.tables import (
    FACES,
    N_APPEARANCE,
    N_LANDMARKS,
    embeddings_schema,
    read_table,
    vector_column,
    vectors,
    write_table,
)
from stages.params import load_params


def _appearances(folder: Path, video: dict) -> np.ndarray:
    faces = np.load(folder / f"{video['video_id']}.npy", mmap_mode="r")
    return np.stack(
        [appearance(np.asarray(face), points) for face, points in zip(faces, video["landmarks"], strict=True)]
    )


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "backbone", "out", text=("dataset",))
    params = load_params()
    device = pick_device()
    model, config = load_backbone(paths.backbone, device)
    schema = embeddings_schema(config.embedding_dim)
    columns = ["video_id", "face_row", "frame_index", "time_s", "landmarks"]
    faces = read_table(paths.faces / "faces.parquet", FACES, columns)
    faces = faces.filter(pc.is_valid(faces["face_row"])).sort_by([("video_id", "ascending"), ("face_row", "ascending")])
    rows = faces.drop_columns(["landmarks"]).to_pandas()
    landmarks = vectors(faces, "landmarks").reshape(-1, N_LANDMARKS, 2).astype(np.float64)
    videos = [
        {"video_id": video_id, "landmarks": landmarks[video.index]}
        for video_id, video in rows.groupby("video_id", sort=True)
    ]
    appearances = [np.empty((0, N_APPEARANCE), np.float32)]
    appearances += map_videos(partial(_appearances, paths.faces), videos, "embed_faces, appearance")
    embeddings, logits = [np.empty((0, config.embedding_dim), np.float32)], [np.empty(0, np.float32)]
    # A batch never spans two videos, so that a video's embeddings do not depend on which others are present.
    for video in progress(videos, "embed_faces", unit="video"):
        embedding, logit = embed(model, np.load(paths.faces / f"{video['video_id']}.npy"), config.input_size, device)
        embeddings.append(embedding), logits.append(logit)
    listed = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    rows = rows.merge(listed[["video_id", "label", "method", "split"]], on="video_id", validate="many_to_one")
    table = {name: pa.array(rows[name]) for name in rows} | {"fake_logit": pa.array(np.concatenate(logits))}
    table |= {
        "embedding": vector_column(np.concatenate(embeddings)),
        "appearance": vector_column(np.concatenate(appearances)),
    }
    write_table(paths.out, pa.table(table).select(schema.names), schema)


if __name__ == "__main__":
    run(main)

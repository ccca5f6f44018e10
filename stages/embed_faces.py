"""embed_faces: pass every face through the backbone once; keep its embedding and fake logit."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.backbone import embed, load_backbone, pick_device
from stages.lib.folds import read_index
from stages.lib.runtime import progress
from stages.lib.tables import FACES, embeddings_schema, read_table, vector_column, write_table
from stages.params import load_params


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "backbone", "out", text=("dataset",))
    params = load_params()
    device = pick_device()
    model, config = load_backbone(paths.backbone, device)
    schema = embeddings_schema(config.embedding_dim)
    columns = ["video_id", "face_row", "frame_index", "time_s"]
    faces = read_table(paths.faces / "faces.parquet", FACES, columns)
    rows = faces.filter(pc.is_valid(faces["face_row"])).to_pandas()
    videos = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    rows = (
        videos[["video_id", "label", "method", "split"]]
        .merge(rows, on="video_id", validate="one_to_many")
        .sort_values(["video_id", "face_row"], ignore_index=True)
    )
    embeddings, logits = [np.empty((0, config.embedding_dim), np.float32)], [np.empty(0, np.float32)]
    # A batch never spans two videos, so that a video's embeddings do not depend on which others are present.
    for video_id in progress(rows["video_id"].unique(), "embed_faces", unit="video"):
        embedding, logit = embed(model, np.load(paths.faces / f"{video_id}.npy"), config.input_size, device)
        embeddings.append(embedding), logits.append(logit)
    columns = {name: pa.array(rows[name]) for name in rows}
    columns |= {"fake_logit": pa.array(np.concatenate(logits)), "embedding": vector_column(np.concatenate(embeddings))}
    write_table(paths.out, pa.table(columns).select(schema.names), schema)


if __name__ == "__main__":
    run(main)

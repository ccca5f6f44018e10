"""embed_faces: pass every face through the backbone once; keep its embedding and its fake logit."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from stages.cli import parse_paths, run
from stages.lib.backbone import embed, load_backbone, pick_device
from stages.lib.files import video_file
from stages.lib.fingerprint import fingerprint
from stages.lib.folds import read_index
from stages.lib.ledger import Ledger, recipe
from stages.lib.runtime import progress
from stages.lib.tables import FACES, embeddings_schema, read_table, vector_column, vectors, write_table
from stages.params import load_params


def _embed(
    folder: Path, model: torch.nn.Module, size: int, device: torch.device, videos: list[dict]
) -> Iterator[tuple[dict, pa.Table]]:
    # A batch never spans two videos, so that a video's embeddings do not depend on which others are present.
    for video in progress(videos, "embed_faces", unit="video"):
        embedding, logit = embed(model, np.load(video_file(folder, ".npy", video["video_id"])), size, device)
        yield video, pa.table({"embedding": vector_column(embedding), "fake_logit": pa.array(logit)})


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "backbone", "ledger", "out", text=("dataset",))
    params = load_params()
    device = pick_device()
    model, config = load_backbone(paths.backbone, device)
    columns = ["video_id", "face_row", "frame_index", "time_s", "appearance"]
    faces = read_table(paths.faces / "faces.parquet", FACES, columns)
    faces = faces.filter(pc.is_valid(faces["face_row"])).sort_by([("video_id", "ascending"), ("face_row", "ascending")])
    videos = [
        {"video_id": video_id, "made_from": fingerprint(video_file(paths.faces, ".npy", video_id))}
        for video_id in pc.unique(faces["video_id"]).to_pylist()
    ]
    with Ledger(paths.ledger, recipe("stages/embed_faces.py", fingerprint(paths.backbone))) as ledger:
        embedded = list(ledger.resume(videos, partial(_embed, paths.faces, model, config.input_size, device)))
    rows = faces.drop_columns(["appearance"]).to_pandas()
    listed = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    rows = rows.merge(listed[["video_id", "label", "method", "split"]], on="video_id", validate="many_to_one")
    table = {name: pa.array(rows[name]) for name in rows}
    schema = embeddings_schema(config.embedding_dim)
    table["appearance"] = vector_column(vectors(faces, "appearance"))
    nothing = pa.table({name: pa.array([], schema.field(name).type) for name in ("embedding", "fake_logit")})
    embedded = pa.concat_tables([nothing, *embedded])
    table |= {name: embedded[name] for name in embedded.column_names}
    write_table(paths.out, pa.table(table).select(schema.names), schema)


if __name__ == "__main__":
    run(main)

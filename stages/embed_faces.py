"""embed_faces: pass every face through the backbone once; keep its embedding, its fake logit and its boundary map."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from stages.cli import parse_paths, run
from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.backbone.network import boundary_cells, embed
from stages.lib.datasets.folds import read_index
from stages.lib.files import faces_file
from stages.lib.fingerprint import sha256
from stages.lib.ledger import Ledger, recipe
from stages.lib.records import Video
from stages.lib.runtime import keep_freed_memory, pick_device, progress
from stages.lib.tables import FACES, FACES_TABLE, embeddings_schema, read_table, vector_column, vectors, write_table
from stages.params import load_params


def _embed(
    folder: Path, model: torch.nn.Module, size: int, device: str, videos: list[Video]
) -> Iterator[tuple[Video, pa.Table]]:
    # A batch never spans two videos, so that a video's embeddings do not depend on which others are present.
    for video in progress(videos, "embed_faces", unit="video"):
        found = embed(model, np.load(faces_file(folder, video.video_id)), size, device)
        columns = {"embedding": vector_column(found.embedding), "fake_logit": pa.array(found.logit)}
        if found.boundary is not None:
            columns["boundary"] = vector_column(found.boundary.reshape(len(found.logit), -1))
        yield video, pa.table(columns)


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "backbone", "ledger", "out", text=("dataset",))
    params = load_params()
    device = pick_device()
    keep_freed_memory()
    model, architecture = load_backbone(paths.backbone, device)
    columns = ["video_id", "face_row", "frame_index", "time_s", "appearance"]
    faces = read_table(paths.faces / FACES_TABLE, FACES, columns)
    faces = faces.filter(pc.is_valid(faces["face_row"])).sort_by([("video_id", "ascending"), ("face_row", "ascending")])
    videos = [
        Video(video_id, sha256(faces_file(paths.faces, video_id)))
        for video_id in pc.unique(faces["video_id"]).to_pylist()
    ]
    with Ledger(paths.ledger, recipe("stages/embed_faces.py", sha256(paths.backbone))) as ledger:
        embedded = list(ledger.resume(videos, partial(_embed, paths.faces, model, architecture.input_size, device)))
    rows = faces.drop_columns(["appearance"]).to_pandas()
    listed = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    rows = rows.merge(listed[["video_id", "label", "method", "split"]], on="video_id", validate="many_to_one")
    table = {name: pa.array(rows[name]) for name in rows}
    schema = embeddings_schema(architecture.embedding_dim, boundary_cells(architecture))
    table["appearance"] = vector_column(vectors(faces, "appearance"))
    given = [name for name in ("embedding", "fake_logit", "boundary") if name in schema.names]
    nothing = pa.table({name: pa.array([], schema.field(name).type) for name in given})
    embedded = pa.concat_tables([nothing, *embedded])
    table |= {name: embedded[name] for name in embedded.column_names}
    write_table(paths.out, pa.table(table).select(schema.names), schema)


if __name__ == "__main__":
    run(main)

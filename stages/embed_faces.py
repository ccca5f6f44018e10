"""embed_faces: pass every face through the backbone once; keep its embedding, its fake logit and its boundary map."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.backbone.embedding import embed_by
from stages.lib.backbone.network import boundary_cells
from stages.lib.cluster import Shared
from stages.lib.datasets.folds import read_index
from stages.lib.files import faces_file
from stages.lib.fingerprint import sha256
from stages.lib.ledger import Ledger, recipe
from stages.lib.mapping import map_videos
from stages.lib.records import Video
from stages.lib.schemas import FACES, FACES_TABLE, embeddings_schema
from stages.lib.tables import read_by_video, vector_column, write_tables
from stages.params import load_params


def _embed(folder: Path, backbone: Path, sha256: str, video: Video) -> pa.Table:
    # A batch never spans two videos, so that a video's embeddings do not depend on which others are present.
    found = embed_by(backbone, sha256, np.load(faces_file(folder, video.video_id)))
    columns = {"embedding": vector_column(found.embedding), "fake_logit": pa.array(found.logit)}
    if found.boundary is not None:
        columns["boundary"] = vector_column(found.boundary.reshape(len(found.logit), -1))
    return pa.table(columns)


def _faces(table: Path, columns: list[str]) -> Iterator[tuple[str, pa.Table]]:
    """(video_id, rows of its faces) of every video that has some."""
    for video_id, rows in read_by_video(table, FACES, columns):
        rows = rows.filter(pc.is_valid(rows["face_row"]))
        if len(rows):
            yield video_id, rows


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "backbone", "ledger", "out", text=("dataset",))
    params = load_params()
    network, table = sha256(paths.backbone), paths.faces / FACES_TABLE
    _, architecture = load_backbone(paths.backbone, "cpu")
    schema = embeddings_schema(architecture.embedding_dim, boundary_cells(architecture))
    listed = read_index(paths.index, params.cross_validation, paths.dataset == params.train_dataset)
    of_video = listed.set_index("video_id")[["label", "method", "split"]].to_dict("index")
    videos = [
        Video(video_id, sha256(faces_file(paths.faces, video_id)))
        for video_id, _ in _faces(table, ["video_id", "face_row"])
    ]
    one = partial(_embed, paths.faces, paths.backbone, network)
    with Ledger(paths.ledger, recipe("stages/embed_faces.py", network)) as ledger:
        embedded = ledger.resume(
            videos,
            partial(map_videos, one, description="embed_faces", uses_device=True, shared=Shared([paths.faces])),
            crashed=lambda video: pa.table({}),  # what has faces and no embedding, score_videos calls crashed
        )

        def rows() -> Iterator[pa.Table]:
            columns = ["video_id", "face_row", "frame_index", "time_s", "appearance"]
            for (video_id, faces), found in zip(_faces(table, columns), embedded, strict=True):
                if len(found):
                    same = {name: pa.repeat(value, len(faces)) for name, value in of_video[video_id].items()}
                    both = dict(zip(faces.column_names, faces.columns, strict=True))
                    both |= dict(zip(found.column_names, found.columns, strict=True))
                    yield pa.table(both | same).select(schema.names)

        write_tables(paths.out, rows(), schema)


if __name__ == "__main__":
    run(main)

"""fuse_pairs: draw pairs of a video's faces by their distance in time, and fuse their features (section 3.2)."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.fusion import Features, fuse
from stages.lib.records import REAL
from stages.lib.runtime import progress
from stages.lib.schemas import pairs_schema
from stages.lib.tables import embeddings_in, read_by_video, vector_column, vectors, write_tables
from stages.params import Params, load_params


def _features(faces: pa.Table) -> Features:
    return Features(vectors(faces, "embedding"), faces["fake_logit"].to_numpy(), vectors(faces, "appearance"))


def _pairs(videos: Iterable[tuple[str, pa.Table]], params: Params) -> Iterator[pa.Table]:
    """The pairs of each video. One with too few faces has none; score_videos records the reason."""
    for _, faces in videos:
        training = faces["label"][0].as_py() == REAL and faces["split"][0].as_py() == "train"
        n_pairs = params.pairs.train_per_video if training else params.pairs.per_video
        drawn = draw_pairs(faces["time_s"].to_numpy(), n_pairs, params.pairs, params.seed)
        if not len(drawn):
            continue
        a, b = (faces.select(["face_row", "time_s"]).take(rows) for rows in drawn.T)
        columns = {name: faces[name].take(drawn[:, 0]) for name in ("video_id", "label", "split")}
        columns["pair"] = pa.array(np.arange(len(drawn), dtype=np.int32))
        columns |= {"face_row_a": a["face_row"], "face_row_b": b["face_row"]}
        columns |= {"time_a_s": a["time_s"], "time_b_s": b["time_s"]}
        columns["fused"] = vector_column(fuse(_features(faces), drawn, params.fusion))
        yield pa.table(columns)


def main() -> None:
    paths = parse_paths(__doc__, "embeddings", "out")
    params, embeddings = load_params(), embeddings_in(paths.embeddings)
    nothing = fuse(_features(embeddings.empty_table()), np.empty((0, 2), np.int64), params.fusion)
    n_videos = sum(1 for _ in read_by_video(paths.embeddings, embeddings, ["video_id"]))
    videos = progress(read_by_video(paths.embeddings, embeddings), "fuse_pairs", n_videos, "video")
    write_tables(paths.out, _pairs(videos, params), pairs_schema(nothing.shape[1]))


if __name__ == "__main__":
    run(main)

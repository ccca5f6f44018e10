"""fuse_pairs: draw pairs of a video's faces by their distance in time, and fuse their features (section 3.2)."""

import numpy as np
import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.fusion import Features, fuse
from stages.lib.records import REAL
from stages.lib.runtime import progress
from stages.lib.tables import pairs_schema, read_embeddings, vector_column, vectors, write_table
from stages.params import load_params


def main() -> None:
    paths = parse_paths(__doc__, "embeddings", "out")
    params = load_params()
    table = read_embeddings(paths.embeddings)
    rows = table.select(["video_id", "label", "split", "face_row", "time_s"]).to_pandas()
    features = Features(vectors(table, "embedding"), table["fake_logit"].to_numpy(), vectors(table, "appearance"))
    pairs, number = [np.empty((0, 2), np.int64)], [np.empty(0, np.int32)]
    for _, video in progress(list(rows.groupby("video_id", sort=True)), "fuse_pairs", unit="video"):
        training = video["label"].iloc[0] == REAL and video["split"].iloc[0] == "train"
        n_pairs = params.pairs.train_per_video if training else params.pairs.per_video
        drawn = draw_pairs(video["time_s"].to_numpy(), n_pairs, params.pairs, params.seed)
        # A video with too few faces has no pairs; score_videos records the reason.
        pairs.append(video.index.to_numpy()[drawn])
        number.append(np.arange(len(drawn), dtype=np.int32))
    chosen = np.concatenate(pairs)
    fused = fuse(features, chosen, params.fusion)
    a, b = chosen.T
    columns = {name: pa.array(rows[name].to_numpy()[a]) for name in ("video_id", "label", "split")}
    columns["pair"] = pa.array(np.concatenate(number))
    columns |= {f"face_row_{face}": pa.array(rows["face_row"].to_numpy()[at]) for face, at in (("a", a), ("b", b))}
    columns |= {f"time_{face}_s": pa.array(rows["time_s"].to_numpy()[at]) for face, at in (("a", a), ("b", b))}
    columns["fused"] = vector_column(fused)
    schema = pairs_schema(fused.shape[1])
    write_table(paths.out, pa.table(columns).select(schema.names), schema)


if __name__ == "__main__":
    run(main)

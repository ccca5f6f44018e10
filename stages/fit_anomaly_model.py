"""fit_anomaly_model: fit the density of real pairs, and the paper's baseline, the density of real single frames."""

import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.anomaly.files import FRAME_MODEL, PAIR_MODEL, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.records import REAL
from stages.lib.tables import read_embeddings, read_pairs, vectors
from stages.params import load_params


def _training_reals(table: pa.Table) -> pa.Table:
    return table.filter(pc.and_(pc.equal(table["label"], REAL), pc.equal(table["split"], "train")))


def main() -> None:
    paths = parse_paths(__doc__, "pairs", "embeddings", "out")
    params = load_params()
    pairs = vectors(_training_reals(read_pairs(paths.pairs)), "fused")
    frames = vectors(_training_reals(read_embeddings(paths.embeddings)), "embedding")
    models = {
        PAIR_MODEL: fit_anomaly_model(pairs, params.anomaly_model, params.seed),
        FRAME_MODEL: fit_anomaly_model(frames, params.anomaly_model, params.seed),
    }
    save_anomaly_models(paths.out, models)
    print(
        f"{paths.out}: fitted to {len(pairs)} pairs; the single-frame baseline to {len(frames)} faces of training reals"
    )


if __name__ == "__main__":
    run(main)

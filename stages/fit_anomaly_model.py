"""fit_anomaly_model: fit the density of real pairs, and the paper's baseline, the density of real single frames; keep
the evidence of real videos that others are held against.
"""

import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.anomaly.evidence import FEWEST_REALS, make_reference
from stages.lib.anomaly.files import AnomalyModels, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.anomaly.scoring import evidence_by_video
from stages.lib.records import REAL
from stages.lib.tables import read_embeddings, read_pairs, vectors
from stages.params import load_params


def _reals(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.and_(pc.equal(table["label"], REAL), pc.equal(table["split"], split)))


def main() -> None:
    paths = parse_paths(__doc__, "pairs", "embeddings", "out")
    params = load_params()
    pairs, embeddings = read_pairs(paths.pairs), read_embeddings(paths.embeddings)
    fused, frames = vectors(_reals(pairs, "train"), "fused"), vectors(_reals(embeddings, "train"), "embedding")
    model = fit_anomaly_model(fused, params.anomaly_model, params.seed)
    # No model was fitted to validation reals: they show what other real videos' evidence is.
    scored = pairs.filter(pc.less(pairs["pair"], params.pairs.per_video))
    evidence = evidence_by_video(model, _reals(scored, "val"), _reals(embeddings, "val"))
    reference = make_reference({video_id: of_pairs.mean(axis=0) for video_id, of_pairs in evidence.items()})
    of_frames = fit_anomaly_model(frames, params.anomaly_model, params.seed)
    save_anomaly_models(paths.out, AnomalyModels(model, of_frames, reference))
    n = len(reference.video_ids)
    print(
        f"{paths.out}: fitted to {len(fused)} pairs; the single-frame baseline to {len(frames)} faces of training "
        f"reals; {n} validation reals to hold others against" + (": too few" if n < FEWEST_REALS else "")
    )


if __name__ == "__main__":
    run(main)

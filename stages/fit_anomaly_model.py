"""fit_anomaly_model: fit the density of real pairs, and the paper's baseline, the density of real single frames; keep
the evidence of real videos that others are held against.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.anomaly.evidence import FEWEST_REALS, make_reference
from stages.lib.anomaly.files import AnomalyModels, save_anomaly_models
from stages.lib.anomaly.fitting import evenly_drawn, fit_anomaly_model
from stages.lib.anomaly.scoring import mean_evidence
from stages.lib.pairs.fusion import FUSIONS
from stages.lib.records import REAL
from stages.lib.tables import embeddings_in, pairs_in, read_by_video, vectors
from stages.params import load_params


def _reals(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.and_(pc.equal(table["label"], REAL), pc.equal(table["split"], split)))


def _training_vectors(path: Path, schema: pa.Schema, column: str, most: int, seed: int) -> tuple[np.ndarray, int]:
    """Vectors of training reals, float32 (n, d), ``most`` at most; and how many there are."""
    columns = ["video_id", "label", "split"]
    counts = np.array([len(_reals(rows, "train")) for _, rows in read_by_video(path, schema, columns)], np.int64)
    drawn, start = evenly_drawn(counts, most, seed), 0
    found = [vectors(schema.empty_table(), column)]
    for (_, rows), count in zip(read_by_video(path, schema, [*columns, column]), counts, strict=True):
        if count:
            found.append(vectors(rows, column)[drawn[start : start + count]])
            start += count
    return np.concatenate(found), len(drawn)


def main() -> None:
    paths = parse_paths(__doc__, "pairs", "embeddings", "out")
    params = load_params()
    most, seed = params.anomaly_model.max_vectors, params.seed
    fused, n_pairs = _training_vectors(paths.pairs, pairs_in(paths.pairs), "fused", most, seed)
    model = fit_anomaly_model(fused, params.anomaly_model, seed, FUSIONS[params.fusion].learned)
    # No model was fitted to validation reals: they show what other real videos' evidence is.
    of_validation = partial(_reals, split="val")
    reference = make_reference(
        mean_evidence(model, paths.pairs, paths.embeddings, params.pairs.per_video, of_validation)
    )
    frames, n_faces = _training_vectors(paths.embeddings, embeddings_in(paths.embeddings), "embedding", most, seed)
    of_frames = fit_anomaly_model(frames, params.anomaly_model, seed)
    save_anomaly_models(paths.out, AnomalyModels(model, of_frames, reference, (len(fused), n_pairs)))
    n = len(reference.video_ids)
    print(
        f"{paths.out}: fitted to {len(fused)} of {n_pairs} pairs; the single-frame baseline to {len(frames)} of "
        f"{n_faces} faces of training reals; {n} validation reals to hold others against"
        + (": too few" if n < FEWEST_REALS else "")
    )


if __name__ == "__main__":
    run(main)

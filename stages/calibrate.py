"""calibrate: keep with the models what their scores mean: those of real videos that no model was fitted to, and of the
fakes that they were measured on; and how to use them.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.backbone.weights import read_architecture
from stages.lib.calibration.bundle import (
    BACKBONE,
    CALIBRATION,
    PAIR_QUANTILES,
    Calibration,
    Reals,
    TrainedOn,
    model_files,
    package_versions,
)
from stages.lib.calibration.looks import Looks, looks, ranges
from stages.lib.calibration.ratios import measured_on
from stages.lib.calibration.thresholds import FEWEST_REALS
from stages.lib.datasets.folds import people
from stages.lib.detection.wording import what_a_verdict_rests_on
from stages.lib.files import write_json
from stages.lib.records import REAL
from stages.lib.schemas import FACES, FACES_TABLE, PAIR_SCORES, SCORES
from stages.lib.tables import read_batches, read_by_video, read_table, vectors
from stages.params import load_params


def _n_people(videos: pd.DataFrame) -> int:
    """How many people are named; 0 where a video names nobody."""
    return 0 if (videos["identity"] == "").any() else videos["identity"].nunique()


def _scores(videos: pd.DataFrame, source: str) -> Reals:
    scored = videos.dropna(subset=["anomaly_score"])
    return Reals(source=source, people=_n_people(scored), scores=sorted(scored["anomaly_score"]))


def _looks(table: Path, video_ids: set[str]) -> Iterator[Looks]:
    """How each of some videos' faces look."""
    for video_id, faces in read_by_video(table, FACES, ["video_id", "box", "appearance"]):
        found = faces.filter(faces["box"].is_valid())
        if video_id in video_ids and len(found):
            yield looks(vectors(found, "box")[:, 2], vectors(found, "appearance"))


def _pair_scores(table: Path, video_ids: set[str]) -> np.ndarray:
    """The scores of some videos' pairs, without those that have none: float64 (n,)."""
    known = pa.array(sorted(video_ids), pa.string())
    batches = read_batches(table, PAIR_SCORES, ["video_id", "anomaly_score"])
    theirs = (rows.filter(pc.is_in(rows["video_id"], known))["anomaly_score"].drop_null() for rows in batches)
    return np.concatenate([np.empty(0), *(scores.to_numpy() for scores in theirs)])


def main() -> None:
    paths = parse_paths(__doc__, "scores", "pair-scores", "faces", "models")
    params = load_params()
    videos = read_table(paths.scores, SCORES).to_pandas()
    videos = videos.assign(person=people(videos))
    reals = videos[videos["label"] == REAL]
    train, validation, test = (reals[reals["split"] == split] for split in ("train", "val", "test"))
    pairs = _pair_scores(paths.pair_scores, {*validation["video_id"]})
    files, architecture = model_files(paths.models, params.faces.landmarks), read_architecture(paths.models / BACKBONE)
    seen = list(architecture.trained_on_fakes) if architecture else []
    calibration = Calibration(
        release=None,
        made_from=None,
        seed=params.seed,
        fusion=params.fusion,
        frames=params.frames,
        faces=params.faces,
        pairs=params.pairs,
        scoring=params.scoring,
        false_alarm_rate=params.calibration.false_alarm_rate,
        files=files,
        trained_on=TrainedOn(dataset=params.train_dataset, videos=len(train), people=_n_people(train), fakes=seen),
        validation=_scores(validation, f"the validation split of the dataset '{params.train_dataset}'"),
        test=_scores(test, f"the test split of the dataset '{params.train_dataset}'"),
        pair_scores=np.quantile(pairs, PAIR_QUANTILES).tolist() if len(pairs) else None,
        looks=ranges(_looks(paths.faces / FACES_TABLE, {*train["video_id"], *validation["video_id"]})),
        packages=package_versions(),
        measured=measured_on(videos[videos["split"] == "test"], params.train_dataset),
    )
    write_json(paths.models / CALIBRATION, calibration.model_dump())
    n = len(calibration.validation.scores)
    if n < FEWEST_REALS:
        warnings.warn(
            f"{params.train_dataset} has {n} scored real videos in its validation split: no verdict can be given",
            stacklevel=1,
        )
    print(f"{paths.models / CALIBRATION}: {what_a_verdict_rests_on(calibration, calibration.false_alarm_rate)}")


if __name__ == "__main__":
    run(main)

"""evaluate: how well fakes are told from reals on each dataset's test split, beside the baselines, with coverage and
plots.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.calibration.bundle import Calibration, fakes_in_words, package_versions, read_calibration
from stages.lib.calibration.thresholds import threshold
from stages.lib.datasets.paper_splits import completeness
from stages.lib.detection.wording import what_a_verdict_rests_on
from stages.lib.evaluation.alarms import alarm_rows, alarms
from stages.lib.evaluation.benchmarks import benchmark_plot, benchmark_tables, marked
from stages.lib.evaluation.detectors import DEFAULT, DETECTORS, Detector
from stages.lib.evaluation.diffusionfake import frame_level_table, table_1_dataset
from stages.lib.evaluation.families import comparisons, family_metrics
from stages.lib.evaluation.groups import group_alarms
from stages.lib.evaluation.intervals import N_RESAMPLES
from stages.lib.evaluation.metrics import EvaluatedDataset, Parts, by_method, coverage, histogram_rows, roc_rows
from stages.lib.evaluation.pairs import pair_metrics, pair_plot
from stages.lib.evaluation.paper import paper_dataset
from stages.lib.evaluation.ratios import Ratios, cross_validated_ratios, ratio_metrics, tippett_plot
from stages.lib.faces.detector import FACE_DETECTORS
from stages.lib.files import atomic_path, write_json, write_text
from stages.lib.reasons import VideoReject
from stages.lib.records import REAL
from stages.lib.schemas import FRAME_SCORES, PAIR_SCORES, SCORES
from stages.lib.tables import read_batches, read_table
from stages.params import Params, load_params, other_than_difffake

FACE_SELECTION = {"largest": "largest face", "track": "one person's face, tracked"}


def _write_csv(path: Path, rows: list[dict[str, object]], columns: list[str]) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")


def _other_in_words(params: Params) -> list[str]:
    """Where the anomaly score isn't DiffFake's, whose it is: a line, for what calls it that."""
    other = other_than_difffake(params)
    return [f"what is called {DEFAULT.label} here is another system's anomaly score ({other})"] if other else []


def _summary(detail: dict[str, Any], seen: list[str], params: Params) -> str:
    others = [one for one in DETECTORS if one is not DEFAULT and any(one.key in found for found in detail.values())]
    rows = [
        {
            "dataset": dataset,
            "method": marked(method, seen),
            DEFAULT.label: values["auc"],
            "95 % interval": "-" if values["auc_ci95"] is None else "{:.3f} to {:.3f}".format(*values["auc_ci95"]),
            **{one.label: found.get(one.key, {}).get(method, {}).get("auc") for one in others},
            "reals": values["n_real"],
            "fakes": values["n_fake"],
        }
        for dataset, found in detail.items()
        for method, values in found[DEFAULT.key].items()
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format, na_rep="-")
    said = f" ({fakes_in_words(seen)})" if seen else ""
    return "\n".join([f"Video-level AUC on the test split{said}", *_other_in_words(params), f"{table}\n"])


def _protocol(params: Params, fitted_to: tuple[int, int] | None, seen: list[str]) -> dict[str, Any]:
    """What the metrics came from: how videos were looked at, and by which versions. ``fitted_to``: of the models;
    ``seen``: the methods of the fakes that were trained on, named only where there are some.
    """
    fold = params.cross_validation
    return {
        "split": "test" if fold.folds == 1 else f"fold {fold.fold} of {fold.folds} of {params.train_dataset}'s people",
        "trained_on": params.train_dataset,
        **({"trained_on_fakes": seen} if seen else {}),
        "frames_per_video": params.frames.per_video,
        "pairs_per_video": params.pairs.per_video,
        "fusion": params.fusion,
        "anomaly_model": params.anomaly_model.kind,
        "fitted_to": dict(zip(("pairs", "of"), fitted_to, strict=True)) if fitted_to else None,
        "system": params.train.system,
        "scoring": params.scoring.model_dump(),
        "backbone": params.backbone.name,
        "face_detector": f"{FACE_DETECTORS[params.faces.detector].description}, {FACE_SELECTION[params.faces.select]}",
        "landmarks": Path(params.faces.landmarks).name,
        "aggregation": "mean over a video's frames (single_frame, classifier) or pairs (all others), of scores or the "
        "evidence that makes one",
        "intervals": f"95 %, bootstrap over people, {N_RESAMPLES} resamples",
        "packages": package_versions(),
    }


def _known_people(videos: pd.DataFrame, trained_on: pd.DataFrame) -> int:
    """How many of the test reals show a person whom the models were trained on; people without a name are strangers."""
    names = trained_on[(trained_on["label"] == REAL) & (trained_on["split"] != "test") & (trained_on["identity"] != "")]
    return int((videos["identity"].isin(names["identity"]) & (videos["label"] == REAL)).sum())


def _notes(datasets: dict[str, EvaluatedDataset], params: Params, seen: list[str]) -> list[str]:
    """What a reader of the tables must know: whose score it is, fakes and people who were trained on, videos that are
    not in the figures.
    """
    notes = _other_in_words(params)
    notes += [f"what was measured here is of a network {fakes_in_words(seen)}"] if seen else []
    for name, dataset in datasets.items():
        videos = dataset.test
        real, there = videos["label"] == REAL, videos["reject_reason"] != VideoReject.MISSING_FILE
        is_a_fold = name == params.train_dataset and params.cross_validation.folds > 1
        layout = params.datasets[name].layout
        compared = None if is_a_fold else completeness(layout, (real & there).sum(), (~real & there).sum())
        if compared not in (None, "complete"):
            notes.append(
                f"{name}: beside the paper's table 1 the test split is {compared}: the figures can't be compared"
            )
        unscored = videos["anomaly_score"].isna().sum()
        if unscored:
            notes.append(
                f"{name}: {unscored} of {len(videos)} test videos have no score (metrics/coverage.json says why)"
            )
        known = _known_people(videos, datasets[params.train_dataset].videos)
        if known:
            notes.append(
                f"{name}: {known} of {real.sum()} test reals show people of {params.train_dataset}'s train and val "
                "splits"
            )
    return notes


def _parts(tables: dict[str, tuple[Path, pa.Schema]], detector: Detector, videos: pd.DataFrame) -> Parts:
    """The scores of videos' pairs or frames; ``tables``: where those of either part stand."""
    path, schema = tables[detector.part]
    video_ids, row, score = pa.array(videos["video_id"]), [np.empty(0, np.int32)], [np.empty(0)]
    for rows in read_batches(path, schema, ["video_id", detector.part_score]):
        scored = rows.append_column("row", pc.index_in(rows["video_id"], video_ids)).drop_null()
        row.append(scored["row"].to_numpy())
        score.append(scored[detector.part_score].to_numpy())
    return Parts(np.concatenate(row), np.concatenate(score))


def _read_dataset(name: str, scores: Path, pair_scores: Path, frame_scores: Path) -> EvaluatedDataset:
    file = f"{name}.parquet"
    parts = {"pair": (pair_scores / file, PAIR_SCORES), "frame": (frame_scores / file, FRAME_SCORES)}
    return EvaluatedDataset(read_table(scores / file, SCORES).to_pandas(), partial(_parts, parts))


def _write_metrics(
    folder: Path,
    detail: dict[str, Any],
    datasets: dict[str, EvaluatedDataset],
    ratios: dict[str, Ratios],
    calibration: Calibration,
    protocol: dict[str, Any],
    params: Params,
) -> None:
    """The figures that `dvc metrics` compares."""
    auc = {
        one.key: {
            name: {method: values["auc"] for method, values in found[one.key].items()}
            for name, found in detail.items()
            if one.key in found
        }
        for one in DETECTORS
    }
    write_json(folder / "auc.json", auc.pop(DEFAULT.key))
    write_json(folder / "baselines.json", {detector: found for detector, found in auc.items() if found})
    scores = {name: by_method(dataset.test, DEFAULT.score) for name, dataset in datasets.items()}
    write_json(folder / "calibration.json", alarms(scores, calibration))
    write_json(folder / "coverage.json", {name: coverage(dataset.videos) for name, dataset in datasets.items()})
    families = {name: family_metrics(dataset.test, params.seed) for name, dataset in datasets.items()}
    compared = {name: comparisons(dataset.test, params.seed) for name, dataset in datasets.items()}
    write_json(
        folder / "detail.json",
        {
            "protocol": protocol,
            "datasets": detail,
            "families": families,
            "comparisons": compared,
            "likelihood_ratios": {name: ratio_metrics(found, params.seed) for name, found in ratios.items()},
        },
    )
    write_json(
        folder / "families.json",
        {
            name: {
                detector: {family: values["auc"] for family, values in groups.items()}
                for detector, groups in found.items()
            }
            for name, found in families.items()
        },
    )
    pairs = {name: pair_metrics(dataset.test, params.seed) for name, dataset in datasets.items()}
    write_json(folder / "pairs.json", pairs)
    limit = threshold(calibration.validation.scores, calibration.false_alarm_rate)
    groups = {name: group_alarms(dataset.test, limit, params.seed) for name, dataset in datasets.items()}
    write_json(folder / "groups.json", groups)
    _write_csv(folder / "alarms.csv", alarm_rows(scores, calibration), ["dataset", "method", "nominal", "share"])


def _write_curves(folder: Path, datasets: dict[str, EvaluatedDataset]) -> None:
    """The rows that `dvc plots` draws."""
    test = [(name, dataset.test) for name, dataset in datasets.items()]
    roc = [row for name, videos in test for row in roc_rows(name, videos, DEFAULT.score)]
    histogram = [row for name, videos in test for row in histogram_rows(name, videos, DEFAULT.score)]
    _write_csv(folder / "roc.csv", roc, ["dataset", "method", "fpr", "tpr"])
    _write_csv(folder / "score_histogram.csv", histogram, ["dataset", "kind", "score", "share"])


def _write_benchmarks(
    folder: Path, detail: dict[str, Any], datasets: dict[str, EvaluatedDataset], params: Params, seen: list[str]
) -> None:
    """Every dataset and method for people, beside the paper's where a run is comparable."""
    of_paper = {name: paper_dataset(dataset.layout, dataset.quality) for name, dataset in params.datasets.items()}
    trained_on = of_paper[params.train_dataset] if params.cross_validation.folds == 1 else None
    of_table_1 = {name: table_1_dataset(dataset.layout, dataset.quality) for name, dataset in params.datasets.items()}
    frame_level = frame_level_table(detail, of_table_1, trained_on)
    notes = _notes(datasets, params, seen)
    write_text(folder / "benchmarks.md", benchmark_tables(detail, of_paper, trained_on, notes, frame_level, seen))
    benchmark_plot(folder / "benchmarks.png", detail, of_paper, trained_on, seen)


def main() -> None:
    paths = parse_paths(__doc__, "scores", "pair-scores", "frame-scores", "model", "calibration", "metrics")
    params, calibration = load_params(), read_calibration(paths.calibration)
    seen = calibration.trained_on.fakes
    protocol = _protocol(params, load_anomaly_models(paths.model).fitted_to, seen)
    tables = (paths.scores, paths.pair_scores, paths.frame_scores)
    datasets = {name: _read_dataset(name, *tables) for name in sorted(params.datasets)}
    detail = {name: dataset.metrics(params.seed) for name, dataset in datasets.items()}
    ratios = {name: cross_validated_ratios(dataset.test) for name, dataset in datasets.items()}
    _write_metrics(paths.metrics, detail, datasets, ratios, calibration, protocol, params)
    _write_curves(paths.metrics, datasets)
    _write_benchmarks(paths.metrics, detail, datasets, params, seen)
    pair_plot(paths.metrics / "pairs.png", {name: dataset.test for name, dataset in datasets.items()})
    tippett_plot(paths.metrics / "tippett.png", ratios)
    rests_on = what_a_verdict_rests_on(calibration, calibration.false_alarm_rate)
    write_text(paths.metrics / "summary.txt", f"{_summary(detail, seen, params)}\n{rests_on}\n")


if __name__ == "__main__":
    run(main)

"""evaluate: how well fakes are told from reals on each dataset's test split, beside the baselines, with coverage and plots."""

from pathlib import Path

import pandas as pd

from stages.cli import parse_paths, run
from stages.lib.calibration import alarm_rows, alarms, describe, package_versions, read_calibration
from stages.lib.comparison import benchmark_plot, benchmark_tables
from stages.lib.config import Params
from stages.lib.files import atomic_path, write_json, write_text
from stages.lib.metrics import DETECTORS, by_method, coverage, detector_metrics, histogram_rows, roc_rows
from stages.lib.paper import benchmark, completeness
from stages.lib.tables import FRAME_SCORES, PAIR_SCORES, REAL, SCORES, read_table
from stages.params import load_params

FACE_SELECTION = {"largest": "largest face", "track": "one person's face, tracked"}


def _write_csv(path: Path, rows: list[dict], columns: list[str]) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")


def _summary(detail: dict) -> str:
    rows = [
        {
            "dataset": dataset,
            "method": method,
            "DiffFake": values["auc"],
            "95 % interval": "-" if values["auc_ci95"] is None else "{:.3f} to {:.3f}".format(*values["auc_ci95"]),
            "single frame": detectors["single_frame"][method]["auc"],
            "classifier": detectors["classifier"][method]["auc"],
            "reals": values["n_real"],
            "fakes": values["n_fake"],
        }
        for dataset, detectors in detail.items()
        for method, values in detectors["difffake"].items()
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format, na_rep="-")
    return f"Video-level AUC on the test split\n{table}\n"


def _protocol(params: Params) -> dict:
    """What the metrics came from: how videos were looked at, and by which versions."""
    fold = params.cross_validation
    return {
        "split": "test" if fold.folds == 1 else f"fold {fold.fold} of {fold.folds} of {params.train_dataset}'s people",
        "trained_on": params.train_dataset,
        "frames_per_video": params.frames.per_video,
        "pairs_per_video": params.pairs.per_video,
        "fusion": params.fusion,
        "anomaly_model": params.anomaly_model.kind,
        "backbone": params.backbone.name,
        "face_detector": "OpenCV Haar cascade, " + FACE_SELECTION[params.faces.select],
        "landmarks": Path(params.faces.landmarks).name,
        "aggregation": "mean over a video's pairs (difffake) or frames (single_frame, classifier)",
        "intervals": "95 %, percentile bootstrap over videos",
        "packages": package_versions(),
    }


def _seen_people(videos: pd.DataFrame, trained_on: pd.DataFrame) -> int:
    """How many of the test reals show a person whom the models were trained on; people without a name are strangers."""
    known = trained_on[(trained_on["label"] == REAL) & (trained_on["split"] != "test") & (trained_on["identity"] != "")]
    return int((videos["identity"].isin(known["identity"]) & (videos["label"] == REAL)).sum())


def _notes(datasets: dict[str, pd.DataFrame], test: dict[str, pd.DataFrame], params: Params) -> list[str]:
    """What a reader of the tables must know: videos that are not in the figures, people who were trained on."""
    notes = []
    for name, videos in test.items():
        real, there = videos["label"] == REAL, videos["reject_reason"] != "missing_file"
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
        seen = _seen_people(videos, datasets[params.train_dataset])
        if seen:
            notes.append(
                f"{name}: {seen} of {real.sum()} test reals show people of {params.train_dataset}'s train and val splits"
            )
    return notes


def main() -> None:
    paths = parse_paths(__doc__, "scores", "pair-scores", "frame-scores", "calibration", "metrics")
    params, calibration = load_params(), read_calibration(paths.calibration)
    names = sorted(params.datasets)
    datasets = {name: read_table(paths.scores / f"{name}.parquet", SCORES).to_pandas() for name in names}
    test = {name: videos[videos["split"] == "test"] for name, videos in datasets.items()}
    parts = {"pair": (paths.pair_scores, PAIR_SCORES), "frame": (paths.frame_scores, FRAME_SCORES)}
    detail = {}
    for name, videos in test.items():
        tables = {
            part: read_table(folder / f"{name}.parquet", schema).to_pandas() for part, (folder, schema) in parts.items()
        }
        detail[name] = {
            detector: detector_metrics(videos, tables[part], detector, params.seed)
            for detector, (_, part, _) in DETECTORS.items()
        }
    auc = {
        detector: {
            name: {method: values["auc"] for method, values in found[detector].items()}
            for name, found in detail.items()
        }
        for detector in DETECTORS
    }
    write_json(paths.metrics / "auc.json", auc.pop("difffake"))
    write_json(paths.metrics / "baselines.json", auc)
    scores = {name: by_method(videos, "anomaly_score") for name, videos in test.items()}
    write_json(paths.metrics / "calibration.json", alarms(scores, calibration))
    write_json(paths.metrics / "coverage.json", {name: coverage(videos) for name, videos in datasets.items()})
    write_json(paths.metrics / "detail.json", {"protocol": _protocol(params), "datasets": detail})
    roc = [row for name, videos in test.items() for row in roc_rows(name, videos, "anomaly_score")]
    histogram = [row for name, videos in test.items() for row in histogram_rows(name, videos, "anomaly_score")]
    _write_csv(paths.metrics / "roc.csv", roc, ["dataset", "method", "fpr", "tpr"])
    _write_csv(paths.metrics / "score_histogram.csv", histogram, ["dataset", "kind", "score", "share"])
    _write_csv(paths.metrics / "alarms.csv", alarm_rows(scores, calibration), ["dataset", "method", "nominal", "share"])
    said = describe(calibration, calibration.false_alarm_rate)
    write_text(paths.metrics / "summary.txt", f"{_summary(detail)}\n{said}\n")
    benchmarks = {name: benchmark(dataset.layout, dataset.quality) for name, dataset in params.datasets.items()}
    notes = _notes(datasets, test, params)
    trained_on = benchmarks[params.train_dataset] if params.cross_validation.folds == 1 else None
    tables = benchmark_tables(detail, benchmarks, trained_on, notes)
    write_text(paths.metrics / "benchmarks.md", tables)
    benchmark_plot(paths.metrics / "benchmarks.png", detail, benchmarks, trained_on)


if __name__ == "__main__":
    run(main)

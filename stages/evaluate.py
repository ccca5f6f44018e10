"""evaluate: AUC per method on each dataset's test split, beside the baselines, with coverage and plots."""

from pathlib import Path

import pandas as pd

from stages.cli import parse_paths, run
from stages.lib.files import atomic_path, write_json, write_text
from stages.lib.metrics import auc_by_method, coverage, histogram_rows, roc_rows
from stages.lib.tables import SCORES, read_table
from stages.params import load_params


def _write_csv(path: Path, rows: list[dict], columns: list[str]) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")


def _summary(auc: dict, baselines: dict) -> str:
    rows = [
        {
            "dataset": dataset,
            "method": method,
            "DiffFake": value,
            "single frame": baselines["single_frame"][dataset][method],
            "classifier": baselines["classifier"][dataset][method],
        }
        for dataset, methods in auc.items()
        for method, value in methods.items()
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format, na_rep="-")
    return f"Video-level AUC on the test split\n{table}\n"


def main() -> None:
    paths = parse_paths(__doc__, "scores", "metrics")
    datasets = {
        name: read_table(paths.scores / f"{name}.parquet", SCORES).to_pandas()
        for name in sorted(load_params().datasets)
    }
    test = {name: videos[videos["split"] == "test"] for name, videos in datasets.items()}
    auc = {name: auc_by_method(videos, "anomaly_score") for name, videos in test.items()}
    baselines = {
        baseline: {name: auc_by_method(videos, column) for name, videos in test.items()}
        for baseline, column in (("classifier", "classifier_logit"), ("single_frame", "single_frame_score"))
    }
    write_json(paths.metrics / "auc.json", auc)
    write_json(paths.metrics / "baselines.json", baselines)
    write_json(paths.metrics / "coverage.json", {name: coverage(videos) for name, videos in datasets.items()})
    roc = [row for name, videos in test.items() for row in roc_rows(name, videos, "anomaly_score")]
    histogram = [row for name, videos in test.items() for row in histogram_rows(name, videos, "anomaly_score")]
    _write_csv(paths.metrics / "roc.csv", roc, ["dataset", "method", "fpr", "tpr"])
    _write_csv(paths.metrics / "score_histogram.csv", histogram, ["dataset", "kind", "score", "share"])
    write_text(paths.metrics / "summary.txt", _summary(auc, baselines))


if __name__ == "__main__":
    run(main)

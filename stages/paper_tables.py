"""paper_tables: the paper's comparisons on your datasets, as DVC experiments, in metrics/tables.md and a plot.

``make tables`` or ``python -m stages.paper_tables [--only fusion …] [--folds 3] [-S key=value …]``. What DVC has run before
is taken from its cache. Afterwards params.yaml, metrics and data are as they were.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from stages.cli import run
from stages.lib.errors import InputError
from stages.lib.files import atomic_path, write_text
from stages.params import load_params

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

METRICS = Path("metrics")
DETECTORS = {"DiffFake": "auc", "single frame": "single_frame", "classifier": "classifier"}


@dataclass(frozen=True)
class Row:
    """One line of a table: what it is called, the params it changes, and which detector of the run it shows."""

    label: str
    overrides: tuple[str, ...] = ()
    detector: str = "DiffFake"


@dataclass(frozen=True)
class Table:
    """One comparison, and the paper's own figures (AUC in %) as {row: {(dataset, method): figure}}."""

    title: str
    rows: tuple[Row, ...]
    paper: dict[str, dict[tuple[str, str], float]]


def _figures(columns: list[tuple[str, str]], **rows: tuple[float, ...]) -> dict[str, dict[tuple[str, str], float]]:
    return {label.replace("_", " "): dict(zip(columns, figures, strict=True)) for label, figures in rows.items()}


# Datasets of the paper by the names they have in params.yaml, with FF++'s four methods.
_FFPP = [("ffpp", method) for method in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")]
_CROSS = [(name, "all") for name in ("celebdf", "deeperforensics", "forgerynet", "faceshifter")]
_THREE = _CROSS[1:]
_FUSIONS = _figures(
    [*_FFPP, *_CROSS],
    abs=(100, 99.6, 97.5, 98.6, 74.5, 87.8, 80.9, 90.7),
    sub=(100, 99.6, 97.9, 98.6, 75.1, 89.8, 80.0, 92.4),
    sub2=(100, 99.6, 98.2, 98.6, 76.1, 91.0, 83.7, 92.5),
    sub3=(100, 99.6, 98.6, 98.9, 75.7, 91.0, 83.0, 91.1),
)
_QUALITY = [(name, method) for name in ("ffpp_c40", "ffpp_c23") for method in ("Deepfakes", "FaceSwap")]
_BEST = {**_FUSIONS["sub2"], **{column: _FUSIONS["sub3"][column] for column in _FFPP}}

TABLES = {
    "fusion": Table(
        "Feature combinations (tables 2 and 4)",
        tuple(
            Row(name, (f"fusion={name}",)) for name in ("abs", "sub", "sub2", "sub3", "single", "joint", "appearance")
        ),
        _FUSIONS,
    ),
    "baseline": Table(
        "DiffFake against the single-frame anomaly model and classification (tables 3, 5, 6 and 7)",
        tuple(Row(name, detector=name) for name in DETECTORS),
        {
            "DiffFake": _BEST | _figures(_QUALITY, x=(78.5, 58.2, 89.3, 68.9))["x"],
            "single frame": _figures(
                [*_FFPP, *_CROSS, *_QUALITY], x=(99.6, 99.3, 96.8, 98.2, 74.0, 88.0, 81.0, 91.4, 74.9, 55.4, 87.9, 66.1)
            )["x"],
            "classifier": _figures(_THREE, x=(85.5, 79.8, 87.6))["x"],
        },
    ),
    "backbone": Table(
        "Backbones (table 8)",
        (
            Row("as set"),
            *(Row(name, (f"backbone.name={name}",)) for name in ("resnet50", "legacy_xception", "efficientnet_b4")),
        ),
        _figures(_THREE, resnet50=(85.8, 73.4, 92.4))
        | {"legacy_xception": dict(zip(_THREE, (80.8, 75.6, 88.8), strict=True))}
        | {"efficientnet_b4": dict(zip(_THREE, (91.0, 83.7, 92.5), strict=True))},
    ),
    "anomaly_model": Table(
        "Anomaly models (table 9)",
        tuple(Row(kind, (f"anomaly_model.kind={kind}",)) for kind in ("ocsvm", "autoencoder", "gmm")),
        _figures(_THREE, ocsvm=(72.6, 78.5, 93.2), autoencoder=(70.6, 78.1, 91.4), gmm=(91.0, 83.7, 92.5)),
    ),
    "schemes": Table(
        "Mask schemes and where the blended face comes from",
        (
            Row("all four, as set"),
            Row("global alone, self-blended (SBI)", ("synthesis.schemes=[global]", "synthesis.donors=0.0")),
            Row("local alone", ("synthesis.schemes=[eyes,mouth,jawline]",)),
            Row("all four, self-blended", ("synthesis.donors=0.0",)),
        ),
        {},
    ),
}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Put params.yaml, dvc.lock, metrics and, from DVC's cache, data and models back when the body ends."""
    kept = [path for path in (Path("params.yaml"), Path("dvc.lock"), METRICS) if path.exists()]
    with tempfile.TemporaryDirectory() as folder:
        for path in kept:
            _copy(path, Path(folder) / path)
        try:
            yield
        finally:
            for path in kept:
                _copy(Path(folder) / path, path)
            if Path("dvc.lock").exists():
                subprocess.run(["dvc", "checkout", "--quiet", "--force"], check=False)


def _experiment(overrides: tuple[str, ...]) -> dict[str, dict] | None:
    """Run one experiment; {detector: {dataset: {method: AUC}}}, None where it failed (DVC has said why)."""
    settings = [part for override in overrides for part in ("-S", override)]
    print(f"\n== dvc exp run {' '.join(overrides)}", flush=True)
    if subprocess.run(["dvc", "exp", "run", *settings, "evaluate"], check=False).returncode:
        return None
    auc, baselines = (json.loads((METRICS / f"{name}.json").read_text()) for name in ("auc", "baselines"))
    return {"DiffFake": auc, **{label: baselines[name] for label, name in DETECTORS.items() if name in baselines}}


def _mean_and_spread(values: list[float | None]) -> str:
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{np.mean(known):.1f}" + (f" ± {np.std(known):.1f}" if len(known) > 1 else "")


def render(table: Table, results: dict[str, list[dict[str, dict] | None]]) -> str:
    """A table as Markdown: a column per dataset and method, ours and, where the dataset is the paper's, (paper's).

    ``results``: each row's experiments, one per fold, as :func:`_experiment` gives them.
    """
    runs = [run for folds in results.values() for run in folds if run]
    columns = sorted(
        {(dataset, method) for run in runs for dataset, methods in run["DiffFake"].items() for method in methods}
    )
    lines = [f"## {table.title}", "", "| | " + " | ".join(f"{dataset}: {method}" for dataset, method in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for row in table.rows:
        cells = []
        for dataset, method in columns:
            ours = [run[row.detector].get(dataset, {}).get(method) for run in results[row.label] if run]
            paper = table.paper.get(row.label, {}).get((dataset, method))
            failed = "failed" if None in results[row.label] else ""
            cells.append(f"{_mean_and_spread(ours)} ({'–' if paper is None else f'{paper:.1f}'}) {failed}".strip())
        lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _plot(path: Path, tables: list[Table], results: dict[str, dict[str, list]]) -> None:
    """A dot per experiment and fold, a bar at the mean: AUC over all methods, averaged over the datasets."""
    figure, axes = plt.subplots(len(tables), 1, figsize=(8, sum(0.35 * len(t.rows) + 0.9 for t in tables)), squeeze=False,
                                height_ratios=[len(t.rows) + 1 for t in tables], layout="constrained")  # fmt: skip
    for axis, table in zip(axes[:, 0], tables, strict=True):
        for at, row in enumerate(reversed(table.rows)):
            runs = [run[row.detector] for run in results[table.title][row.label] if run]
            values = [np.mean([m["all"] for m in run.values() if m["all"] is not None] or [np.nan]) for run in runs]
            if values:
                axis.barh(at, np.mean(values), color="#9ecae1")
                axis.plot(values, [at] * len(values), "o", color="#08519c", ms=4)
        axis.set_yticks(range(len(table.rows)), [row.label for row in reversed(table.rows)])
        (
            axis.set_xlim(0.4, 1),
            axis.axvline(0.5, color="grey", lw=0.8),
            axis.set_title(table.title, fontsize=9, loc="left"),
        )
    axes[-1, 0].set_xlabel("video-level AUC over all methods (chance 0.5)")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=90, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=list(TABLES), default=list(TABLES), help="which tables (default: all)"
    )
    parser.add_argument("--folds", type=int, default=1, help="cross-validate over the training dataset's people")
    parser.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help="for every experiment"
    )
    arguments = parser.parse_args()
    load_params()
    if not Path(".git").exists():
        raise InputError("no .git here: experiments are recorded in Git; run in a clone of the repository")
    folds = [()] if arguments.folds == 1 else [
        (f"cross_validation.folds={arguments.folds}", f"cross_validation.fold={fold}") for fold in range(arguments.folds)
    ]  # fmt: skip
    tables = [TABLES[name] for name in arguments.only]
    # One fold's experiments after the other: those that share a backbone follow each other.
    made: dict[tuple[str, ...], dict[str, dict] | None] = {}
    with _left_as_it_was():
        for fold in folds:
            for table in tables:
                for row in table.rows:
                    overrides = (*arguments.set_param, *fold, *row.overrides)
                    if overrides not in made:
                        made[overrides] = _experiment(overrides)
    results = {
        table.title: {
            row.label: [made[(*arguments.set_param, *fold, *row.overrides)] for fold in folds] for row in table.rows
        }
        for table in tables
    }
    how = f", mean ± standard deviation over {len(folds)} folds of people" if len(folds) > 1 else ""
    head = f"# Comparisons\n\nVideo-level AUC in %{how}; in brackets the paper's figure, – where there is none for the dataset.\n"
    command = " ".join(
        [
            "python -m stages.paper_tables --only",
            *arguments.only,
            f"--folds {arguments.folds}",
            *(f"-S {s}" for s in arguments.set_param),
        ]
    )
    text = "\n".join([head, f"Made by `{command}`.", "", *(render(table, results[table.title]) for table in tables)])
    write_text(METRICS / "tables.md", text)
    _plot(METRICS / "tables.png", tables, results)
    print(f"\n{text}\n{METRICS}/tables.md, {METRICS}/tables.png")
    failed = [" ".join(overrides) for overrides, run in made.items() if run is None]
    if failed:
        raise InputError(
            f"{len(failed)} of {len(made)} experiments failed ({failed[0] or 'params as they are'}, …); see above for why"
        )


if __name__ == "__main__":
    run(main)

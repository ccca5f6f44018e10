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
from stages.lib import paper
from stages.lib.errors import InputError
from stages.lib.files import atomic_path, write_text
from stages.params import load_params

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

METRICS = Path("metrics")
DETECTORS = {paper.DIFFFAKE: "auc", paper.SINGLE_FRAME: "single_frame", paper.CLASSIFIER: "classifier"}


@dataclass(frozen=True)
class Row:
    """One line of a table: what it is called, the params it changes, and which detector of the run it shows."""

    label: str
    overrides: tuple[str, ...] = ()
    detector: str = paper.DIFFFAKE


@dataclass(frozen=True)
class Table:
    """One comparison, and the paper's own figures of its rows."""

    title: str
    rows: tuple[Row, ...]
    paper: paper.Figures


TABLES = {
    "fusion": Table(
        "Feature combinations (tables 2 and 4)",
        tuple(
            Row(name, (f"fusion={name}",)) for name in ("abs", "sub", "sub2", "sub3", "single", "joint", "appearance")
        ),
        paper.FUSIONS,
    ),
    "baseline": Table(
        "DiffFake against the single-frame anomaly model and classification (tables 3, 5, 6 and 7)",
        tuple(Row(name, detector=name) for name in DETECTORS),
        paper.detectors(),
    ),
    "backbone": Table(
        "Backbones (table 8)",
        (
            Row("as set"),
            *(Row(name, (f"backbone.name={name}",)) for name in ("resnet50", "legacy_xception", "efficientnet_b4")),
        ),
        paper.BACKBONES,
    ),
    "anomaly_model": Table(
        "Anomaly models (table 9)",
        tuple(Row(kind, (f"anomaly_model.kind={kind}",)) for kind in ("ocsvm", "autoencoder", "gmm")),
        paper.ANOMALY_MODELS,
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
    return {paper.DIFFFAKE: auc, **{label: baselines[name] for label, name in DETECTORS.items() if name in baselines}}


def _mean_and_spread(values: list[float | None]) -> str:
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{np.mean(known):.1f}" + (f" ± {np.std(known):.1f}" if len(known) > 1 else "")


def render(table: Table, results: dict[str, list[dict[str, dict] | None]], benchmarks: dict[str, str | None]) -> str:
    """A table as Markdown: a column per dataset and method, ours and, where the dataset is the paper's, (paper's).

    ``results``: each row's experiments, one per fold, as :func:`_experiment` gives them. ``benchmarks``: which of the paper's
    each dataset is, where the paper's figures were trained on what these were.
    """
    runs = [run for folds in results.values() for run in folds if run]
    columns = sorted(
        {(dataset, method) for run in runs for dataset, methods in run[paper.DIFFFAKE].items() for method in methods}
    )
    lines = [f"## {table.title}", "", "| | " + " | ".join(f"{dataset}: {method}" for dataset, method in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for row in table.rows:
        cells = []
        for dataset, method in columns:
            ours = [run[row.detector].get(dataset, {}).get(method) for run in results[row.label] if run]
            theirs = table.paper.get(row.label, {}).get((benchmarks.get(dataset), method))
            failed = "failed" if None in results[row.label] else ""
            cells.append(f"{_mean_and_spread(ours)} ({'–' if theirs is None else f'{theirs:.1f}'}) {failed}".strip())
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
    params = load_params()
    if not Path(".git").exists():
        raise InputError("no .git here: experiments are recorded in Git; run in a clone of the repository")
    folds = [()] if arguments.folds == 1 else [
        (f"cross_validation.folds={arguments.folds}", f"cross_validation.fold={fold}") for fold in range(arguments.folds)
    ]  # fmt: skip
    tables = [TABLES[name] for name in arguments.only]
    runs = {
        (table.title, row.label): [(*arguments.set_param, *fold, *row.overrides) for fold in folds]
        for table in tables
        for row in table.rows
    }
    made: dict[tuple[str, ...], dict[str, dict] | None] = {}
    with _left_as_it_was():
        # One fold's experiments after the other: those that share a backbone follow each other.
        for overrides in (per_fold[at] for at in range(len(folds)) for per_fold in runs.values()):
            if overrides not in made:
                made[overrides] = _experiment(overrides)
    results = {
        table.title: {row.label: [made[overrides] for overrides in runs[table.title, row.label]] for row in table.rows}
        for table in tables
    }
    known = {name: paper.benchmark(dataset.layout, dataset.quality) for name, dataset in params.datasets.items()}
    trained_on = known[params.train_dataset]
    benchmarks = {name: one for name, one in known.items() if one and paper.comparable((one, ""), trained_on)}
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
    text = "\n".join(
        [head, f"Made by `{command}`.", "", *(render(table, results[table.title], benchmarks) for table in tables)]
    )
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

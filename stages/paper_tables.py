"""paper_tables: the paper's comparisons on your datasets, as DVC experiments, in metrics/tables.md and a plot.

``make tables`` or ``python -m stages.paper_tables [--only fusion …] [--folds 3] [-S key=value …]``. What DVC has run
before is taken from its cache. Afterwards params.yaml, metrics and data are as they were.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.cli import run
from stages.lib.errors import InputError
from stages.lib.evaluation.detectors import DEFAULT
from stages.lib.evaluation.paper import comparable, paper_dataset
from stages.lib.evaluation.tables import TABLES, Run, Table, plot_tables, render
from stages.lib.files import write_text
from stages.params import Params, load_params

METRICS = Path("metrics")
Overrides = tuple[str, ...]  # of params, as `dvc exp run -S` takes them


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


def _experiment(overrides: tuple[str, ...]) -> Run | None:
    """Run one experiment; None where it failed (DVC has printed why)."""
    settings = [part for override in overrides for part in ("-S", override)]
    print(f"\n== dvc exp run {' '.join(overrides)}", flush=True)
    if subprocess.run(["dvc", "exp", "run", *settings, "evaluate"], check=False).returncode:
        return None
    auc, baselines = (json.loads((METRICS / f"{name}.json").read_text()) for name in ("auc", "baselines"))
    return {DEFAULT.key: auc, **baselines}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=list(TABLES), default=list(TABLES), help="which tables (default: all)"
    )
    parser.add_argument("--folds", type=int, default=1, help="cross-validate over the training dataset's people")
    parser.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help="for every experiment"
    )
    return parser.parse_args()


def _overrides_of_folds(n_folds: int) -> list[Overrides]:
    if n_folds == 1:
        return [()]
    return [(f"cross_validation.folds={n_folds}", f"cross_validation.fold={fold}") for fold in range(n_folds)]


def _run_all(planned: dict[tuple[str, str], list[Overrides]], n_folds: int) -> dict[Overrides, Run | None]:
    """Run every planned experiment once, one fold's after the other's: those that share a backbone follow each
    other.
    """
    runs: dict[Overrides, Run | None] = {}
    with _left_as_it_was():
        for overrides in (of_row[fold] for fold in range(n_folds) for of_row in planned.values()):
            if overrides not in runs:
                runs[overrides] = _experiment(overrides)
    return runs


def _paper_datasets(params: Params) -> dict[str, str | None]:
    """Which of the paper's each dataset is, where the paper's figures were trained on what these were."""
    known = {name: paper_dataset(dataset.layout, dataset.quality) for name, dataset in params.datasets.items()}
    trained_on = known[params.train_dataset]
    return {name: one for name, one in known.items() if one and comparable((one, ""), trained_on)}


def _page(
    tables: list[Table], results: dict[str, dict[str, list[Run | None]]], params: Params, command: str, how: str
) -> str:
    head = (
        f"# The paper's tables\n\nVideo-level AUC in %{how}; in brackets the paper's figure, – where there is none "
        "for the dataset.\n"
    )
    paper_datasets = _paper_datasets(params)
    rendered = [render(table, results[table.title], paper_datasets) for table in tables]
    return "\n".join([head, f"Made by `{command}`.", "", *rendered])


def main() -> None:
    arguments, params = _parse(), load_params()
    if not Path(".git").exists():
        raise InputError("no .git here: experiments are recorded in Git; run in a clone of the repository")
    folds, tables = _overrides_of_folds(arguments.folds), [TABLES[name] for name in arguments.only]
    planned = {
        (table.title, row.label): [(*arguments.set_param, *fold, *row.overrides) for fold in folds]
        for table in tables
        for row in table.rows
    }
    runs = _run_all(planned, len(folds))
    results = {
        table.title: {row.label: [runs[one] for one in planned[table.title, row.label]] for row in table.rows}
        for table in tables
    }
    parts = ["python -m stages.paper_tables --only", *arguments.only, f"--folds {arguments.folds}"]
    command = " ".join([*parts, *(f"-S {override}" for override in arguments.set_param)])
    how = f", mean ± standard deviation over {len(folds)} folds of people" if len(folds) > 1 else ""
    text = _page(tables, results, params, command, how)
    write_text(METRICS / "tables.md", text)
    plot_tables(METRICS / "tables.png", tables, results)
    print(f"\n{text}\n{METRICS}/tables.md, {METRICS}/tables.png")
    failed = [" ".join(overrides) for overrides, run in runs.items() if run is None]
    if failed:
        raise InputError(
            f"{len(failed)} of {len(runs)} experiments failed ({failed[0] or 'params as they are'}, …); see above for "
            "why"
        )


if __name__ == "__main__":
    run(main)

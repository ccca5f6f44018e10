"""Every dataset and method with our figures, beside the paper's where a run is comparable: as tables, and in a
picture.
"""

import itertools
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from stages.lib.calibration.bundle import fakes_in_words
from stages.lib.evaluation.detectors import DEFAULT, DIFFFAKE, OF_PAPER, Detector
from stages.lib.evaluation.metrics import ALL
from stages.lib.evaluation.paper import (
    AVERAGE,
    TABLE_3,
    TABLE_5,
    TABLE_6,
    Column,
    Figures,
    comparable,
    figures_of_detectors,
)
from stages.lib.figures import plt, save_png
from stages.lib.markdown import markdown_table

_TABLES = (
    ("Cross-manipulation (the paper's table 3)", TABLE_3),
    ("Cross-dataset (the paper's table 5; its classifier is table 7's)", TABLE_5),
    ("Cross-quality (the paper's table 6)", TABLE_6),
)


def benchmark_tables(
    detail: dict[str, Any],
    paper_datasets: dict[str, str | None],
    trained_on: str | None,
    notes: list[str],
    frame_level: str = "",
    seen: Collection[str] = (),
) -> str:
    """Markdown: every dataset and method with averages; then each of the paper's tables that these runs belong to.

    ``detail``: {dataset: {detector: {method: metrics}}} as ``metrics/detail.json`` has it. ``paper_datasets``:
    {dataset: the paper's that it is, or None}; ``trained_on``: that of the training dataset. ``notes``: lines to end
    with. ``frame_level``: a section of figures at frame level, if there is one. ``seen``: the methods of the fakes that
    the network was trained on.
    """
    parts = ["# Results\n\nVideo-level AUC in % on the test splits.\n", _all_datasets(detail, seen)]
    dataset_of = {name: dataset for dataset, name in paper_datasets.items() if name}
    for title, table in _TABLES:
        columns = _columns(table)
        shown = [column for column in columns if column[0] in dataset_of and comparable(column, trained_on)]
        if shown:
            parts.append(_beside_the_paper(title, table, shown, detail, dataset_of, seen))
    parts += [frame_level] if frame_level else []
    return "\n".join([*parts, *(f"- {note}" for note in notes)]).rstrip() + "\n"


def marked(method: str, seen: Collection[str]) -> str:
    """A method's name in a table, saying so where fakes of it were trained on, whichever dataset these are of."""
    return f"{method} (seen in training)" if method in seen else method


def _columns(table: Figures) -> list[Column]:
    return list(dict.fromkeys(column for row in table.values() for column in row if column[1] != AVERAGE))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _all_datasets(detail: dict[str, Any], seen: Collection[str]) -> str:
    rows = []
    for dataset, found in detail.items():
        methods = [method for method in found[DEFAULT.key] if method != ALL]
        for method in [*methods, ALL]:
            counts = found[DEFAULT.key][method]
            figures = [_percent(found[detector.key][method]["auc"]) for detector in OF_PAPER]
            rows.append([dataset, marked(method, seen), *figures, str(counts["n_real"]), str(counts["n_fake"])])
        if len(methods) > 1:
            means = [_mean([found[detector.key][m]["auc"] for m in methods]) for detector in OF_PAPER]
            rows.append([dataset, "average of methods", *map(_percent, means), "", ""])
    if len(detail) > 1:
        means = [_mean([found[detector.key][ALL]["auc"] for found in detail.values()]) for detector in OF_PAPER]
        rows.append(["average of datasets", ALL, *map(_percent, means), "", ""])
    return markdown_table(["dataset", "method", *(detector.label for detector in OF_PAPER), "reals", "fakes"], rows)


def _beside_the_paper(
    title: str,
    table: Figures,
    columns: list[Column],
    detail: dict[str, Any],
    dataset_of: dict[str, str],
    seen: Collection[str],
) -> str:
    def ours(detector: Detector, column: Column) -> float | None:
        auc: float | None = detail[dataset_of[column[0]]][detector.key].get(column[1], {}).get("auc")
        return auc

    rows = []
    for detector in OF_PAPER:
        values = [ours(detector, column) for column in columns]
        rows.append([f"**{detector.label}, here**", *map(_percent, values), _percent(_mean(values))])
    for label, figures in table.items():
        values = [figures.get(column) for column in columns]
        printed = figures.get((columns[0][0], AVERAGE)) if len(columns) == len(_columns(table)) else None
        average = printed if printed is not None else _mean(values)
        cells = ["–" if value is None else f"{value:.1f}" for value in [*values, average]]
        rows.append([f"{label}, paper", *cells])
    names = [dataset_of[name] + ("" if method == ALL else f": {marked(method, seen)}") for name, method in columns]
    return f"## {title}\n\n" + markdown_table(["", *names, "average"], rows)


def benchmark_plot(
    path: Path,
    detail: dict[str, Any],
    paper_datasets: dict[str, str | None],
    trained_on: str | None,
    seen: Collection[str] = (),
) -> None:
    """A row for each dataset and method: our detectors' AUC, the default's interval, and the paper's DiffFake where
    comparable.

    Arguments as in :func:`benchmark_tables`; ``path`` becomes a PNG.
    """
    rows = [(dataset, method) for dataset, found in detail.items() for method in found[DEFAULT.key]]
    figure, axis = plt.subplots(figsize=(8, 0.3 * len(rows) + 1.3), layout="constrained")
    heights = np.arange(len(rows))[::-1]
    offsets = np.linspace(0.2, -0.2, len(OF_PAPER))
    for number, (detector, marker) in enumerate(zip(OF_PAPER, itertools.cycle("os^vPX*"), strict=False)):
        at, values = heights + offsets[number], [detail[dataset][detector.key][method] for dataset, method in rows]
        shown = [np.nan if value["auc"] is None else value["auc"] for value in values]
        axis.plot(shown, at, marker, color=f"C{number}", label=detector.label, ms=5)
        if detector is DEFAULT:
            for value, height in zip(values, at, strict=True):
                axis.plot(value["auc_ci95"] or [], [height] * 2 if value["auc_ci95"] else [], color=f"C{number}", lw=1)
    columns = [(paper_datasets[dataset] or "", method) for dataset, method in rows]
    of_paper = figures_of_detectors()[DIFFFAKE.label]
    paper = [of_paper.get(column) if comparable(column, trained_on) else None for column in columns]
    if any(paper):
        shown = [np.nan if value is None else value / 100 for value in paper]
        axis.plot(shown, heights, "D", mfc="none", color="black", label="DiffFake, paper", ms=7)
    axis.set_yticks(heights, [f"{dataset}: {marked(method, seen)}" for dataset, method in rows])
    axis.axvline(0.5, color="grey", lw=0.8)
    said = f"; {fakes_in_words(sorted(seen))}" if seen else ""
    axis.set(xlim=(-0.02, 1.02), xlabel=f"video-level AUC (chance 0.5); line: 95 % interval of {DEFAULT.label}{said}")
    figure.legend(loc="outside upper center", ncols=4, fontsize=8)
    save_png(figure, path, dpi=80)

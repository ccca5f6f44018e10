"""The paper's comparisons: which experiments each of its tables takes, and their results as Markdown and in a
picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stages.lib.calibration.bundle import fakes_in_words
from stages.lib.evaluation.detectors import DIFFFAKE, OF_PAPER, Detector
from stages.lib.evaluation.paper import TABLE_8, TABLE_9, TABLES_2_AND_4, Figures, figures_of_detectors
from stages.lib.figures import plt, save_png
from stages.lib.markdown import markdown_table
from stages.lib.pairs.fusion import FUSIONS

ByGroup = Mapping[str, Mapping[str, Mapping[str, float | None]]]  # {detector: {dataset: {method or family: AUC}}}


@dataclass(frozen=True)
class Run:
    """What one experiment gave: AUCs by method, by family of methods, and ``seen``, the methods of the genuine fakes
    that its network was trained on.
    """

    methods: ByGroup
    families: ByGroup
    seen: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """One line of a table: what it is called, the params it changes, and which detector of the run it shows."""

    label: str
    overrides: tuple[str, ...] = ()
    detector: Detector = DIFFFAKE


@dataclass(frozen=True)
class Table:
    """One comparison, and the paper's own figures of its rows. ``families``: it has a column for each of these that a
    dataset has, instead of one for each method.
    """

    title: str
    rows: tuple[Row, ...]
    paper: Figures
    families: tuple[str, ...] = ()

    def of(self, run: Run, row: Row) -> Mapping[str, Mapping[str, float | None]]:
        """A row's AUCs in one experiment: {dataset: {column: AUC}}."""
        if not self.families:
            return run.methods.get(row.detector.key, {})
        found = run.families.get(row.detector.key, {})
        return {name: {one: groups[one] for one in self.families if one in groups} for name, groups in found.items()}


def _schemes(names: str) -> tuple[str, ...]:
    """Overrides that replace the schemes of params, a list or weights, by a list: a value of the other kind could not
    be written over it.
    """
    return "~synthesis.schemes", f"+synthesis.schemes=[{names}]"


GUIDANCE = "guidance"  # the table that Stable Diffusion's weights are needed for

TABLES = {
    "fusion": Table(
        "Feature combinations (tables 2 and 4)",
        tuple(Row(name, (f"fusion={name}",)) for name in FUSIONS),
        TABLES_2_AND_4,
    ),
    "baseline": Table(
        "DiffFake against the single-frame anomaly model and classification (tables 3, 5, 6 and 7)",
        tuple(Row(one.label, detector=one) for one in OF_PAPER),
        figures_of_detectors(),
    ),
    "backbone": Table(
        "Backbones (table 8)",
        (
            Row("as set"),
            *(
                # A package has the weights of one network alone.
                Row(name, (f"backbone.name={name}", "backbone.weights=hub"))
                for name in ("resnet50", "legacy_xception", "efficientnet_b4")
            ),
        ),
        TABLE_8,
    ),
    "anomaly_model": Table(
        "Anomaly models (table 9)",
        tuple(Row(kind, (f"anomaly_model.kind={kind}",)) for kind in ("ocsvm", "autoencoder", "flow", "gmm")),
        TABLE_9,
    ),
    "synthetic": Table(
        "Driven or wholly synthetic (families animated and other, which is whatever method isn't known; section 5)",
        tuple(Row(one.label, detector=one) for one in OF_PAPER),
        {},
        families=("animated", "other"),
    ),
    "schemes": Table(
        "Mask schemes and where the blended face comes from",
        (
            Row("as set"),
            Row("as set, self-blended", ("synthesis.donors=0.0",)),
            Row("swap alone", _schemes("swap")),
            Row("the paper's four, self-blended", (*_schemes("global,eyes,mouth,jawline"), "synthesis.donors=0.0")),
            Row("global alone, self-blended (SBI)", (*_schemes("global"), "synthesis.donors=0.0")),
        ),
        {},
    ),
    GUIDANCE: Table(
        "Training under guidance (the ablations of DiffusionFake)",
        (
            Row("without guidance", ("guidance.weights=none",)),
            Row("with guidance, as set"),
            Row("not pretrained", ("guidance.pretrained=false",)),
            Row("without filter", ("guidance.filter=false",)),
            Row("without weight", ("guidance.weight=false",)),
            Row("without filter and weight", ("guidance.filter=false", "guidance.weight=false")),
            # The similarities tell real from fake by themselves: their loss apart from the reconstructions'.
            Row("similarities not learnt", ("guidance.lambda_weight=0.0",)),
            *(Row(f"source by {one}", (f"guidance.lambda_source={one}",)) for one in (0.3, 0.5, 0.7, 1.0)),
            *(Row(f"target by {one}", (f"guidance.lambda_target={one}",)) for one in (0.3, 0.5, 0.7, 1.0)),
        ),
        {},
    ),
}


def _mean_and_spread(values: list[float | None]) -> str:
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{np.mean(known):.1f}" + (f" ± {np.std(known):.1f}" if len(known) > 1 else "")


def with_fakes(label: str, methods: Sequence[str]) -> str:
    """What something is called, with the methods of the genuine fakes that it was trained on, if there were any."""
    return f"{label} ({fakes_in_words(methods)})" if methods else label


def _label(row: Row, runs: Sequence[Run | None]) -> str:
    """What a row is called, with the methods of the genuine fakes that its networks saw, if there were any."""
    return with_fakes(row.label, sorted({method for run in runs if run for method in run.seen}))


def render(table: Table, results: Mapping[str, list[Run | None]], paper_datasets: Mapping[str, str | None]) -> str:
    """A table as Markdown: a column per dataset and method, ours and, where the dataset is the paper's, (paper's).

    ``results``: each row's experiments, one per fold, None where it failed. ``paper_datasets``: which of the paper's
    each dataset is, where the paper's figures were trained on what these were. A row whose network saw genuine fakes
    says of which methods.
    """
    runs = [run for folds in results.values() for run in folds if run]
    columns = sorted(
        {(name, one) for run in runs for row in table.rows for name, of in table.of(run, row).items() for one in of}
    )
    rows = []
    for row in table.rows:
        cells = []
        for dataset, method in columns:
            ours = [table.of(run, row).get(dataset, {}).get(method) for run in results[row.label] if run]
            theirs = table.paper.get(row.label, {}).get((paper_datasets.get(dataset) or "", method))
            failed = "failed" if None in results[row.label] else ""
            cells.append(f"{_mean_and_spread(ours)} ({'–' if theirs is None else f'{theirs:.1f}'}) {failed}".strip())
        rows.append([_label(row, results[row.label]), *cells])
    head = ["", *(f"{dataset}: {method}" for dataset, method in columns)]
    return f"## {table.title}\n\n" + markdown_table(head, rows)


def _mean_of(of_datasets: Mapping[str, Mapping[str, float | None]]) -> float:
    """The mean over datasets of the AUC over all methods, or else of the families' mean; NaN where there is none."""
    known = [
        [value for name, value in groups.items() if value is not None and ("all" not in groups or name == "all")]
        for groups in of_datasets.values()
    ]
    means = [np.mean(values) for values in known if values]
    return float(np.mean(means)) if means else float("nan")


def stacked_panels(heights: Sequence[int]) -> tuple[Figure, np.ndarray]:
    """A figure of panels above each other, each as high as its number of lines: the figure, and its axes (n,)."""
    figure, axes = plt.subplots(
        len(heights),
        1,
        figsize=(8, sum(0.35 * height + 0.9 for height in heights)),
        squeeze=False,
        height_ratios=[height + 1 for height in heights],
        layout="constrained",
    )
    return figure, axes[:, 0]


def plot_tables(path: Path, tables: Sequence[Table], results: Mapping[str, Mapping[str, list[Run | None]]]) -> None:
    """A dot per experiment and fold, a bar at the mean: AUC over all methods, or the mean of the table's families',
    averaged over the datasets.
    """
    figure, axes = stacked_panels([len(table.rows) for table in tables])
    for axis, table in zip(axes, tables, strict=True):
        lowest = 0.4
        for at, row in enumerate(reversed(table.rows)):
            runs = [table.of(run, row) for run in results[table.title][row.label] if run]
            values = [_mean_of(of_datasets) for of_datasets in runs]
            if values:
                axis.barh(at, np.mean(values), color="#9ecae1")
                axis.plot(values, [at] * len(values), "o", color="#08519c", ms=4)
                lowest = np.nanmin([lowest, *values])
        labels = [_label(row, results[table.title][row.label]) for row in reversed(table.rows)]
        axis.set_yticks(range(len(table.rows)), labels)
        axis.set_xlim(lowest, 1)
        axis.axvline(0.5, color="grey", lw=0.8)
        axis.set_title(table.title, fontsize=9, loc="left")
    axes[-1].set_xlabel("video-level AUC over all methods (chance 0.5)")
    save_png(figure, path, dpi=90)

"""Frame-level AUC and EER beside table 1 of Sun et al., "DiffusionFake", NeurIPS 2024 (arXiv 2410.04372).

Its models were trained on FaceForensics++ c23 and tested on five other datasets. Its figures, and those of other
methods, are as that table has them, in %.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stages.lib.evaluation.detectors import CLASSIFIER, DIFFFAKE, SINGLE_FRAME, Detector
from stages.lib.evaluation.metrics import ALL
from stages.lib.markdown import markdown_table

Figure = tuple[float, float | None]  # AUC, EER
TRAINED_ON = "ffpp_c23"  # as paper.py calls it
COLUMNS = ("Celeb-DF", "WildDeepfake", "DFDC-P", "DFD", "DiffSwap")
_LAYOUTS = dict(zip(("celebdf", "wilddeepfake", "dfdc_preview", "dfd", "diffswap"), COLUMNS, strict=True))
_SHOWN = (CLASSIFIER, DIFFFAKE, SINGLE_FRAME)

# A star: run again by DiffusionFake's authors.
TABLE_1: dict[str, tuple[Figure | None, ...]] = {
    "Xception": ((65.27, 38.77), (66.17, 40.14), (69.80, 35.41), (87.86, 21.04), (74.25, 32.04)),
    "Face X-ray": ((74.20, None), None, (70.00, None), (85.60, None), None),
    "F3-Net*": ((71.21, 34.03), (67.71, 40.17), (72.88, 33.38), (86.10, 26.17), (76.89, 30.83)),
    "MAT*": ((70.65, 35.83), (70.15, 36.53), (67.34, 38.31), (87.58, 21.73), (79.93, 27.77)),
    "GFF*": ((75.31, 32.48), (66.51, 41.52), (71.58, 34.77), (85.51, 25.64), (78.38, 28.15)),
    "LTW": ((77.14, 29.34), (67.12, 39.22), (74.58, 33.81), (88.56, 20.57), (77.95, 29.01)),
    "LRL": ((78.26, 29.67), (68.76, 37.50), (76.53, 32.41), (89.24, 20.32), None),
    "DCL": ((82.30, 26.53), (71.14, 36.17), (76.71, 31.97), (91.66, 16.63), (80.21, 27.37)),
    "PCL+I2G": ((81.80, None), None, None, None, None),
    "SBI*": ((80.76, 26.97), (68.22, 38.11), (76.53, 30.22), (88.13, 17.25), (75.20, 31.49)),
    "UIA-ViT": ((82.41, None), None, (75.80, None), (94.68, None), None),
    "RECCE*": ((70.50, 35.34), (67.93, 39.82), (75.88, 32.41), (89.91, 19.95), (77.59, 29.38)),
    "UCF": ((75.27, None), None, (75.94, None), (80.74, None), None),
    "CADDM*": ((77.56, 30.63), (72.56, 33.63), (72.45, 33.56), (82.90, 25.20), (75.58, 31.01)),
    "EfficientNet-B4*": ((73.51, 34.17), (70.04, 37.03), (70.51, 33.98), (87.57, 21.31), (77.38, 29.44)),
    "ViT-B*": ((74.64, 33.07), (75.46, 31.53), (74.24, 34.29), (84.38, 24.15), (78.50, 28.14)),
    "DiffusionFake, EfficientNet-B4": ((83.17, 24.59), (75.17, 33.25), (77.35, 30.17), (91.71, 16.27), (82.02, 25.55)),
    "DiffusionFake, ViT-B": ((80.46, 27.51), (80.14, 29.62), (80.95, 27.66), (90.36, 19.73), (86.98, 21.32)),
}

_NOTE = (
    "AUC / EER in % of single frames, after training on FaceForensics++ c23; DiffFake's are of pairs of frames, since "
    "it scores no single one. Rows marked as quoted are from table 1 of DiffusionFake (Sun et al., NeurIPS 2024) and "
    "were not run here; a star is its authors' rerun. They take other crops and other frames of a video."
)


def table_1_dataset(layout: str, quality: str | None) -> str | None:
    """The column of table 1 that a dataset of params.yaml is, None if it is none of them; DFD counts at c23 alone."""
    return None if layout == "dfd" and quality != "c23" else _LAYOUTS.get(layout)


def frame_level_table(detail: dict[str, Any], columns: Mapping[str, str | None], trained_on: str | None) -> str:
    """A section of Markdown with our figures above those of table 1; empty where no dataset is comparable.

    ``detail``: {dataset: {detector: {method: metrics}}} as ``metrics/detail.json`` has it; ``columns``:
    {dataset: :func:`table_1_dataset`}; ``trained_on``: the training dataset as :func:`.paper.paper_dataset` calls it.
    """
    dataset_of = {column: dataset for dataset, column in columns.items() if column}
    shown = [column for column in COLUMNS if column in dataset_of]
    if trained_on != TRAINED_ON or not shown:
        return ""
    rows = []
    for detector in _SHOWN:
        ours = [_of_parts(detail[dataset_of[column]][detector.key].get(ALL, {}), detector) for column in shown]
        unit = "pairs of frames" if detector.part == "pair" else "frames"
        rows.append([f"**{detector.label}, here** ({unit})", *map(_cell, ours), _cell(_mean(ours))])
    for label, figures in TABLE_1.items():
        theirs = [figures[COLUMNS.index(column)] for column in shown]
        rows.append([f"{label}, quoted", *map(_cell, theirs), _cell(_mean(theirs))])
    names = [f"{dataset_of[column]} ({column})" for column in shown]
    table = markdown_table(["", *names, "average"], rows)
    return f"## Cross-dataset at frame level (DiffusionFake's table 1)\n\n{_NOTE}\n\n{table}"


def _of_parts(metrics: Mapping[str, float | None], detector: Detector) -> tuple[float | None, float | None]:
    """AUC and EER in % of a detector's frames or pairs."""
    values = (metrics.get(f"{detector.part}_{name}") for name in ("auc", "eer"))
    auc, eer = (None if value is None else 100 * value for value in values)
    return auc, eer


def _mean(figures: list[Any]) -> tuple[float | None, float | None]:
    """The means of AUC and of EER, each None where one figure is missing."""
    auc, eer = zip(*[figure or (None, None) for figure in figures], strict=True)
    return _mean_of(auc), _mean_of(eer)


def _mean_of(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _cell(figure: tuple[float | None, float | None] | None) -> str:
    return " / ".join("–" if value is None else f"{value:.2f}" for value in figure or (None, None))

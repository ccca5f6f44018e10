"""DiffusionFake's table 1 against its own averages, and our figures at frame level beside it."""

import pytest

from stages.lib.evaluation.detectors import OF_PAPER
from stages.lib.evaluation.diffusionfake import COLUMNS, TABLE_1, frame_level_table, table_1_dataset
from stages.lib.evaluation.metrics import ALL

# The last column of the table, as printed.
AVERAGES = {
    "Xception": (72.67, 33.48),
    "F3-Net*": (74.96, 32.92),
    "MAT*": (75.13, 32.03),
    "GFF*": (75.46, 32.51),
    "LTW": (77.07, 30.39),
    "DCL": (80.40, 27.73),
    "SBI*": (77.77, 28.81),
    "RECCE*": (76.36, 31.38),
    "CADDM*": (76.21, 30.81),
    "EfficientNet-B4*": (75.80, 31.19),
    "ViT-B*": (77.44, 30.24),
    "DiffusionFake, EfficientNet-B4": (81.88, 25.97),
    "DiffusionFake, ViT-B": (83.78, 25.17),
}


@pytest.mark.parametrize("row", AVERAGES)
@pytest.mark.parametrize("at", [0, 1], ids=["auc", "eer"])
def test_the_printed_averages_come_out_of_the_figures(row, at):
    assert sum(figure[at] for figure in TABLE_1[row]) / 5 == pytest.approx(AVERAGES[row][at], abs=0.006)


def test_rows_without_an_average_have_a_gap():
    assert [row for row, figures in TABLE_1.items() if None in figures] == [
        row for row in TABLE_1 if row not in AVERAGES
    ]


def test_every_row_has_a_cell_for_each_dataset():
    assert {len(figures) for figures in TABLE_1.values()} == {len(COLUMNS)}


@pytest.mark.parametrize(
    ("layout", "quality", "expected"),
    [
        ("celebdf", None, "Celeb-DF"),
        ("wilddeepfake", None, "WildDeepfake"),
        ("dfdc_preview", None, "DFDC-P"),
        ("dfd", "c23", "DFD"),
        ("dfd", "c40", None),
        ("dfd", None, None),
        ("diffswap", None, "DiffSwap"),
        ("ffpp", "c23", None),
        ("deepfakebench", None, None),
    ],
)
def test_a_dataset_is_a_column_of_the_table_or_none(layout, quality, expected):
    assert table_1_dataset(layout, quality) == expected


def _found(auc: float | None, eer: float | None) -> dict:
    """The metrics of one dataset: the classifier's frames have these, the pairs of DiffFake 0.1 less."""
    found = {one.key: {ALL: {"auc": 0.99, f"{one.part}_auc": auc, f"{one.part}_eer": eer}} for one in OF_PAPER}
    if auc is not None:
        found["difffake"][ALL] |= {"pair_auc": auc - 0.1, "pair_eer": eer - 0.1}
    return found


DETAIL = {"ff": _found(0.9, 0.2), "cdf": _found(0.8, 0.3), "wild": _found(0.61, 0.425)}
DATASETS = {"ff": None, "cdf": "Celeb-DF", "wild": "WildDeepfake"}


def _rows(text: str) -> dict[str, list[str]]:
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


@pytest.fixture(scope="module")
def table() -> str:
    return frame_level_table(DETAIL, DATASETS, "ffpp_c23")


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("", ["cdf (Celeb-DF)", "wild (WildDeepfake)", "average"]),
        ("**classifier, here** (frames)", ["80.00 / 30.00", "61.00 / 42.50", "70.50 / 36.25"]),
        ("**DiffFake, here** (pairs of frames)", ["70.00 / 20.00", "51.00 / 32.50", "60.50 / 26.25"]),
        ("DiffusionFake, EfficientNet-B4, quoted", ["83.17 / 24.59", "75.17 / 33.25", "79.17 / 28.92"]),
        ("Face X-ray, quoted", ["74.20 / –", "– / –", "– / –"]),
    ],
)
def test_our_figures_stand_above_the_quoted_ones(table, row, cells):
    assert _rows(table)[row] == cells


def test_every_row_of_the_table_is_said_to_be_quoted_and_not_run(table):
    assert [row for row in _rows(table) if row.endswith("quoted")] == [f"{row}, quoted" for row in TABLE_1]
    assert "Rows marked as quoted are from table 1 of DiffusionFake" in table
    assert "not run here" in table


@pytest.mark.parametrize("trained_on", [None, "ffpp", "ffpp_c40", "celebdf"])
def test_a_run_that_was_trained_on_something_else_is_not_compared(trained_on):
    assert frame_level_table(DETAIL, DATASETS, trained_on) == ""


def test_a_run_without_any_of_the_datasets_is_not_compared():
    assert frame_level_table(DETAIL, dict.fromkeys(DETAIL), "ffpp_c23") == ""


def test_figures_that_there_are_not_are_dashes_and_no_average():
    detail = {"cdf": _found(0.8, 0.3), "wild": _found(None, None)}
    rows = _rows(frame_level_table(detail, {"cdf": "Celeb-DF", "wild": "WildDeepfake"}, "ffpp_c23"))
    assert rows["**classifier, here** (frames)"] == ["80.00 / 30.00", "– / –", "– / –"]

"""The paper's figures against its own averages, and which datasets and runs they may stand beside."""

import pytest

from stages.lib.evaluation.metrics import ALL
from stages.lib.evaluation.paper import (
    AVERAGE,
    DATASETS,
    FFPP,
    TABLE_3,
    TABLE_8,
    TABLE_9,
    TABLES_2_AND_4,
    comparable,
    paper_dataset,
)


@pytest.mark.parametrize(("fusion", "average"), [("abs", 83.5), ("sub", 84.3), ("sub2", 85.8), ("sub3", 85.2)])
def test_the_averages_of_table_4_come_out_of_its_figures(fusion, average):
    assert sum(TABLES_2_AND_4[fusion][column] for column in DATASETS) / 4 == pytest.approx(average, abs=0.06)


@pytest.mark.parametrize(
    ("table", "row", "average"),
    [
        (TABLE_8, "resnet50", 83.9),
        (TABLE_8, "legacy_xception", 81.7),
        (TABLE_8, "efficientnet_b4", 89.1),
        (TABLE_9, "ocsvm", 81.4),
        (TABLE_9, "autoencoder", 80.0),
        (TABLE_9, "gmm", 89.1),
    ],
)
def test_the_averages_of_tables_8_and_9_come_out_of_their_figures(table, row, average):
    assert sum(table[row].values()) / 3 == pytest.approx(average, abs=0.06)


# Table 3 prints its averages itself; UNTAG's row has nothing else.
@pytest.mark.parametrize("row", sorted(set(TABLE_3) - {"UNTAG"}))
def test_the_averages_that_table_3_prints_come_out_of_its_figures(row):
    figures = [figure for (_, method), figure in TABLE_3[row].items() if method != AVERAGE]
    assert sum(figures) / 4 == pytest.approx(TABLE_3[row][FFPP, AVERAGE], abs=0.06)


@pytest.mark.parametrize(
    ("layout", "quality", "expected"),
    [
        ("ffpp", "raw", "ffpp"),
        ("ffpp", "c0", "ffpp"),
        ("ffpp", "c23", "ffpp_c23"),
        ("ffpp", "c40", "ffpp_c40"),
        ("ffpp", None, None),
        ("celebdf", None, "celebdf"),
        ("manifest", None, None),
        ("dfdc", None, None),
    ],
)
def test_a_dataset_is_the_papers_only_at_its_quality(layout, quality, expected):
    assert paper_dataset(layout, quality) == expected


@pytest.mark.parametrize(
    ("column", "trained_on", "expected"),
    [
        (("celebdf", ALL), "ffpp", True),
        (("celebdf", ALL), "ffpp_c23", False),
        (("celebdf", ALL), None, False),
        (("ffpp_c40", "FaceSwap"), "ffpp_c40", True),
        (("ffpp_c40", "FaceSwap"), "ffpp", False),
    ],
)
def test_a_figure_is_comparable_only_where_it_was_trained_on_the_same(column, trained_on, expected):
    assert comparable(column, trained_on) is expected

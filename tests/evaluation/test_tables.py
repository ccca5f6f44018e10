"""The comparison tables: what they say of known results, and that their experiments are valid."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.lib.evaluation.detectors import CLASSIFIER, DIFFFAKE
from stages.lib.evaluation.paper import (
    AVERAGE,
    DATASETS,
    TABLE_3,
    TABLE_8,
    TABLE_9,
    TABLES_2_AND_4,
    comparable,
    paper_dataset,
)
from stages.lib.evaluation.tables import TABLES, Row, Table, render
from stages.params import load_params

ROOT = Path(__file__).parents[2]
ROWS = [(name, row) for name, table in TABLES.items() for row in table.rows]


def _run(auc: float | None) -> dict[str, dict]:
    return {
        DIFFFAKE.key: {"celebdf": {"all": auc}, "mine": {"all": 0.5}},
        CLASSIFIER.key: {"celebdf": {"all": 0.25}, "mine": {"all": 1.0}},
    }


def test_ours_stands_beside_the_papers_with_dashes_where_it_has_none():
    table = Table("A title", (Row("sub"), Row("other", detector=CLASSIFIER)), {"sub": {("celebdf", "all"): 75.1}})
    results = {"sub": [_run(0.7), _run(0.8)], "other": [_run(0.7), _run(None)]}
    text = render(table, results, {"celebdf": "celebdf", "mine": None})
    assert text.splitlines()[2:] == [
        "|  | celebdf: all | mine: all |",
        "| --- | --- | --- |",
        "| sub | 75.0 ± 5.0 (75.1) | 50.0 ± 0.0 (–) |",
        "| other | 25.0 ± 0.0 (–) | 100.0 ± 0.0 (–) |",
    ]


def test_a_failed_experiment_is_marked_not_averaged_away():
    text = render(Table("t", (Row("a"),), {}), {"a": [_run(0.7), None]}, {})
    assert "| a | 70.0 (–) failed | 50.0 (–) failed |" in text


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name}-{row.label}" for name, row in ROWS])
def test_every_experiment_of_the_grid_has_valid_params(tmp_path, name, row):
    yaml = YAML(typ="safe")
    content = yaml.load(ROOT / "params.yaml")
    for override in row.overrides:
        key, _, value = override.partition("=")
        section = content
        *parents, leaf = key.split(".")
        for parent in parents:
            section = section[parent]
        assert leaf in section
        section[leaf] = yaml.load(value)
    with (tmp_path / "params.yaml").open("w") as stream:
        yaml.dump(content, stream)
    load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_figures_belong_to_rows_of_the_table(name):
    assert set(TABLES[name].paper) <= {row.label for row in TABLES[name].rows}


def test_the_papers_averages_come_out_of_its_figures():
    for fusion, average in (("abs", 83.5), ("sub", 84.3), ("sub2", 85.8), ("sub3", 85.2)):  # table 4, last column
        assert sum(TABLES_2_AND_4[fusion][column] for column in DATASETS) / 4 == pytest.approx(average, abs=0.06)
    for figures, averages in (
        (TABLE_8, {"resnet50": 83.9, "legacy_xception": 81.7, "efficientnet_b4": 89.1}),
        (TABLE_9, {"ocsvm": 81.4, "autoencoder": 80.0, "gmm": 89.1}),
    ):
        for row, average in averages.items():
            assert sum(figures[row].values()) / 3 == pytest.approx(average, abs=0.06)
    for row in TABLE_3.values():  # table 3 prints its own; UNTAG's has nothing else
        figures = [figure for (_, method), figure in row.items() if method != AVERAGE]
        assert not figures or sum(figures) / 4 == pytest.approx(row["ffpp", AVERAGE], abs=0.06)


def test_a_dataset_is_the_papers_only_at_its_quality_and_trained_on_as_there():
    assert [paper_dataset("ffpp", quality) for quality in ("raw", "c0", "c23", "c40", None)] == [
        "ffpp",
        "ffpp",
        "ffpp_c23",
        "ffpp_c40",
        None,
    ]
    assert (paper_dataset("celebdf", None), paper_dataset("manifest", None), paper_dataset("dfdc", None)) == (
        "celebdf",
        None,
        None,
    )
    assert comparable(("celebdf", "all"), "ffpp") and not comparable(("celebdf", "all"), "ffpp_c23")
    assert comparable(("ffpp_c40", "FaceSwap"), "ffpp_c40") and not comparable(("ffpp_c40", "FaceSwap"), "ffpp")
    assert not comparable(("celebdf", "all"), None)

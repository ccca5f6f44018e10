"""The comparison tables: what they say of known results, and that their experiments are valid."""

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from stages.lib.backbone.weights import PACKAGES
from stages.lib.evaluation.detectors import CLASSIFIER, DIFFFAKE
from stages.lib.evaluation.metrics import ALL
from stages.lib.evaluation.tables import TABLES, Row, Run, Table, plot_tables, render
from stages.params import apply_presets, load_params

ROOT = Path(__file__).parents[2]
ROWS = [(name, row) for name, table in TABLES.items() for row in table.rows]


def _run(auc: float | None, *seen: str) -> Run:
    methods = {
        DIFFFAKE.key: {"celebdf": {ALL: auc}, "mine": {ALL: 0.5}},
        CLASSIFIER.key: {"celebdf": {ALL: 0.25}, "mine": {ALL: 1.0}},
    }
    families = {DIFFFAKE.key: {"celebdf": {"swap": 0.9, "animated": auc, ALL: 0.8}, "mine": {"lips": 0.7, ALL: 0.7}}}
    return Run(methods, families, seen)


def test_ours_stands_beside_the_papers_with_dashes_where_it_has_none():
    table = Table("A title", (Row("sub"), Row("other", detector=CLASSIFIER)), {"sub": {("celebdf", ALL): 75.1}})
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


def test_a_table_by_families_has_those_alone():
    table = Table("t", (Row("ours"), Row("other", detector=CLASSIFIER)), {}, families=("animated", "other"))
    text = render(table, {"ours": [_run(0.6)], "other": [_run(0.6)]}, {"celebdf": None, "mine": None})
    assert text.splitlines()[2:] == [
        "|  | celebdf: animated |",
        "| --- | --- |",
        "| ours | 60.0 (–) |",
        "| other | – (–) |",
    ]


@pytest.mark.parametrize("preset", ["", "paper"])
@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=[f"{name}-{row.label}" for name, row in ROWS])
def test_every_experiment_of_the_grid_has_valid_params(tmp_path, row, preset):
    path = Path(shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml"))
    if preset:
        apply_presets([ROOT / f"presets/{preset}.yaml"], path)
    apply_overrides(path, row.overrides)  # as `dvc exp run -S` does
    backbone = load_params(path).backbone
    assert backbone.weights not in PACKAGES or PACKAGES[backbone.weights].network == backbone.name


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_figures_belong_to_rows_of_the_table(name):
    assert set(TABLES[name].paper) <= {row.label for row in TABLES[name].rows}


def test_a_row_whose_network_saw_genuine_fakes_says_so(tmp_path):
    table = Table("t", (Row("a"), Row("b")), {})
    results = {"a": [_run(0.7, "X"), _run(0.8, "Y", "X"), None], "b": [_run(0.7)]}
    labels = [line.split(" | ")[0] for line in render(table, results, {}).splitlines()[4:]]
    assert labels == ["| a (trained on fakes: X, Y)", "| b"]
    pictures = []
    for found in (results, {"a": [_run(0.7), _run(0.8), None], "b": [_run(0.7)]}):
        plot_tables(tmp_path / "plot.png", [table], {"t": found})
        pictures.append((tmp_path / "plot.png").read_bytes())
    assert pictures[0] != pictures[1]

"""The results beside the paper's: which of its tables appear, with which figures, and what the averages are of."""

import pytest

from stages.lib.evaluation.benchmarks import benchmark_plot, benchmark_tables
from stages.lib.evaluation.detectors import OF_PAPER
from stages.lib.evaluation.metrics import ALL


def _found(**auc: float | None) -> dict:
    return {
        detector.key: {method: {"auc": value, "n_real": 4, "n_fake": 6} for method, value in auc.items()}
        for detector in OF_PAPER
    }


def _rows(text: str) -> dict[str, list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in cells}


@pytest.fixture(scope="module")
def cross_manipulation() -> str:
    methods = {"Deepfakes": 0.9, "Face2Face": 0.8, "FaceSwap": 0.7, "NeuralTextures": 0.6}
    return benchmark_tables({"mine": _found(**methods, all=0.75)}, {"mine": "ffpp"}, "ffpp", ["a note"])


def test_the_first_table_averages_over_methods(cross_manipulation):
    assert "| mine | average of methods | 75.0 | 75.0 | 75.0 |" in cross_manipulation.split("## ")[0]


def test_only_the_papers_table_that_the_run_belongs_to_is_shown(cross_manipulation):
    assert [part.splitlines()[0] for part in cross_manipulation.split("## ")[1:]] == [
        "Cross-manipulation (the paper's table 3)"
    ]


def test_notes_come_last(cross_manipulation):
    assert cross_manipulation.endswith("- a note\n")


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("", ["mine: Deepfakes", "mine: Face2Face", "mine: FaceSwap", "mine: NeuralTextures", "average"]),
        ("**DiffFake, here**", ["90.0", "80.0", "70.0", "60.0", "75.0"]),
        ("DiffFake, paper", ["100.0", "99.6", "98.6", "98.9", "99.3"]),
        ("UNTAG, paper", ["–", "–", "–", "–", "81.8"]),
    ],
)
def test_cross_manipulation_stands_beside_table_3(cross_manipulation, row, cells):
    assert _rows(cross_manipulation.split("## ")[1])[row] == cells


@pytest.fixture(scope="module")
def cross_dataset() -> str:
    detail = {"ff": _found(all=0.99), "cdf": _found(all=0.7), "fsh": _found(all=0.8)}
    return benchmark_tables(detail, {"ff": "ffpp", "cdf": "celebdf", "fsh": "faceshifter"}, "ffpp", [])


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("", ["cdf", "fsh", "average"]),
        ("**DiffFake, here**", ["70.0", "80.0", "75.0"]),
        ("DiffFake, paper", ["76.1", "92.5", "84.3"]),
        ("Face X-ray, paper", ["74.8", "–", "–"]),
    ],
)
def test_cross_dataset_shows_the_datasets_that_are_there_and_averages_over_them(cross_dataset, row, cells):
    assert _rows(cross_dataset.split("Cross-dataset")[1])[row] == cells


def test_the_first_table_averages_over_datasets(cross_dataset):
    assert "| average of datasets | all | 83.0 |" in cross_dataset


@pytest.mark.parametrize("trained_on", [None, "celebdf", "ffpp_c23"])
def test_figures_trained_on_something_else_are_not_compared(trained_on):
    text = benchmark_tables({"cdf": _found(all=0.7)}, {"cdf": "celebdf"}, trained_on, [])
    assert "paper" not in text
    assert "| cdf | all | 70.0 |" in text


@pytest.mark.parametrize(
    ("row", "cells"),
    [("", ["q: Deepfakes", "q: FaceSwap", "average"]), ("DiffFake, paper", ["78.5", "58.2", "68.3"])],
)
def test_cross_quality_compares_the_quality_that_was_trained_on(row, cells):
    found = _found(Deepfakes=0.8, FaceSwap=0.6, all=0.7)
    text = benchmark_tables({"q": found}, {"q": "ffpp_c40"}, "ffpp_c40", [])
    assert _rows(text.split("Cross-quality")[1])[row] == cells


def test_a_section_at_frame_level_stands_before_the_notes():
    text = benchmark_tables({"cdf": _found(all=0.7)}, {"cdf": "celebdf"}, "ffpp_c23", ["a note"], "## Frames\n\nx\n")
    assert text.endswith("\n\n## Frames\n\nx\n\n- a note\n")


@pytest.mark.parametrize("line", ["| a | all | – |", "| average of datasets | all | – |"])
def test_a_class_without_videos_is_a_dash_and_no_average(line):
    detail = {"a": _found(**{ALL: None}), "b": _found(**{ALL: 0.7})}
    assert line in benchmark_tables(detail, dict.fromkeys(detail), None, [])


@pytest.mark.parametrize("key", [one.key for one in OF_PAPER])
def test_each_of_the_papers_detectors_is_in_the_picture(tmp_path, key):
    pictures = []
    for auc in (0.7, 0.1):
        found = {one.key: {ALL: {"auc": 0.4, "auc_ci95": None}} for one in OF_PAPER}
        found[key] = {ALL: {"auc": auc, "auc_ci95": None}}
        benchmark_plot(tmp_path / "plot.png", {"a": found}, {"a": None}, None)
        pictures.append((tmp_path / "plot.png").read_bytes())
    assert pictures[0] != pictures[1]


def test_methods_that_were_seen_in_training_are_marked_in_every_table():
    found = _found(Deepfakes=0.9, Face2Face=0.8, all=0.85)
    text = benchmark_tables({"q": found}, {"q": "ffpp_c40"}, "ffpp_c40", [], seen=["Deepfakes"])
    assert "| q | Deepfakes (seen in training) | 90.0 |" in text and "| q | Face2Face | 80.0 |" in text
    assert _rows(text.split("Cross-quality")[1])[""][0] == "q: Deepfakes (seen in training)"


def test_methods_that_were_seen_in_training_are_marked_in_the_picture(tmp_path):
    detail, pictures = {"a": {one.key: {"X": {"auc": 0.4, "auc_ci95": None}} for one in OF_PAPER}}, []
    for seen in ([], ["X"]):
        benchmark_plot(tmp_path / "plot.png", detail, {"a": None}, None, seen)
        pictures.append((tmp_path / "plot.png").read_bytes())
    assert pictures[0] != pictures[1]

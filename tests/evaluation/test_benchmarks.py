"""The results beside the paper's: which of its tables appear, with which figures, and what the averages are of."""

import pytest

from stages.lib.evaluation.benchmarks import benchmark_tables


def _found(**auc: float | None) -> dict:
    return {
        detector: {method: {"auc": value, "n_real": 4, "n_fake": 6} for method, value in auc.items()}
        for detector in ("difffake", "single_frame", "classifier")
    }


def _rows(text: str) -> dict[str, list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in cells}


def test_cross_manipulation_stands_beside_table_3():
    methods = {"Deepfakes": 0.9, "Face2Face": 0.8, "FaceSwap": 0.7, "NeuralTextures": 0.6}
    text = benchmark_tables({"mine": _found(**methods, all=0.75)}, {"mine": "ffpp"}, "ffpp", ["a note"])
    first, table = text.split("## ")
    assert "| mine | average of methods | 75.0 | 75.0 | 75.0 |" in first
    assert table.startswith("Cross-manipulation (the paper's table 3)") and table.rstrip().endswith("- a note")
    rows = _rows(table)
    assert rows[""] == ["mine: Deepfakes", "mine: Face2Face", "mine: FaceSwap", "mine: NeuralTextures", "average"]
    assert rows["**DiffFake, here**"] == ["90.0", "80.0", "70.0", "60.0", "75.0"]
    assert rows["DiffFake, paper"] == ["100.0", "99.6", "98.6", "98.9", "99.3"]
    assert rows["UNTAG, paper"] == ["–", "–", "–", "–", "81.8"]


def test_cross_dataset_shows_the_datasets_that_are_there_and_averages_over_them():
    detail = {"ff": _found(all=0.99), "cdf": _found(all=0.7), "fsh": _found(all=0.8)}
    text = benchmark_tables(detail, {"ff": "ffpp", "cdf": "celebdf", "fsh": "faceshifter"}, "ffpp", [])
    rows = _rows(text.split("Cross-dataset")[1])
    assert rows[""] == ["cdf", "fsh", "average"] and rows["**DiffFake, here**"] == ["70.0", "80.0", "75.0"]
    assert rows["DiffFake, paper"] == ["76.1", "92.5", "84.3"] and rows["Face X-ray, paper"] == ["74.8", "–", "–"]
    assert "| average of datasets | all | 83.0 |" in text


@pytest.mark.parametrize("trained_on", [None, "celebdf", "ffpp_c23"])
def test_figures_trained_on_something_else_are_not_compared(trained_on):
    text = benchmark_tables({"cdf": _found(all=0.7)}, {"cdf": "celebdf"}, trained_on, [])
    assert "paper" not in text and "| cdf | all | 70.0 |" in text


def test_cross_quality_compares_the_quality_that_was_trained_on():
    found = _found(Deepfakes=0.8, FaceSwap=0.6, all=0.7)
    rows = _rows(benchmark_tables({"q": found}, {"q": "ffpp_c40"}, "ffpp_c40", []).split("Cross-quality")[1])
    assert rows[""] == ["q: Deepfakes", "q: FaceSwap", "average"] and rows["DiffFake, paper"] == [
        "78.5",
        "58.2",
        "68.3",
    ]


def test_a_class_without_videos_is_a_dash_and_no_average():
    text = benchmark_tables({"a": _found(all=None), "b": _found(all=0.7)}, {"a": None, "b": None}, None, [])
    assert "| a | all | – |" in text and "| average of datasets | all | – |" in text

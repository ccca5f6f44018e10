"""The paper's tables: what they take of an experiment whose network was trained on genuine fakes."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from stages import paper_tables
from stages.lib.evaluation.choice import Training
from stages.lib.evaluation.tables import Run
from stages.lib.files import write_json
from tests.helpers.params import SHIPPED


@pytest.mark.parametrize(("protocol", "seen"), [({}, []), ({"trained_on_fakes": ["X", "Y"]}, ["X", "Y"])])
def test_an_experiment_says_which_fakes_its_network_was_trained_on(tmp_path, monkeypatch, protocol, seen):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *command, **options: subprocess.CompletedProcess(command, 0))
    contents = {"auc": {"demo": {"all": 0.5}}, "baselines": {"classifier": {}}, "detail": {"protocol": protocol}}
    for name, content in contents.items():
        write_json(Path("metrics", f"{name}.json"), content)
    found = paper_tables._experiment(())
    assert (found.auc["classifier"], found.seen) == ({}, seen)


@pytest.mark.parametrize(
    ("seen", "page"), [([], "a page\n"), (["Y", "X"], "a page\n\nThe network was trained on fakes: X, Y.\n")]
)
def test_the_page_of_choices_says_it_too(tmp_path, monkeypatch, seen, page):
    monkeypatch.chdir(tmp_path)
    given = {
        "_left_as_it_was": nullcontext,
        "_experiment": lambda overrides: Run({}, seen),
        "load_params": lambda: SHIPPED,
        "_trained": lambda params, fusion: Training(None, {}, {}, {}),
        "choose": lambda runs, seed: None,
        "choice_page": lambda choice, runs, seed, command: "a page\n",
    }
    for name, stand_in in given.items():
        monkeypatch.setattr(paper_tables, name, stand_in)
    monkeypatch.setattr(sys, "argv", ["paper_tables", "--choose"])
    paper_tables._choose(paper_tables._parse(), SHIPPED)
    assert Path("metrics/choice.md").read_text() == page

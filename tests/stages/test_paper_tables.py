"""The tables: presets as overrides, what an experiment gives, and the table of the systems without what they cost."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest
from dvc.utils.hydra import apply_overrides

from stages import experiments, paper_tables
from stages.experiments import overrides_of_preset
from stages.lib.datasets.settings import DatasetSettings
from stages.lib.errors import InputError
from stages.lib.evaluation.choice import Training
from stages.lib.evaluation.tables import TABLES, Run
from stages.lib.files import write_json, write_text
from stages.lib.systems.registry import SYSTEMS
from stages.paper_tables import wanted_tables
from stages.params import apply_presets, load_params
from tests.helpers import pipeline
from tests.helpers.params import SHIPPED

ROOT = Path(__file__).parents[2]
GUIDED = SHIPPED.model_copy(update={"guidance": SHIPPED.guidance.model_copy(update={"weights": "inputs/sd"})})


@pytest.mark.parametrize(("protocol", "seen"), [({}, []), ({"trained_on_fakes": ["X", "Y"]}, ["X", "Y"])])
def test_an_experiment_says_which_fakes_its_network_was_trained_on(tmp_path, monkeypatch, protocol, seen):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *command, **options: subprocess.CompletedProcess(command, 0))
    contents = {
        "auc": {"demo": {"all": 0.5}},
        "baselines": {"classifier": {}},
        "families": {},
        "detail": {"protocol": protocol},
    }
    for name, content in contents.items():
        write_json(Path("metrics", f"{name}.json"), content)
    found = experiments._experiment(())
    assert (found.methods["classifier"], found.seen) == ({}, seen)


def test_no_experiment_keeps_what_another_changed(tmp_path, monkeypatch):
    """By DVC itself, which leaves in params.yaml what -S changed."""
    results = {"auc": {}, "baselines": {}, "families": {}, "detail": {"protocol": {}}}
    for name, content in results.items():
        write_json(tmp_path / "results" / f"{name}.json", content)
    (tmp_path / "params.yaml").write_text("a: 0\nb: 0\n")
    stage = {"cmd": "cp -r results metrics && cat params.yaml >> ran.txt", "params": ["a", "b"], "outs": ["metrics"]}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"evaluate": stage}}))
    who = ("git config user.name t", "git config user.email t@t")
    for command in ("git init -q", *who, "dvc init -q", "git add .", "git commit -qm start"):
        pipeline.run(tmp_path, *command.split())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{pipeline.BIN}:{os.environ['PATH']}")
    with experiments.experiments() as run_experiment:
        assert run_experiment(("a=1",)) and run_experiment(("b=1",))
    assert Path("ran.txt").read_text() == "a: 1\nb: 0\na: 0\nb: 1\n"
    assert Path("params.yaml").read_text() == "a: 0\nb: 0\n"


@pytest.mark.parametrize(
    ("seen", "page"), [([], "a page\n"), (["Y", "X"], "a page\n\nThe network was trained on fakes: X, Y.\n")]
)
def test_the_page_of_choices_says_it_too(tmp_path, monkeypatch, seen, page):
    monkeypatch.chdir(tmp_path)
    given = {
        "experiments": lambda: nullcontext(lambda overrides: Run({}, {}, seen)),
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


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_after_another_is_what_it_is(tmp_path, system):
    """Whatever makes a system itself is in its preset, or else as it was before any."""
    alone, after = (Path(shutil.copyfile(ROOT / "params.yaml", tmp_path / name)) for name in ("a.yaml", "b.yaml"))
    apply_presets([ROOT / f"presets/{system}.yaml"], alone)
    apply_presets([ROOT / f"presets/{name}.yaml" for name in ("diffusionfake", system)], after)
    assert load_params(after).guidance.is_on == load_params(alone).guidance.is_on
    assert load_params(after).train.system == load_params(alone).train.system


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_presets_overrides_change_what_the_preset_does(tmp_path, system):
    path, other = (Path(shutil.copyfile(ROOT / "params.yaml", tmp_path / name)) for name in ("params.yaml", "b.yaml"))
    apply_presets([ROOT / f"presets/{system}.yaml"], path)
    apply_overrides(other, overrides_of_preset(ROOT / f"presets/{system}.yaml", ()))  # as `dvc exp run -S` does
    assert load_params(other) == load_params(path)


def test_what_is_given_counts_whatever_a_preset_says(tmp_path):
    given = ("train.epochs=9", "synthesis.donors=0.5", "seed=3")
    path = Path(shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml"))
    apply_overrides(path, overrides_of_preset(ROOT / "presets/face_xray.yaml", given))
    params = load_params(path)
    assert (params.train.epochs, params.synthesis.donors, params.seed, params.train.system) == (
        9,
        0.5,
        3,
        "face_xray",
    )


def test_what_an_experiment_adds_to_the_metrics_does_not_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "metrics/auc.json"):
        write_text(tmp_path / name, "before")
    with experiments.experiments():
        write_text(tmp_path / "metrics/auc.json", "after")
        write_text(tmp_path / "metrics/train/guidance.png", "after")
    assert {path.name: path.read_text() for path in (tmp_path / "metrics").rglob("*")} == {"auc.json": "before"}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The folder after ``--only systems`` of two, of which one fails; experiments are only noted."""
    (tmp_path / ".git").mkdir()
    shutil.copy2(ROOT / "params.yaml", tmp_path)
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    ran = []

    def experiment(overrides: tuple[str, ...]) -> Run | None:
        ran.append(overrides)
        return None if "train.system=srm" in overrides else Run({}, {})

    rows = [("a", "real", "", "p", "", 0.0), ("b", "real", "", "q", "", 1.0), ("a1", "fake", "swap", "p", "a", 0.5)]
    videos = pd.DataFrame(rows, columns=["video_id", "label", "family", "person", "original", "score"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "_experiment", experiment)
    monkeypatch.setattr(paper_tables, "_scores", lambda system, datasets: dict.fromkeys(datasets, videos))
    monkeypatch.setattr(sys, "argv", ["t", "--only", "systems", "--systems", "srm", "pcl", "-S", "seed=1"])
    with pytest.raises(InputError, match=r"1 of 3 systems failed \(srm\)"):
        paper_tables.main()
    return tmp_path, ran


def test_the_table_of_systems_has_what_ran(table):
    found = json.loads((table[0] / "metrics/systems.json").read_text())["demo"]
    assert list(found) == ["difffake", "pcl"] and found["pcl"]["swap"] == found["pcl"]["all"] == 0.5


def test_the_table_of_systems_says_what_did_not_run_and_how_it_was_made(table):
    page = (table[0] / "metrics/systems.md").read_text()
    command = "`python -m stages.paper_tables --only systems --systems srm pcl -S seed=1`"
    assert "| srm | its experiment failed; what it printed says why |" in page and command in page


def test_every_system_is_run_with_what_is_given(table):
    assert [overrides[-2:] for overrides in table[1]] == [("seed=1", "guidance.weights=none")] * 3


@pytest.mark.parametrize(
    "key", ["train.system=none", "~synthesis.schemes", "scoring.evidence=[pairs]", "anomaly_model.kind=flow"]
)
def test_what_makes_a_system_itself_is_not_given_to_all(table, monkeypatch, key):
    monkeypatch.setattr(sys, "argv", ["t", "--only", "systems", "-S", key])
    monkeypatch.setattr(paper_tables, "with_overrides", lambda overrides: SHIPPED)
    with pytest.raises(InputError, match=f"-S {key.strip('~').partition('=')[0]} would make systems others than they"):
        paper_tables.main()


@pytest.mark.parametrize(
    ("preset", "why"),
    [
        ("pcl", r"train.system is pcl, scoring.evidence is without pairs"),
        ("gend", "train.loss is gend"),
        ("sbi", "scoring.evidence is without pairs"),
    ],
)
def test_another_systems_settings_are_not_called_difffake(table, monkeypatch, preset, why):
    apply_presets([ROOT / f"presets/{preset}.yaml"])
    for command in (["t", "--only", "systems"], ["t", "--only", "fusion"]):
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(InputError, match=f"but params.yaml is another system's \\({why}\\)"):
            paper_tables.main()


def test_what_is_given_must_fit(table, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["t", "--only", "fusion", "-S", "fusion=none"])
    with pytest.raises(InputError, match="^params.yaml, with what -S gives: fusion: found 'none'"):
        paper_tables.main()


@pytest.mark.parametrize("extra", [["--only", "fusion"], ["--systems", "pcl"], ["--folds", "3"]])
def test_a_choice_is_made_alone(table, monkeypatch, extra):
    monkeypatch.setattr(sys, "argv", ["t", "--choose", *extra])
    with pytest.raises(InputError, match="--choose is a page of its own"):
        paper_tables.main()


@pytest.mark.parametrize(("folds", "known"), [(1, {"ffpp": "ffpp"}), (3, {})])
def test_a_fold_stands_beside_no_figure_of_the_paper(folds, known):
    ffpp = DatasetSettings(layout="ffpp", root="inputs/ffpp", quality="c0")
    cross_validation = SHIPPED.cross_validation.model_copy(update={"folds": folds})
    changes = {"datasets": {"ffpp": ffpp}, "train_dataset": "ffpp", "cross_validation": cross_validation}
    assert paper_tables._paper_datasets(SHIPPED.model_copy(update=changes)) == known


def test_guidance_is_given_to_diffusionfake_alone():
    given = ["guidance.weights=sd", "guidance.size=64", "seed=1"]
    assert paper_tables._without_guidance(given) == ["seed=1", "guidance.weights=none"]


def test_systems_without_their_table_are_an_error(table, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["t", "--only", "fusion", "--systems", "pcl"])
    with pytest.raises(InputError, match="--systems says which systems `--only systems` runs; give both, or neither"):
        paper_tables.main()


def test_a_system_that_is_its_network_is_not_run_with_another(table, monkeypatch):
    command = ["t", "--only", "systems", "--systems", "mesonet", "pcl", "-S", "backbone.name=resnet18"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(InputError, match=r"1 of 3 systems failed \(mesonet\)"):
        paper_tables.main()
    assert (
        "| mesonet | its network is what it is, and -S backbone.name gives another |"
        in (table[0] / "metrics/systems.md").read_text()
    )


def test_params_are_as_they_were_after_the_table(table):
    assert (table[0] / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_guidances_table_is_left_out_without_its_weights():
    assert wanted_tables(None, SHIPPED) == [name for name in TABLES if name != "guidance"]


def test_with_its_weights_guidances_table_is_among_all():
    assert wanted_tables(None, GUIDED) == list(TABLES)


def test_guidances_table_without_its_weights_is_an_error():
    with pytest.raises(InputError) as error:
        wanted_tables(["fusion", "guidance"], SHIPPED)
    assert str(error.value) == (
        "--only names guidance, but guidance.weights is 'none'; set it to Stable Diffusion's weights "
        "(docs/guidance.md), or give -S guidance.weights=FOLDER"
    )


def test_the_tables_that_are_named_are_made():
    assert wanted_tables(["fusion"], SHIPPED) == ["fusion"]

"""dvc.yaml against the code: names, declared modules, and what is imported where."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from stages.lib.ledger import INFRASTRUCTURE, source_files
from stages.lib.settings import Settings
from stages.params import Params

ROOT = Path(__file__).parents[2]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


def test_stages_are_the_designs():
    per_dataset = {name for name, stage in PIPELINE["stages"].items() if "foreach" in stage}
    assert list(STAGES) == [
        "make_demo",
        "index_videos",
        "extract_frames",
        "crop_faces",
        "synthesize_fakes",
        "train_backbone",
        "embed_faces",
        "fuse_pairs",
        "fit_anomaly_model",
        "score_videos",
        "calibrate",
        "evaluate",
    ]
    assert per_dataset == {"index_videos", "extract_frames", "crop_faces", "embed_faces", "fuse_pairs", "score_videos"}


def _imports(module: str) -> set[str]:
    """The project's own modules that a file imports, as paths, through all levels but those of infrastructure.

    (config takes the names of fusions, schemes and anomaly models from their registries, to check params by.)
    """
    found, queue = set(), [module]
    while queue:
        path = queue.pop()
        if path in found:
            continue
        found.add(path)
        if path in INFRASTRUCTURE:
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            names = (
                [node.module]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            queue += [f"{name.replace('.', '/')}.py" for name in names if name and name.startswith("stages.")]
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_modules_it_imports(name):
    declared = {dep for dep in STAGES[name]["deps"] if dep.endswith(".py")}
    assert declared == _imports(f"stages/{name}.py") - INFRASTRUCTURE
    assert source_files(f"stages/{name}.py") == declared  # what a ledger's entries hold for


# A stage that always runs need not declare what it reads (and DVC takes the dot of a dataset's name for a nested key).
@pytest.mark.parametrize("name", [name for name, stage in STAGES.items() if not stage.get("always_changed")])
def test_a_stage_reads_only_the_params_it_declares(name):
    tree = ast.parse((ROOT / f"stages/{name}.py").read_text(encoding="utf-8"))
    read = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base = node.value
            called = isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "load_params"
            if called or (isinstance(base, ast.Name) and base.id == "params"):
                read.add(node.attr)
    assert read == {param.split(".")[0] for param in STAGES[name].get("params", [])}


@pytest.mark.parametrize("name", STAGES)
def test_a_stages_command_names_every_path_it_declares(name):
    stage = STAGES[name]
    outs = [
        next(iter(out)) if isinstance(out, dict) else out
        for kind in ("outs", "metrics", "plots")
        for out in stage.get(kind, [])
    ]
    data = [dep for dep in stage["deps"] if not dep.endswith(".py")]
    for path in outs + data:
        parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
        assert any(f" {parent}" in stage["cmd"] or f'"{parent}"' in stage["cmd"] for parent in parents), path


@pytest.mark.parametrize("name", ["fuse_pairs", "fit_anomaly_model", "score_videos", "calibrate", "evaluate"])
def test_nothing_after_embedding_imports_torch(name):
    code = f"import sys, stages.{name}, stages.lib.anomaly as a; a._skops_io(); sys.exit(bool({{'torch', 'timm'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def _settings(section: type[Settings] = Params, prefix: str = "") -> list[str]:
    """Every key of params.yaml, by its path."""
    keys = []
    for name, field in section.model_fields.items():
        inner = get_args(field.annotation)[1] if name == "datasets" else field.annotation
        is_section = isinstance(inner, type) and issubclass(inner, Settings)
        keys += _settings(inner, f"{prefix}{name}.") if is_section else [f"{prefix}{name}"]
    return keys


@pytest.mark.parametrize("key", _settings())
def test_every_setting_is_read_and_documented(key):
    """A parameter that nothing reads is a defect. What each does is tested where it acts."""
    code = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in (ROOT / "stages").rglob("*.py")
        if path.name != "config.py"
    ]
    read = {node.attr for tree in code for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    templated = set(re.findall(r"\$\{(?:item\.)?(\w+)\}", (ROOT / "dvc.yaml").read_text(encoding="utf-8")))
    name = key.rpartition(".")[2]
    assert name in read | templated
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## params.yaml")[1].split("\n## ")[0]
    named = [
        part
        for line in table.splitlines()
        if line.startswith("|")
        for part in re.findall(r"`([^`]+)`", line.split("|")[1])
    ]
    assert name in {part.rpartition(".")[2] for part in named}


def test_execution_settings_are_no_params():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    keys = [line.split(":")[0].strip() for line in text.splitlines() if ":" in line and not line.startswith("#")]
    assert not {"workers", "n_jobs", "device", "num_workers", "scheduler"} & set(keys)

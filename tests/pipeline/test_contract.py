"""dvc.yaml against the code: names, declared modules, and what is imported where."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.lib.ledger import is_infrastructure, source_files
from stages.params import Params, described_keys

ROOT = Path(__file__).parents[2]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
AFTER_EMBEDDING = ("fuse_pairs", "fit_anomaly_model", "score_videos", "calibrate", "evaluate")
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


def test_another_fold_decodes_and_crops_nothing_anew():
    assert not any("cross_validation" in STAGES[name].get("params", []) for name in ("extract_frames", "crop_faces"))
    assert "cross_validation" in STAGES["synthesize_fakes"]["params"]


def test_stages_are_the_designs():
    per_dataset = {name for name, stage in PIPELINE["stages"].items() if "foreach" in stage}
    assert list(STAGES) == [
        "make_demo",
        "index_videos",
        "extract_frames",
        "crop_faces",
        "crop_photos",
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


def declared_code(name: str) -> set[str]:
    """The modules and packages of the project that a stage depends on in dvc.yaml."""
    return {dep for dep in STAGES[name]["deps"] if dep.startswith("stages/")}


def is_covered(module: str, declared: set[str]) -> bool:
    return bool(declared & {module, *(str(parent) for parent in Path(module).parents)})


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_modules_it_imports(name):
    missing = [module for module in source_files(f"stages/{name}.py") if not is_covered(module, declared_code(name))]
    assert missing == []


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_no_code_that_it_does_not_import(name):
    modules = source_files(f"stages/{name}.py")
    assert [one for one in declared_code(name) if not any(is_covered(module, {one}) for module in modules)] == []


@pytest.mark.parametrize("name", STAGES)
def test_a_declared_package_is_used_as_a_whole(name):
    """Else an edited module that the stage doesn't import would run it again; `datasets` is index_videos' own."""
    modules = source_files(f"stages/{name}.py")
    packages = [ROOT / one for one in declared_code(name) if (ROOT / one).is_dir()]
    in_packages = [str(path.relative_to(ROOT)) for package in packages for path in package.rglob("*.py")]
    unused = {path for path in in_packages if path not in modules and not is_infrastructure(path)}
    of_others = {"stages/lib/datasets/folds.py", "stages/lib/datasets/roles.py"}
    assert unused - (of_others if name == "index_videos" else set()) == set()


def test_a_new_layout_reruns_only_the_indexing():
    layout = "stages/lib/datasets/layouts/new.py"
    assert [name for name in STAGES if is_covered(layout, declared_code(name))] == ["index_videos"]


def test_dvc_hashes_neither_compiled_modules_nor_settings():
    ignored = (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()
    assert {"__pycache__/", "stages/lib/*/settings.py"} <= set(ignored)


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


def test_nothing_after_embedding_imports_torch():
    stages = ", ".join(f"stages.{name}" for name in AFTER_EMBEDDING)
    load = "from stages.lib.anomaly.files import load_anomaly_models; from pathlib import Path"
    code = f"import sys, {stages}; {load}\ntry: load_anomaly_models(Path('params.yaml'))\nexcept ValueError: pass\n"
    code += "sys.exit(bool({'torch', 'timm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


DESCRIPTIONS = dict(described_keys(Params))


@pytest.fixture(scope="module")
def names_read() -> set[str]:
    """Every attribute that the code reads, and what dvc.yaml takes from params.yaml."""
    code = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in (ROOT / "stages").rglob("*.py")
        if path.name != "settings.py"
    ]
    read = {node.attr for tree in code for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return read | set(re.findall(r"\$\{(?:item\.)?(\w+)\}", (ROOT / "dvc.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("key", DESCRIPTIONS)
def test_every_setting_is_read(key, names_read):
    """A parameter that nothing reads is a defect. What each does is tested where it acts."""
    assert key.rpartition(".")[2] in names_read


@pytest.mark.parametrize("key", DESCRIPTIONS)
def test_every_setting_has_a_description(key):
    assert len(DESCRIPTIONS[key]) > 5


def test_execution_settings_are_no_params():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    keys = [line.split(":")[0].strip() for line in text.splitlines() if ":" in line and not line.startswith("#")]
    assert not {"workers", "n_jobs", "device", "num_workers", "scheduler"} & set(keys)

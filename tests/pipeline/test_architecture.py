"""The import rule of docs/architecture.md: what each package of the library may import."""

import ast
import importlib
from pathlib import Path

import pytest

from stages.lib.ledger import imported_modules

ROOT = Path(__file__).parents[2]
LIB = ROOT / "stages/lib"
GROUND = "ground"
# From the ground up; a package imports what is below its floor, and nothing of its own floor.
FLOORS = (
    {GROUND},
    {"datasets", "demo", "frames", "faces", "photos", "pairs", "anomaly"},
    {"pseudo_fakes", "calibration", "systems", "guidance"},
    {"backbone", "evaluation"},
    {"detection"},
    {"stages"},
)
MODULES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "stages").rglob("*.py") if path.name != "__init__.py")
LIBRARY = [module for module in MODULES if module.startswith("stages/lib/")]
MAY_IMPORT_TORCH = {
    "stages/lib/runtime.py",  # the device picker
    *(f"stages/lib/anomaly/{name}.py" for name in ("fitting", "flow", "learned_fusion", "networks")),
}
TORCH = {"torch", "torchvision", "timm", "safetensors", "zuko", "diffusers"}


def package_of(module: str) -> str:
    """The package of a module of the library, ``ground`` for those that stand in none, ``stages`` for all above."""
    parts = Path(module).parts
    if parts[:2] != ("stages", "lib"):
        return "stages"
    return parts[2] if len(parts) > 3 else GROUND


def floor_of(package: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if package in floor)


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")))
def test_what_a_benchmark_measures_is_still_there(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_every_package_has_a_floor():
    assert {package_of(module) for module in MODULES} == set().union(*FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_down(module):
    own = package_of(module)
    wrong = [
        f"{module} imports {imported}"
        for imported in imported_modules(module)
        if package_of(imported) != own and floor_of(package_of(imported)) >= floor_of(own)
    ]
    assert wrong == []


def test_no_circle_of_modules():
    left = {module: imported_modules(module) & set(MODULES) for module in MODULES}
    while free := {module for module, imports in left.items() if not imports & set(left)}:
        left = {module: imports for module, imports in left.items() if module not in free}
    assert sorted(left) == [], "these import each other"


def test_packages_re_export_nothing():
    assert [str(path) for path in LIB.rglob("__init__.py") if imported_names(path)] == []


def imported_names(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("module", LIBRARY)
def test_pytorch_stays_in_its_place(module):
    if package_of(module) not in ("backbone", "systems", "guidance") and module not in MAY_IMPORT_TORCH:
        assert imported_names(ROOT / module) & TORCH == set()


@pytest.mark.parametrize("module", LIBRARY)
def test_no_import_for_types_alone(module):
    """Such an import hides a circle. (What annotates with NumPy alone may import it so.)"""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    names = {name for guard in guarded for node in guard.body for name in ast.unparse(node).split()}
    assert not any(name.startswith("stages") for name in names)


@pytest.mark.parametrize("module", LIBRARY)
def test_the_library_reads_neither_params_nor_arguments(module):
    assert not {"argparse", "ruamel"} & imported_names(ROOT / module)

"""Experiments of DVC in this folder, as ``make tables`` runs them, which leave everything as it was."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from stages.lib.errors import InputError
from stages.lib.evaluation.detectors import DEFAULT
from stages.lib.evaluation.tables import Run
from stages.params import PARAMS, Params, load_params

METRICS, DATA, MODELS = Path("metrics"), Path("data"), Path("models")
Overrides = tuple[str, ...]  # of params, as `dvc exp run -S` takes them


def keys_of(overrides: Iterable[str]) -> list[str]:
    """The keys that overrides change."""
    return [override.partition("=")[0].lstrip("+~") for override in overrides]


def with_overrides(overrides: Sequence[str]) -> Params:
    """params.yaml as experiments with these overrides find it. Raises :class:`InputError` for what doesn't fit."""
    if not overrides:
        return load_params()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(PARAMS, folder))
        apply_overrides(path, list(overrides))
        try:
            return load_params(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), f"{PARAMS}, with what -S gives")) from error


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


@contextmanager
def experiments() -> Iterator[Callable[[Overrides], Run | None]]:
    """Give what runs an experiment. Each starts from params.yaml as it is now: DVC leaves there what -S changes.

    Put params.yaml, dvc.lock, metrics and, from DVC's cache, data and models back when the body ends.
    """
    kept = [path for path in (PARAMS, Path("dvc.lock"), METRICS) if path.exists()]
    with tempfile.TemporaryDirectory() as folder:
        for path in kept:
            _copy(path, Path(folder) / path)

        def experiment(overrides: Overrides) -> Run | None:
            _copy(Path(folder) / PARAMS, PARAMS)
            return _experiment(overrides)

        try:
            yield experiment
        finally:
            shutil.rmtree(METRICS, ignore_errors=True)  # what an experiment added there is not the run's before
            for path in kept:
                _copy(Path(folder) / path, path)
            checkout = ["dvc", "checkout", "--quiet", "--force"]
            if Path("dvc.lock").exists() and subprocess.run(checkout, check=False).returncode:
                print(
                    f"{DATA}/ and {MODELS}/ are not all as they were: DVC's cache lacks some of it (above), and what "
                    "stands there may be of the last experiment; run `dvc repro`",
                    file=sys.stderr,
                )


def _experiment(overrides: Overrides) -> Run | None:
    """Run one experiment; None where it failed (DVC has printed why)."""
    settings = [part for override in overrides for part in ("-S", override)]
    print(f"\n== dvc exp run {' '.join(overrides)}", flush=True)
    if subprocess.run(["dvc", "exp", "run", *settings, "evaluate"], check=False).returncode:
        return None
    auc, baselines, found, detail = (
        json.loads((METRICS / f"{name}.json").read_text()) for name in ("auc", "baselines", "families", "detail")
    )
    families: dict[str, dict[str, dict[str, float | None]]] = {}
    for dataset, of in found.items():
        for name, groups in of.items():
            families.setdefault(DEFAULT.key if name == "default" else name, {})[dataset] = groups
    return Run({DEFAULT.key: auc, **baselines}, families, detail["protocol"].get("trained_on_fakes", []))


def overrides_of_preset(preset: Path, given: Sequence[str]) -> Overrides:
    """What a preset changes, as overrides of params; what is ``given`` counts instead."""
    keys, overrides = keys_of(given), []
    for section, values in YAML(typ="safe").load(preset).items():
        for name, value in values.items() if isinstance(values, dict) else [("", values)]:
            key = f"{section}.{name}" if name else section
            if key not in keys:
                # A list can't be written over a mapping (synthesis.schemes).
                text = str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "").replace("'", "")
                overrides += [f"~{key}", f"+{key}={text}"] if isinstance(value, (list, dict)) else [f"{key}={text}"]
    return (*overrides, *given)

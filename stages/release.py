"""release: make of a run's models a folder that can be given away.

    make release NAME=people-1        # or python -m stages.release --name people-1, in the run that trained them

The network's weights are stored in half precision, and what comes after them is made anew with these: the graph's own
commands, from ``embed_faces`` on, over the run's faces. ``released/NAME/about.yaml``, written by hand, says what the
models were made of; the run's measurements become the card (``released/NAME/README.md``; of the project's own release
docs/model-card.md too). Equal runs give equal bytes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from dvc.repo import Repo
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.cli import run
from stages.lib.anomaly.files import load_anomaly_models, save_anomaly_models
from stages.lib.calibration.bundle import (
    ANOMALY_MODEL,
    BACKBONE,
    CALIBRATION,
    CARD,
    RELEASED,
    Release,
    model_files,
    read_calibration,
)
from stages.lib.errors import InputError
from stages.lib.evaluation.card import ABOUT, About, model_card
from stages.lib.files import atomic_folder, write_json, write_text

# What follows the network, in order. What comes before it is taken from the run as it is.
AFTER_TRAINING = ("embed_faces", "fuse_pairs", "fit_anomaly_model", "score_videos", "calibrate", "evaluate")
_TAKEN = ("params.yaml", "inputs", "data/index", "data/frames", "data/faces")
CARD_IN_DOCS = Path("docs/model-card.md")


def _read_about(path: Path) -> About:
    """The checked content of an ``about.yaml``. Raises :class:`InputError` for a missing file and any other content."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; write it first: it holds {', '.join(About.model_fields)}")
    try:
        return About.model_validate(YAML(typ="safe").load(path))
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{path}: {where}: {first['msg']}; correct it") from error


def _commands() -> list[str]:
    """The graph's commands after training, in an order in which they can run."""
    with Repo() as repo:
        stages = {stage.name: stage.cmd for stage in repo.index.stages if stage.name}
    return [cmd for name in AFTER_TRAINING for one, cmd in sorted(stages.items()) if one.split("@")[0] == name]


def _lay_out(work: Path) -> None:
    """Links in ``work`` to what is taken of the run, and its weights in half precision."""
    from stages.lib.backbone.checkpoint import load_backbone, save_backbone  # seconds of PyTorch

    for name in map(Path, _TAKEN):
        if name.exists():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).symlink_to(name.resolve())
    model, architecture = load_backbone(Path("models") / BACKBONE, "cpu")
    save_backbone(work / "models" / BACKBONE, model.half(), architecture)


def _anonymise(path: Path) -> None:
    """Number the real videos that an anomaly model holds others against: their names may be people's."""
    models = load_anomaly_models(path)
    names = tuple(f"{at:05}" for at in range(len(models.reference.video_ids)))
    save_anomaly_models(path, replace(models, reference=replace(models.reference, video_ids=names)))


def release(name: str) -> Path:
    """Make ``released/NAME`` and its card of the run in this folder; returns the folder.

    Raises :class:`InputError` where the run isn't whole, or ``about.yaml`` is missing or wrong.
    """
    folder = RELEASED / name
    about = _read_about(folder / ABOUT)
    missing = [one for one in (*_TAKEN[2:], f"models/{BACKBONE}") if not Path(one).exists()]
    if missing:
        raise InputError(f"no {', '.join(missing)} here: a release is made of a whole run; run `dvc repro` first")
    # On the CPU, where the same inputs give the same bytes, and by this very Python.
    path = os.pathsep.join([str(Path(sys.executable).absolute().parent), os.environ["PATH"]])
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "DIFFFAKE_DEVICE": "cpu", "PATH": path}
    with tempfile.TemporaryDirectory(prefix="release-", dir=Path("models")) as temporary:
        work = Path(temporary)
        _lay_out(work)
        for command in _commands():
            print(f"> {command}", flush=True)
            subprocess.run(command, shell=True, cwd=work, env=environment, check=True)
        models, metrics = work / "models", work / "metrics"
        _anonymise(models / ANOMALY_MODEL)
        calibration = read_calibration(models / CALIBRATION)
        calibration = calibration.model_copy(
            update={
                "release": Release(name=name, summary=about.summary, card=(folder / CARD).as_posix()),
                "files": model_files(models, calibration.faces.landmarks),
            }
        )
        measured = [json.loads((metrics / f"{one}.json").read_bytes()) for one in ("detail", "calibration")]
        card = model_card(name, about, calibration, *measured)
        with atomic_folder(folder) as made:
            shutil.copytree(folder, made, dirs_exist_ok=True)  # about.yaml, and what else its makers put there
            for model in (BACKBONE, ANOMALY_MODEL):
                shutil.copyfile(models / model, made / model)
            write_json(made / CALIBRATION, calibration.model_dump())
            write_text(made / CARD, card)
    # The docs have the card of the release that comes with the project.
    if not CARD_IN_DOCS.is_file() or CARD_IN_DOCS.read_text(encoding="utf-8").startswith(f"# Model card: {name}\n"):
        write_text(CARD_IN_DOCS, card)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the release: a folder below released/ with its about.yaml")
    folder = release(parser.parse_args().name)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB; {folder / CARD} is its card")


if __name__ == "__main__":
    run(main)

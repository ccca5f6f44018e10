"""A copy of the repository with tiny settings and a messy dataset, run by DVC, for the tests of the pipeline."""

import csv
import importlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.helpers.videos import face_frames, noise_frames, portrait, write_video

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PATIENCE_S = 900  # for one command; the longest takes a quarter of that, so one that hangs fails its test

NAMES = {
    "good.mp4": ("real", "train"),
    "good val.mp4": ("real", "val"),
    "лица/Zoë, 2.mp4": ("real", "test"),
    "short.mp4": ("fake", "test"),
    "two people.mp4": ("fake", "test"),
    "odd size.avi": ("fake", "test"),
    "no face.mp4": ("fake", "test"),
    "few faces.mp4": ("real", "test"),
    "empty.mp4": ("real", "test"),
    "text.mp4": ("fake", "test"),
    "cut.avi": ("real", "test"),
    "gone.mp4": ("real", "test"),
}


def messy_dataset(root: Path) -> None:
    """A manifest folder with one video of each kind of trouble."""
    two = [np.hstack([frame, np.full((240, 80, 3), 90, np.uint8)]) for frame in face_frames(30)]
    for frame in two:
        frame[20:100, 320:400] = portrait()[60:220:2, 140:300:2]
    write_video(root / "good.mp4", face_frames(30))
    write_video(root / "good val.mp4", face_frames(26))
    write_video(root / "лица/Zoë, 2.mp4", face_frames(30))
    write_video(root / "short.mp4", face_frames(6))
    write_video(root / "two people.mp4", two)
    write_video(root / "odd size.avi", [frame[:239, :319] for frame in face_frames(20)], codec="MJPG", backend=2200)
    write_video(root / "no face.mp4", noise_frames(20))
    write_video(root / "few faces.mp4", face_frames(4) + noise_frames(26))
    (root / "empty.mp4").write_bytes(b"")
    (root / "text.mp4").write_text("not a video\n" * 100)
    whole = write_video(root / "whole.avi", face_frames(60), codec="MJPG")
    (root / "cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    whole.unlink()
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "split"])
        writer.writerows([name, *row] for name, row in NAMES.items())


def run(folder: Path, *command: str, workers: int = 2, check: bool = True) -> subprocess.CompletedProcess:
    environment = os.environ | {
        "DIFFFAKE_WORKERS": str(workers),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    environment |= {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done


def change_params(folder: Path, change) -> None:
    yaml, path = YAML(), folder / "params.yaml"
    content = yaml.load(path)
    change(content)
    yaml.dump(content, path)


def small_network(params) -> None:
    """A network of a few layers from scratch, without what it is too small for; scores as the paper has them."""
    params["backbone"].update(name="test_resnet", weights="none", input_size=64)
    params["train"].update(epochs=1, patch=0, boundary=0.0, average=0.0)
    params["anomaly_model"].update(pca=0)
    params["scoring"].update(side="upper", evidence=["pairs"])


def tiny(params) -> None:
    params["demo"].update(train_people=2, val_people=3, test_people=2, min_frames=24, max_frames=26)
    params["frames"].update(per_video=8)
    params["synthesis"].update(variants=1)
    small_network(params)
    params["train"].update(batch_size=8)
    params["pairs"].update(per_video=6, train_per_video=20, min_faces=4)
    params["datasets"]["messy"] = {"layout": "manifest", "root": "inputs/messy"}


def clone(to: Path) -> Path:
    files = run(ROOT, "git", "ls-files", "-co", "--exclude-standard").stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "dvc.lock")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    messy_dataset(to / "inputs/messy")
    change_params(to, tiny)
    return to


def run_pipeline(folder: Path, workers: int = 2) -> Path:
    """A :func:`clone` as a repository of its own, after `dvc repro`."""
    clone(folder)
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "start")
    run(folder, "dvc", "repro", workers=workers)
    return folder


AFTER_FACES = (
    *("synthesize_fakes", "train_backbone", "embed_faces", "fuse_pairs", "fit_anomaly_model", "score_videos"),
    *("calibrate", "evaluate"),
)


def demo_without_videos(ran: Path, folder: Path) -> Path:
    """A folder whose demo has been cropped as ``ran``'s, to go on from by :func:`run_stages`."""
    shutil.copy2(ran / "params.yaml", folder)
    for name in ("index", "frames", "faces"):
        (folder / "data" / name).mkdir(parents=True)
        for path in (ran / "data" / name).glob("demo*"):
            (folder / "data" / name / path.name).symlink_to(path)
    (folder / "data/photos").symlink_to(ran / "data/photos")
    change_params(folder, lambda params: params["datasets"].pop("messy"))
    return folder


def run_stages(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The graph's own commands after cropping, on the demo, in this process."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    patch.chdir(folder)
    patch.setenv("DIFFFAKE_WORKERS", "1")
    for name in AFTER_FACES:
        command = stages[name].get("do", stages[name])["cmd"]
        command = command.replace("${key}", "demo").replace("${train_dataset}", "demo")
        patch.setattr(sys, "argv", shlex.split(command)[2:])
        importlib.import_module(f"stages.{name}").main()


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def run_stage(folder: Path, name: str, **paths) -> subprocess.CompletedProcess:
    arguments = [part for key, path in paths.items() for part in (f"--{key.replace('_', '-')}", str(path))]
    return run(folder, "python", "-m", f"stages.{name}", *arguments, check=False)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def instances_run(stdout: str) -> set[str]:
    """The stages that DVC ran, those of a dataset as ``stage@dataset``."""
    return {line.split("'")[1] for line in stdout.splitlines() if line.startswith("Running stage")}


def stages_run(stdout: str) -> set[str]:
    """The names of the stages that DVC ran, without the datasets'."""
    return {name.split("@")[0] for name in instances_run(stdout)}

"""train_backbone: train a timm network on real faces against their pseudo-fakes, keep the best by validation AUC.

With ``train.fakes`` the bank has genuine fakes: the weights file and the metrics then name their methods.

An interrupted run resumes from ``--checkpoint``, which is not part of the outputs: it is removed when training is done.
With ``train.tune: none`` the weights are passed through as they are, and measured once. ``DIFFFAKE_DEVICES=N`` trains
in N processes, which give what one gives (docs/scaling.md).
"""

import argparse
import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import dvclive
import torch

from stages.cli import parse_paths, run, warn_in_a_line
from stages.lib.backbone.checkpoint import Checkpoint, Epoch, save_backbone
from stages.lib.backbone.distributed import Processes, launch
from stages.lib.backbone.guided import show_guidance
from stages.lib.backbone.network import build_backbone
from stages.lib.backbone.training import Trainer
from stages.lib.backbone.validation import measure
from stages.lib.files import atomic_path
from stages.lib.fingerprint import fingerprint
from stages.lib.guidance.guide import build_guidance
from stages.lib.guidance.loading import fingerprints
from stages.lib.ledger import recipe
from stages.lib.pseudo_fakes.bank import FakeBank, genuine_methods
from stages.lib.runtime import keep_freed_memory
from stages.lib.schemas import FAKES, FAKES_TABLE
from stages.lib.tables import read_table
from stages.params import Params, load_params


def _key(fakes: Path, params: Params) -> str:
    """Hash of all that a checkpoint belongs to: settings, weights, fakes, code and PyTorch."""
    weights = fingerprint(Path(params.backbone.weights))  # where they are a file
    settings = (params.seed, params.backbone, params.train, params.guidance, fingerprints(params.guidance.weights))
    made_with = recipe("stages/train_backbone.py", *settings, weights, torch.__version__)
    digest = hashlib.blake2b(made_with.encode(), digest_size=16)
    for path in sorted(fakes.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(fakes)}\0{fingerprint(path)}".encode())
    return digest.hexdigest()


def _log(live: dvclive.Live, epoch: Epoch) -> None:
    """An epoch in DVCLive's metrics and on standard output."""
    live.log_metric("train/loss", epoch.train_loss)
    live.log_metric("val/loss", epoch.val_loss)
    live.log_metric("val/auc", epoch.val_auc)
    live.log_metric("learning_rate", epoch.learning_rate)
    for name, value in epoch.guidance.items():
        live.log_metric(f"guidance/{name}", value)
    live.next_step()
    print(
        f"epoch {epoch.number + 1}: loss {epoch.train_loss:.4f}, validation loss {epoch.val_loss:.4f}, AUC "
        f"{epoch.val_auc:.4f}",
        flush=True,
    )


def _train(paths: argparse.Namespace, params: Params, processes: Processes) -> None:
    """What each of the processes does; the first also logs and writes."""
    warn_in_a_line()
    keep_freed_memory()
    torch.manual_seed(params.seed)
    as_it_is, size = params.train.tune == "none", params.backbone.input_size
    model, architecture = build_backbone(
        params.backbone,
        params.train.boundary > 0,
        unchanged=as_it_is,
        normalized=params.train.loss == "gend",
        system="" if params.train.system == "none" else params.train.system,
    )
    fakes = read_table(paths.fakes / FAKES_TABLE, FAKES)
    seen = sorted({*architecture.trained_on_fakes, *(genuine_methods(fakes) if params.train.selects else ())})
    architecture = replace(architecture, trained_on_fakes=tuple(seen))
    train_bank, val_bank = (FakeBank(paths.fakes, fakes, split) for split in ("train", "val"))
    given = (model, size, train_bank, val_bank, params.train, params.seed, processes.device())
    guidance = build_guidance(params.guidance, model, params.seed) if params.guidance.is_on else None
    if not processes.is_first:
        if not as_it_is:
            Trainer(*given, processes, guidance).fit(lambda epoch: None)
        return
    with (
        atomic_path(paths.metrics) as folder,
        dvclive.Live(folder, save_dvc_exp=False, dvcyaml=None, report=None) as live,
    ):
        if as_it_is:
            print("train.tune is none: the weights are passed through as they are; what they give is shown as an epoch")
            best = measure(*given)
            _log(live, best)
        else:
            checkpoint = Checkpoint(paths.checkpoint, _key(paths.fakes, params))
            trainer = Trainer(*given, processes, guidance)
            show = None
            if guidance:
                drawn = (folder / "plots/images", guidance, val_bank, params.train, size, params.seed)
                show = partial(show_guidance, *drawn)
            best = trainer.fit(lambda epoch: _log(live, epoch), checkpoint, show)
        live.summary |= {"best": {"epoch": best.number, "val_auc": best.val_auc, "val_loss": best.val_loss}}
        live.summary |= {"trained_on_fakes": seen} if seen else {}
    save_backbone(paths.out, model, architecture)
    paths.checkpoint.unlink(missing_ok=True)


def main() -> None:
    paths = parse_paths(__doc__, "fakes", "out", "metrics", "checkpoint")
    launch(partial(_train, paths, load_params()))


if __name__ == "__main__":
    run(main)

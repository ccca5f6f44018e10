"""train_backbone: train a timm network on real faces against their pseudo-fakes, keep the best by validation AUC.

An interrupted run goes on from ``--checkpoint``, which is no output: it is removed when training is done.
"""

import hashlib
from pathlib import Path

import dvclive
import torch

from stages.cli import parse_paths, run
from stages.lib.backbone import BackboneConfig, build_backbone, pick_device, save_backbone
from stages.lib.config import Params
from stages.lib.files import atomic_path
from stages.lib.fingerprint import fingerprint
from stages.lib.ledger import recipe
from stages.lib.tables import FAKES, read_table
from stages.lib.training import Epoch, FakeBank, train_backbone
from stages.params import load_params


def _key(fakes: Path, params: Params) -> str:
    """What a checkpoint must have been made with to be gone on from: settings, fakes, code and PyTorch."""
    made_with = recipe("stages/train_backbone.py", params.seed, params.backbone, params.train, torch.__version__)
    digest = hashlib.blake2b(made_with.encode(), digest_size=16)
    for path in sorted(fakes.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(fakes)}\0{fingerprint(path)}".encode())
    return digest.hexdigest()


def main() -> None:
    paths = parse_paths(__doc__, "fakes", "out", "metrics", "checkpoint")
    params = load_params()
    device = pick_device()
    torch.manual_seed(params.seed)
    model, size = build_backbone(params.backbone), params.backbone.input_size
    fakes = read_table(paths.fakes / "fakes.parquet", FAKES)
    train_bank, val_bank = (FakeBank(paths.fakes, fakes, split) for split in ("train", "val"))
    with (
        atomic_path(paths.metrics) as folder,
        dvclive.Live(folder, save_dvc_exp=False, dvcyaml=None, report=None) as live,
    ):

        def log(epoch: Epoch) -> None:
            live.log_metric("train/loss", epoch.train_loss)
            live.log_metric("val/loss", epoch.val_loss)
            live.log_metric("val/auc", epoch.val_auc)
            live.log_metric("learning_rate", epoch.learning_rate)
            live.next_step()
            print(
                f"epoch {epoch.number + 1}: loss {epoch.train_loss:.4f}, validation loss {epoch.val_loss:.4f}, AUC {epoch.val_auc:.4f}",
                flush=True,
            )

        best = train_backbone(
            model,
            size,
            train_bank,
            val_bank,
            params.train,
            params.seed,
            device,
            log,
            paths.checkpoint,
            _key(paths.fakes, params),
        )
        live.summary |= {"best": {"epoch": best.number, "val_auc": best.val_auc, "val_loss": best.val_loss}}
    save_backbone(paths.out, model, BackboneConfig(params.backbone.name, size, model.head_hidden_size))
    paths.checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)

"""train_backbone: train a timm network on real faces against their pseudo-fakes, keep the best by validation AUC."""

import dvclive
import torch

from stages.cli import parse_paths, run
from stages.lib.backbone import BackboneConfig, build_backbone, pick_device, save_backbone
from stages.lib.files import atomic_path
from stages.lib.tables import FAKES, read_table
from stages.lib.training import Epoch, FakeBank, train_backbone
from stages.params import load_params


def main() -> None:
    paths = parse_paths(__doc__, "fakes", "out", "metrics")
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

        best = train_backbone(model, size, train_bank, val_bank, params.train, params.seed, device, log)
        live.summary |= {"best": {"epoch": best.number, "val_auc": best.val_auc, "val_loss": best.val_loss}}
    save_backbone(paths.out, model, BackboneConfig(params.backbone.name, size, model.num_features))


if __name__ == "__main__":
    run(main)

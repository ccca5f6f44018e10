"""Short trainings, which one process or several do.

They compute in float64. There, what differs is an error: rounding in float32 is enough for a ReLU of the few faces of
such a batch to be on in one and off in the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from stages.lib.backbone.distributed import Processes
from stages.lib.backbone.network import add_boundary_head
from stages.lib.backbone.training import Trainer
from tests.helpers.banks import bank_of
from tests.helpers.params import training_settings


@contextmanager
def float64() -> Iterator[None]:
    """Networks, and what is made ``float()``, are of double precision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)


@dataclass(frozen=True)
class Case:
    """A short training. Plain SGD, whose steps follow the gradients: AdamW makes a whole step of what is rounding."""

    network: str
    n_videos: int = 2
    settings: dict[str, Any] = field(default_factory=dict)

    def untrained(self) -> torch.nn.Module:
        torch.manual_seed(0)
        model = timm.create_model(self.network, num_classes=1, **({"img_size": 32} if "vit" in self.network else {}))
        if self.settings.get("boundary"):
            add_boundary_head(model, self.network)
        return model.double()

    def train(self, folder: Path, processes: Processes) -> dict[str, Any]:
        """The epochs, and the weights that it ends with."""
        model = self.untrained()
        settings = training_settings(**{"epochs": 2, "optimizer": "sgd", "learning_rate": 0.01, **self.settings})
        banks = bank_of(folder / "train", "train", self.n_videos), bank_of(folder / "val", "val")
        epochs: list[Any] = []
        Trainer(model, 32, *banks, settings, 0, "cpu", processes).fit(epochs.append)
        losses = torch.tensor([[epoch.train_loss, epoch.val_loss, epoch.val_auc] for epoch in epochs])
        return {"losses": losses} | model.state_dict()


CASES = {
    # Climbing so far along the gradient of its own share, a process would end elsewhere.
    "layer norm": Case("test_vit", settings={"sam_rho": 1.0}),
    "frozen batch norm": Case("test_resnet", settings={"tune": "head"}),
    # 18 faces in batches of 5, 5, 4 and 4: a process has 2 or 3 of 5.
    "live batch norm, uneven shares": Case("test_resnet", n_videos=3, settings={"batch_size": 10}),
    "all at once": Case(
        "test_efficientnet", settings={"augment": True, "patch": 32, "boundary": 1.0, "average": 0.5, "tune": "norm"}
    ),
}


def train_all(folder: Path, processes: Processes) -> None:
    """Every case, into a file for each process."""
    with float64():
        found = {name: case.train(folder / str(processes.number), processes) for name, case in CASES.items()}
    torch.save(found, folder / f"{processes.number}.pt")

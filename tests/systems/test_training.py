"""How systems are trained: which epoch is kept, and that a run can be resumed."""

from pathlib import Path

import pytest
import torch

from stages.lib.backbone.checkpoint import Checkpoint, Epoch, TrainingState, restored
from stages.lib.backbone.distributed import Processes
from stages.lib.backbone.network import build_backbone
from stages.lib.backbone.training import Trainer
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import backbone_settings, training_settings

NETWORK = torch.nn.Linear(1, 1)
BETTER, WORSE = (Epoch(number, 1.0, 1.0, auc, 0.1) for number, auc in enumerate((0.9, 0.4)))


def _trainer(folder: Path, system: str, epochs: int = 2, processes: Processes | None = None) -> Trainer:
    torch.manual_seed(0)
    model, _ = build_backbone(backbone_settings(), system=system)
    banks = bank_of(folder / "train", "train"), bank_of(folder / "val", "val")
    settings = training_settings(system=system, sam_rho=0.0, epochs=epochs)
    return Trainer(model, 32, *banks, settings, 0, "cpu", *([processes] if processes else []))


@pytest.mark.parametrize(("keeps_last", "kept"), [(False, BETTER), (True, WORSE)])
def test_the_last_epoch_is_kept_where_nothing_tells_them_apart(keeps_last, kept):
    state = TrainingState([], keeps_last=keeps_last)
    for epoch in (BETTER, WORSE):
        state.add(epoch, NETWORK)
    assert state.best is kept


def test_a_resumed_run_keeps_the_last_as_well(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c.pt", "key")
    state = TrainingState([], keeps_last=True)
    state.add(BETTER, NETWORK)
    checkpoint.save(state, {})
    again = restored(checkpoint.read(), {}, keeps_last=True)
    again.add(WORSE, NETWORK)
    assert again.best is WORSE


@pytest.mark.parametrize(("system", "last"), [("seeable", True), ("rfm", False)])
def test_a_one_class_system_keeps_its_last_epoch(tmp_path, monkeypatch, system, last):
    aucs = iter((0.9, 0.4))
    monkeypatch.setattr(Trainer, "_validate", lambda trainer, number: (1.0, next(aucs)))
    assert _trainer(tmp_path, system).fit(lambda epoch: None).number == (1 if last else 0)


@pytest.mark.filterwarnings("ignore:the backbone hardly tells")
@pytest.mark.parametrize("system", ["sladd", "oc_fakedect2", "rfm"])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, system):
    whole = _trainer(tmp_path, system)
    whole.fit(lambda epoch: None)
    checkpoint = Checkpoint(tmp_path / "c.pt", "key")

    def stop(epoch: Epoch) -> None:
        if epoch.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _trainer(tmp_path, system).fit(stop, checkpoint)
    resumed = _trainer(tmp_path, system)
    resumed.fit(lambda epoch: None, checkpoint)
    expected = whole.model.state_dict()
    assert all(torch.equal(expected[name], one) for name, one in resumed.model.state_dict().items())


def test_several_processes_are_refused(tmp_path):
    processes = Processes()
    processes.count = 2
    with pytest.raises(InputError, match="train.system is rfm, which one process trains, but 2 are to; unset DIFF"):
        _trainer(tmp_path, "rfm", processes=processes)

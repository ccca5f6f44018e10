"""Weights that stay as they are, measured as an epoch."""

import numpy as np
import pytest
import timm
import torch
from torch.nn import functional

from stages.lib.backbone.network import forward, prepare
from stages.lib.backbone.training import Trainer
from stages.lib.backbone.validation import measure
from stages.lib.errors import InputError
from tests.helpers.banks import bank_of
from tests.helpers.params import training_settings


def _model() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=1)


def _measure(folder, model: torch.nn.Module, **changes):
    banks = bank_of(folder, "train"), bank_of(folder, "val")
    return measure(model, 32, *banks, training_settings(tune="none", **changes), seed=0, device="cpu")


def test_weights_are_measured_as_the_validation_of_an_epoch_that_changes_nothing(tmp_path):
    trained, banks = _model(), (bank_of(tmp_path, "train"), bank_of(tmp_path, "val"))
    best = Trainer(trained, 32, *banks, training_settings(), seed=0, device="cpu").fit(lambda epoch: None)
    found = _measure(tmp_path, trained)
    assert (found.val_loss, found.val_auc) == pytest.approx((best.val_loss, best.val_auc))


def test_measuring_changes_no_weight(tmp_path):
    model, before = _model(), _model().state_dict()
    _measure(tmp_path, model)
    assert all(torch.equal(after, before[name]) for name, after in model.state_dict().items())


def test_the_losses_are_of_both_banks(tmp_path):
    found = _measure(tmp_path, _model())
    bank = bank_of(tmp_path, "train")
    stored = np.stack([bank.face(face, variant) for face in range(len(bank)) for variant in range(bank.variants)])
    model = _model().eval()
    with torch.inference_mode():
        real, fake = (forward(model, prepare(stored[..., at : at + 3], 32)).logit for at in (0, 3))
    expected = torch.cat([functional.softplus(real), functional.softplus(-fake)]).mean()
    assert found.train_loss == pytest.approx(expected.item(), rel=1e-4)
    assert found.train_loss != found.val_loss


def test_whole_crops_are_measured_whatever_is_trained_on(tmp_path):
    assert _measure(tmp_path, _model(), patch=64) == _measure(tmp_path, _model())


@pytest.mark.filterwarnings("ignore:the classifier as it is")
def test_a_classifier_without_weights_is_at_chance(tmp_path):
    model = _model()
    torch.nn.init.zeros_(model.get_classifier().weight)
    torch.nn.init.zeros_(model.get_classifier().bias)
    assert _measure(tmp_path, model).val_auc == 0.5
    with pytest.warns(UserWarning, match="hardly tells .* leave `classifier` out of scoring.evidence"):
        _measure(tmp_path, model)


def test_weights_that_give_no_number_are_an_error(tmp_path):
    model = _model()
    with torch.no_grad():
        model.get_classifier().weight.fill_(float("nan"))
    with pytest.raises(InputError, match="give a logit that is not a finite number; set backbone.name, input_size"):
        _measure(tmp_path, model)

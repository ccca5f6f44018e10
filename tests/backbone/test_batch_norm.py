"""Batch normalisation over all processes, here one, beside PyTorch's and timm's own."""

import copy

import pytest
import timm
import torch

from stages.lib.backbone.batch_norm import GlobalBatchNorm, synchronize_batch_norm

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def group(tmp_path):
    """A group of this process alone."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def _pair(norm: torch.nn.Module) -> list[torch.nn.Module]:
    """A layer that has seen something and then has other weights, and its synchronised copy."""
    torch.manual_seed(0)
    norm(torch.randn(3, 4, 5, 5))
    torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
    torch.nn.init.uniform_(norm.bias, -1.0, 1.0)
    layers = [torch.nn.Sequential(copy.deepcopy(norm)) for _ in range(2)]
    synchronize_batch_norm(layers[1], CPU)
    assert isinstance(layers[1][0], GlobalBatchNorm)
    return layers


LAYERS = {"plain": torch.nn.BatchNorm2d(4, momentum=0.3), "with activation": timm.layers.BatchNormAct2d(4, eps=1e-3)}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_gradients_and_running_statistics_are_those_of_the_layer(name):
    layers = _pair(LAYERS[name])
    values = 100 + torch.randn(6, 4, 7, 7)
    inputs = [values.clone().requires_grad_() for _ in layers]
    outputs = [layer(x) for layer, x in zip(layers, inputs, strict=True)]
    for output in outputs:
        (output * torch.arange(output.numel()).view_as(output).sin()).sum().backward()
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-3, atol=1e-4)
    for theirs, ours in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3)
    assert list(layers[1].state_dict()) == list(layers[0].state_dict())
    for theirs, ours in zip(layers[0].buffers(), layers[1].buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_is_not_trained_is_as_it_was(name):
    layers, x = _pair(LAYERS[name]), torch.randn(2, 4, 3, 3)
    assert torch.equal(*(layer.eval()(x) for layer in layers))


def test_without_momentum_the_running_statistics_stay():
    _, layer = _pair(LAYERS["plain"])
    before = [layer[0].running_mean.clone(), layer[0].running_var.clone()]
    layer[0].momentum = 0.0
    layer(torch.randn(2, 4, 3, 3))
    assert torch.equal(layer[0].running_mean, before[0]) and torch.equal(layer[0].running_var, before[1])


def test_bfloat16_stays_bfloat16():
    _, layer = _pair(LAYERS["plain"])
    assert layer(torch.randn(2, 4, 3, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_for_gpus_a_network_has_the_same_weights_in_pytorchs_own_layers():
    """Which compute on GPUs alone; as they are when nothing is trained, they can be compared anywhere."""
    torch.manual_seed(0)
    plain = timm.create_model("test_efficientnet", num_classes=1).eval()
    model, images = copy.deepcopy(plain), torch.randn(2, 3, 32, 32)
    parameters = list(model.parameters())
    synchronize_batch_norm(model, torch.device("cuda"))
    norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(norm, torch.nn.SyncBatchNorm) for norm in norms)
    assert all(after is before for after, before in zip(model.parameters(), parameters, strict=True))
    assert list(model.state_dict()) == list(plain.state_dict())
    assert torch.equal(model(images), plain(images))

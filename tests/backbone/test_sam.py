"""SAM against a reference written from its paper."""

import numpy as np
import torch

from stages.lib.backbone.sam import SharpnessAwareStep


def test_sam_steps_along_the_gradient_at_the_climbed_point():
    weight = torch.nn.Parameter(torch.tensor([3.0, -1.0]))
    model = torch.nn.Module()
    model.weight = weight
    scale = torch.tensor([1.0, 4.0])
    SharpnessAwareStep(model, torch.optim.SGD([weight], lr=0.1), rho=0.5)(lambda: (scale * weight**2).sum() / 2)
    start = np.array([3.0, -1.0])
    gradient = np.array([1.0, 4.0]) * start
    climbed = start + 0.5 * gradient / np.linalg.norm(gradient)
    np.testing.assert_allclose(weight.detach().numpy(), start - 0.1 * np.array([1.0, 4.0]) * climbed, rtol=1e-6)


def test_sam_updates_batch_norm_statistics_once_a_step():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    x = torch.randn(16, 3)
    with torch.no_grad():
        mean = model[0](x).mean(dim=0)
    SharpnessAwareStep(model, torch.optim.SGD(model.parameters(), lr=0.1), rho=0.5)(lambda: model(x).pow(2).mean())
    torch.testing.assert_close(model[1].running_mean, 0.1 * mean)
    assert model[1].momentum == 0.1


def test_rho_0_is_the_plain_base_optimizer():
    weights = [torch.nn.Parameter(torch.tensor([3.0, -1.0])) for _ in range(2)]
    model = torch.nn.Module()
    model.weight = weights[0]
    SharpnessAwareStep(model, torch.optim.AdamW([weights[0]], lr=0.1), rho=0)(lambda: weights[0].pow(2).sum())
    plain = torch.optim.AdamW([weights[1]], lr=0.1)
    weights[1].pow(2).sum().backward()
    plain.step()
    torch.testing.assert_close(weights[0], weights[1])

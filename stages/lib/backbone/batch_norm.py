"""Batch normalisation over the batches of all processes, so that its statistics are those of the whole batch."""

from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm


def synchronize_batch_norm(model: torch.nn.Module, device: torch.device) -> None:
    """Have a network's batch normalisation take its statistics, in training, from the batches of all processes.

    On GPUs by PyTorch's SyncBatchNorm, which refuses tensors on the CPU; there by :class:`GlobalBatchNorm`. Names and
    weights stay as they are.
    """
    if device.type == "cuda":
        from timm.layers.norm_act import convert_sync_batchnorm  # PyTorch's own doesn't know timm's activations

        convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = GlobalBatchNorm  # what it holds, timm's activation too, stays where it is


class GlobalBatchNorm(_BatchNorm):
    """BatchNorm, or timm's BatchNormAct2d, over all processes' batches (n, c, …), which may differ in n.

    Statistics and normalisation are computed in float32, and the gradient goes through the statistics.
    """

    act: torch.nn.Module  # these two where it was timm's
    drop: torch.nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._over_all(x) if self.training else super().forward(x)
        return self.act(self.drop(x)) if hasattr(self, "act") else x

    def _over_all(self, x: torch.Tensor) -> torch.Tensor:
        values, over, shape = x.float(), [0, *range(2, x.ndim)], [1, -1] + [1] * (x.ndim - 2)
        own = values.new_full((1,), values.numel() // values.shape[1])
        totals = _total(torch.cat([values.sum(over), own]))
        count = totals[-1].detach()
        mean = totals[:-1] / count
        centred = values - mean.view(shape)
        variance = _total(centred.square().sum(over)) / count
        if self.running_mean is not None and self.running_var is not None:
            self._keep(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    def _keep(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards these, as PyTorch does."""
        assert self.momentum is not None and self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any number of dimensions: what it was before has been checked."""


class _Total(torch.autograd.Function):
    """The sum of a tensor over all processes. What it does to the gradient is the same: each process's loss depends on
    every process's tensor.
    """

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _total(gradient)


def _total(tensor: torch.Tensor) -> torch.Tensor:
    total: torch.Tensor = _Total.apply(tensor)
    return total

"""Sharpness-aware minimisation [19]."""

from collections.abc import Callable

import torch


class SharpnessAwareStep:
    """One SAM step [19]: climb ``rho`` along the gradient, take the gradient there, step from where it began.

    ``rho`` 0 is a plain step of the base optimizer.
    """

    def __init__(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, rho: float):
        self._model, self._optimizer, self._rho = model, optimizer, rho
        self._norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]

    def __call__(self, loss_of: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Step on the loss that ``loss_of`` computes; returns the loss before the step, detached."""
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        if not self._rho:
            return self._finish(loss)
        moved = [(p, p.grad) for p in self._model.parameters() if p.grad is not None]
        parameters: list[torch.Tensor] = [p for p, _ in moved]
        norm = torch.nn.utils.get_total_norm([gradient for _, gradient in moved])
        with torch.no_grad():
            climb = [gradient * (self._rho / (norm + 1e-12)) for _, gradient in moved]
            torch._foreach_add_(parameters, climb)
        del moved  # the first gradients: a second set of them would take a model's worth of memory
        self._optimizer.zero_grad()
        # Running statistics belong to the weights that are kept, so the second pass must not add to them.
        momenta = [norm_layer.momentum for norm_layer in self._norms]
        for norm_layer in self._norms:
            norm_layer.momentum = 0.0
        loss_of().backward()  # type: ignore[no-untyped-call]
        for norm_layer, momentum in zip(self._norms, momenta, strict=True):
            norm_layer.momentum = momentum
        with torch.no_grad():
            torch._foreach_sub_(parameters, climb)
        return self._finish(loss)

    def _finish(self, loss: torch.Tensor) -> torch.Tensor:
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()

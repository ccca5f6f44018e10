"""Small networks that are fitted to vectors: by one thread of the CPU, so that equal vectors give equal weights."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from stages.lib.errors import InputError

_BATCH, _RATE = 256, 1e-3
_HELD_OUT, _PATIENCE = 0.1, 10  # a share of the vectors; epochs


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes with one thread: sums don't depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fit_network(
    build: Callable[[], torch.nn.Module],
    loss: Callable[[Any, torch.Tensor], torch.Tensor],
    vectors: np.ndarray,
    max_iter: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Train a network on vectors, float (n, d), n at least 3, and return its weights as arrays.

    ``loss``: of a network and some vectors, a mean over these. The last tenth of the vectors, which of vectors sorted
    by video is of other videos, is held out: training ends where their loss has stopped falling, or after ``max_iter``
    epochs, with the weights that it was lowest with. Raises :class:`InputError` where training diverges.
    """
    weights: dict[str, np.ndarray] = {}
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(seed)
        network = build()
        shown, held_out = torch.from_numpy(vectors).float().tensor_split([-max(round(_HELD_OUT * len(vectors)), 1)])
        optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
        least, since = np.inf, 0
        for _ in range(max_iter):
            network.train()
            for rows in torch.randperm(len(shown)).tensor_split(-(-len(shown) // _BATCH)):
                optimizer.zero_grad()
                loss(network, shown[rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            with torch.no_grad():
                if isinstance(network, FusionNetwork):
                    network.fused(shown)  # the statistics that it keeps are those of all
                found = float(loss(network.eval(), held_out))
            if not np.isfinite(found):
                raise InputError(
                    "learning from the pairs of training reals diverged: their loss is no finite number; set "
                    "anomaly_model.normalization to standardize, or take another fusion or anomaly_model.kind"
                )
            since += 1
            if found < least:
                least, since = found, 0
                weights = {name: value.numpy().copy() for name, value in network.state_dict().items()}
            if since == _PATIENCE:
                return weights
    warnings.warn(
        f"learning from the pairs of training reals ended after {max_iter} epochs, and the loss of those held out was "
        "still falling: more would have been learnt of them",
        stacklevel=2,
    )
    return weights


def apply_network(
    build: Callable[[], torch.nn.Module],
    weights: Mapping[str, np.ndarray],
    function: Callable[[Any, torch.Tensor], torch.Tensor],
    vectors: np.ndarray,
) -> np.ndarray:
    """What ``function`` makes of vectors, float (n, d), by a network with weights of :func:`fit_network`: float64."""
    network = build()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    with torch.inference_mode(), one_thread():
        found: np.ndarray = function(network.eval(), torch.from_numpy(vectors).float()).double().numpy()
    return found


class FusionNetwork(torch.nn.Module):
    """What :class:`stages.lib.anomaly.learned_fusion.LearnedFusion` trains: the fusion, the mixture that its vectors
    are to be likely under, and the way back from a vector to the difference of the embeddings.
    """

    NOISE = 0.1  # variance, beside 1 of each number of a vector; and the mixture's least
    ERROR = 4.0  # weight of the reconstruction: more than a number's likelihood gains where all fall on points (1.7)

    def __init__(self, dimension: int, hidden: int, width: int, components: int) -> None:
        """``dimension``: of an embedding; ``width``: of a vector."""
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2 * dimension, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, width),
            torch.nn.BatchNorm1d(width, momentum=1.0, affine=False),
        )
        self.back = torch.nn.Sequential(
            torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, dimension)
        )
        self.means = torch.nn.Parameter(torch.randn(components, width))
        self.log_variances = torch.nn.Parameter(torch.zeros(components, width))
        self.logits = torch.nn.Parameter(torch.zeros(components))

    def fused(self, pairs: torch.Tensor) -> torch.Tensor:
        """The vectors (n, width) of pairs (n, 2 d)."""
        found: torch.Tensor = self.layers(pairs)
        return found

    def loss(self, pairs: torch.Tensor) -> torch.Tensor:
        """The negated log-likelihood of the pairs' vectors, for each of its numbers, and, weighted, the part of their
        differences' variance that can't be reconstructed from the vectors with noise.
        """
        fused, (a, b) = self.fused(pairs), pairs.tensor_split(2, dim=1)
        gaussians = torch.distributions.Normal(self.means, (self.log_variances.exp() + self.NOISE).sqrt())
        of_components = gaussians.log_prob(fused[:, None]).sum(dim=2)  # type: ignore[no-untyped-call]
        likelihood = (of_components + self.logits.log_softmax(dim=0)).logsumexp(dim=1).mean() / fused.shape[1]
        noisy = fused + self.NOISE**0.5 * torch.randn_like(fused)
        error = (self.back(noisy) - (a - b)).square().mean() / (a - b).square().mean().clamp_min(1e-6)
        loss: torch.Tensor = self.ERROR * error - likelihood
        return loss

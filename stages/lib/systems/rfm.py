"""Representative forgery mining (RFM, Wang and Deng, CVPR 2021): a detector that must not rest on one region."""

from dataclasses import replace

import torch

from stages.lib.systems.extension import Extension, Shown

BLOCKS = 3  # that are erased of a face
LARGEST = 0.45  # of its side, a block


def attention_map(extension: Extension, network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """How strongly each pixel moves the logit: the largest of its colours' gradients, (n, s, s), without a graph.

    The running statistics of the network stay as they are.
    """
    was_training = network.training
    network.eval()
    with torch.enable_grad():
        pixels = images.detach().requires_grad_()
        logit = extension(network, pixels).logit
        (gradient,) = torch.autograd.grad(logit.sum(), pixels)
    network.train(was_training)
    return gradient.abs().amax(dim=1)


def erase_peaks(images: torch.Tensor, attention: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images (n, 3, s, s) in which blocks about the peaks of their attention (n, s, s) are noise in [-1, 1].

    The next peak is sought outside the blocks before it. Each covers its peak, at a random size and place.
    """
    erased, left = images.clone(), attention.float().clone()
    side = images.shape[-1]
    largest = max(int(side * LARGEST), 1)
    for at in range(len(images)):
        for _ in range(BLOCKS):
            row, column = divmod(int(left[at].argmax()), side)
            height, width = (torch.randint(1, largest + 1, (2,), generator=generator)).tolist()
            above, before = (torch.rand(2, generator=generator) * torch.tensor([height, width])).long().tolist()
            top, start = max(row - above, 0), max(column - before, 0)
            block = (at, slice(None), slice(top, row - above + height), slice(start, column - before + width))
            noise = torch.rand(erased[block].shape, generator=generator) * 2 - 1
            erased[block] = noise.to(erased)
            left[at, block[2], block[3]] = -1.0
    return erased


class ForgeryMining(Extension):
    """Shows every face without what the network rests on most."""

    def show(self, network: torch.nn.Module, batch: Shown) -> Shown:
        attention = attention_map(self, network, batch.images)
        return replace(batch, images=erase_peaks(batch.images, attention, batch.generator))

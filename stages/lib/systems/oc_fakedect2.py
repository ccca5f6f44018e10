"""OC-FakeDect2 (Khalid and Woo, CVPRW 2020): a variational autoencoder of real faces, whose latents tell."""

from dataclasses import replace

import torch
from torch.nn.functional import interpolate, mse_loss

from stages.lib.systems.extension import Extension, Outputs, Shown, encode

LATENT = 128
SIDE = 64  # px of the reconstruction
_COARSE, _WIDTH = 4, 256  # where the decoder begins


class OneClassAutoencoder(Extension):
    """The network is the encoder. A face's score is the distance between its latent mean and that of what the decoder
    makes of it: the second encoder of the paper's figure is the first, once more.
    """

    def __init__(self, network: torch.nn.Module, size: int) -> None:
        super().__init__(network, size)
        self.size = size
        self.mean, self.log_variance = (torch.nn.Linear(self.embedding_dim, LATENT) for _ in range(2))
        layers: list[torch.nn.Module] = [
            torch.nn.Linear(LATENT, _WIDTH * _COARSE**2),
            torch.nn.Unflatten(1, (_WIDTH, _COARSE, _COARSE)),
        ]
        width, side = _WIDTH, _COARSE
        while side < SIDE:
            layers += [torch.nn.ReLU(), torch.nn.ConvTranspose2d(width, width // 2, 4, 2, 1)]
            width, side = width // 2, 2 * side
        self.decoder = torch.nn.Sequential(
            *layers, torch.nn.ReLU(), torch.nn.Conv2d(width, 3, 3, 1, 1), torch.nn.Tanh()
        )

    def forward(self, network: torch.nn.Module, images: torch.Tensor) -> Outputs:
        """The logit is the root mean square difference of the two latent means; in training 0, which takes the second
        encoding no time.
        """
        embedding = encode(network, images)
        mean, log_variance = self.mean(embedding).float(), self.log_variance(embedding).float()
        if self.training:
            latent = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            extra = {"mean": mean, "log_variance": log_variance, "decoded": self.decoder(latent)}
            return Outputs(embedding, torch.zeros_like(mean[:, 0]), extra=extra)
        decoded = interpolate(self.decoder(mean), (self.size, self.size), mode="bilinear")
        again = self.mean(encode(network, decoded)).float()
        return Outputs(embedding, (mean - again).square().mean(dim=1).sqrt())

    def show(self, network: torch.nn.Module, batch: Shown) -> Shown:
        """The real faces alone."""
        n = len(batch.reals)
        return replace(batch, images=batch.reals, label=batch.label[:n], mask=batch.mask[:n])

    def loss(self, found: Outputs, batch: Shown) -> torch.Tensor:
        """The negated evidence lower bound for a picture's mean: squared error by face and the latent's divergence."""
        mean, log_variance = found.extra["mean"], found.extra["log_variance"]
        picture = interpolate(batch.images, (SIDE, SIDE), mode="bilinear", antialias=True)
        error = mse_loss(found.extra["decoded"].float(), picture, reduction="none").sum(dim=(1, 2, 3))
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        return (error + divergence).mean() / picture[0].numel()

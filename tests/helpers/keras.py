"""MesoNet as Keras computes it, in NumPy and channels last, and the files that Keras writes of it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np

Weights = dict[str, dict[str, np.ndarray]]  # by layer, then by kind
EPSILON = 1e-3
FIRST = 5  # the number of the first layer of a kind: four others of its kind were made before

# An inception layer's convolutions as Keras 3.15 wrote them, by when they were made: they are made branch by branch
# (1x1; 1x1, 3x3; 1x1, 3x3; 1x1, 3x3), and written by their distance from the output.
INCEPTION_ORDER = [1, 3, 5, 0, 2, 4, 6]


class KerasMesoNet:
    """Random weights with a use for each layer: batch normalisation has the statistics of random images."""

    def __init__(self, inception: bool, seed: int = 0) -> None:
        self.inception = inception
        self.weights: Weights = {}
        self._rng = np.random.default_rng(seed)
        self.pre_sigmoid(self._rng.uniform(0, 1, (2, 256, 256, 3)))  # makes the weights

    def embedding(self, images: np.ndarray) -> np.ndarray:
        """(n, 16) of pixels from 0 to 1 (n, 256, 256, 3)."""
        self._made: dict[str, int] = {}
        if self.inception:
            x = self._pool(self._norm(self._inception(images, 1, 4, 4, 2)), 2)
            x = self._pool(self._norm(self._inception(x, 2, 4, 4, 2)), 2)
        else:
            x = self._pool(self._norm(self._conv(images, 8, 3)), 2)
            x = self._pool(self._norm(self._conv(x, 8, 5)), 2)
        x = self._pool(self._norm(self._conv(x, 16, 5)), 2)
        x = self._pool(self._norm(self._conv(x, 16, 5)), 4)
        hidden = self._dense(x.reshape(len(x), -1), 16)
        return np.where(hidden > 0, hidden, 0.1 * hidden)

    def pre_sigmoid(self, images: np.ndarray) -> np.ndarray:
        """(n,), above 0 for real."""
        return self._dense(self.embedding(images), 1)[:, 0]

    def save(self, path: Path, inside: str = "", order: Iterable[str] | None = None) -> Path:
        """Write the weights as ``save_weights`` does; in the group ``inside``, as ``save`` does of a whole model."""
        with h5py.File(path, "w") as file:
            root = file.create_group(inside) if inside else file
            names = ["input_3", *(order or self.order()), "dropout_9"]
            root.attrs["layer_names"] = [name.encode() for name in names]
            for name in names:
                group, weights = root.create_group(name), self.weights.get(name, {})
                group.attrs["weight_names"] = [f"{name}/{kind}:0".encode() for kind in weights]
                for kind, array in weights.items():
                    group.create_dataset(f"{name}/{kind}:0", data=array.astype(np.float32))
        return path

    def order(self) -> list[str]:
        """The layers with weights as Keras orders them."""
        blocks = [[0], [1], [2], [3]]
        if self.inception:
            blocks = [INCEPTION_ORDER, [7 + one for one in INCEPTION_ORDER], [14], [15]]
        names = []
        for block, convolutions in enumerate(blocks):
            names += [f"conv2d_{FIRST + one}" for one in convolutions] + [f"batch_normalization_{FIRST + block}"]
        return [*names, f"dense_{FIRST}", f"dense_{FIRST + 1}"]

    def _layer(self, kind: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The weights of the next layer of a kind, made where the layer is new."""
        number = self._made[kind] = self._made.get(kind, FIRST - 1) + 1
        name = f"{kind}_{number}"
        if name not in self.weights:
            self.weights[name] = make()
        return self.weights[name]

    def _affine(self, *shape: int) -> dict[str, np.ndarray]:
        spread = np.prod(shape[:-1]) ** -0.5
        return {"kernel": self._rng.normal(0, spread, shape), "bias": self._rng.normal(0, 0.2, shape[-1])}

    def _conv(self, x: np.ndarray, width: int, size: int, dilation: int = 1) -> np.ndarray:
        weights = self._layer("conv2d", lambda: self._affine(size, size, x.shape[-1], width))
        pad, (height, across) = dilation * (size // 2), x.shape[1:3]
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        total = np.zeros((*x.shape[:3], width)) + weights["bias"]
        for row in range(size):
            for column in range(size):
                top, left = row * dilation, column * dilation
                total += padded[:, top : top + height, left : left + across] @ weights["kernel"][row, column]
        return np.maximum(total, 0)

    def _inception(self, x: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
        branches = [self._conv(x, a, 1)]
        for dilation, width in ((1, b), (2, c), (3, d)):
            branches.append(self._conv(self._conv(x, width, 1), width, 3, dilation))
        return np.concatenate(branches, axis=-1)

    def _norm(self, x: np.ndarray) -> np.ndarray:
        def make() -> dict[str, np.ndarray]:
            gamma, beta = self._rng.uniform(0.5, 1.5, x.shape[-1]), self._rng.normal(0, 0.2, x.shape[-1])
            statistics = {"moving_mean": x.mean(axis=(0, 1, 2)), "moving_variance": x.var(axis=(0, 1, 2))}
            return {"gamma": gamma, "beta": beta, **statistics}

        weights = self._layer("batch_normalization", make)
        scaled = (x - weights["moving_mean"]) / np.sqrt(weights["moving_variance"] + EPSILON)
        return scaled * weights["gamma"] + weights["beta"]

    def _pool(self, x: np.ndarray, size: int) -> np.ndarray:
        n, height, width, channels = x.shape
        return x.reshape(n, height // size, size, width // size, size, channels).max(axis=(2, 4))

    def _dense(self, x: np.ndarray, width: int) -> np.ndarray:
        weights = self._layer("dense", lambda: self._affine(x.shape[-1], width))
        return x @ weights["kernel"] + weights["bias"]

"""What the backbone makes of faces: their embeddings, logits and boundary maps."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.backbone.network import forward, prepare
from stages.lib.runtime import keep_freed_memory, pick_device


@dataclass(frozen=True)
class FaceFeatures:
    """Float32 features of n faces: ``embedding`` (n, d), ``logit`` (n,), and ``boundary``, the map's probabilities (n,
    cells, cells), None where the network has no boundary map.
    """

    embedding: np.ndarray
    logit: np.ndarray
    boundary: np.ndarray | None


@torch.inference_mode()
def embed(model: torch.nn.Module, faces: np.ndarray, input_size: int, device: str, batch: int = 64) -> FaceFeatures:
    """The features of face crops, RGB uint8 (n, h, h, 3), in batches, in float32."""
    parts = [
        forward(model, prepare(faces[i : i + batch], input_size).to(device, memory_format=torch.channels_last))
        for i in range(0, len(faces), batch)
    ]
    embedding, logit = (
        torch.cat([getattr(part, name) for part in parts]).cpu().numpy() for name in ("embedding", "logit")
    )
    maps = [torch.sigmoid(part.boundary).cpu().numpy() for part in parts if part.boundary is not None]
    return FaceFeatures(embedding, logit, np.concatenate(maps) if maps else None)


def embed_by(backbone: Path, sha256: str, faces: np.ndarray) -> FaceFeatures:
    """:func:`embed` by the network of a file, which each process loads once; ``sha256``: of the file.

    On the CPU with one thread: the processes are the parallelism, and the bytes don't depend on the number of cores.
    """
    model, input_size, device = _loaded(backbone, sha256)
    return embed(model, faces, input_size, device)


@functools.lru_cache(maxsize=1)
def _loaded(backbone: Path, sha256: str) -> tuple[torch.nn.Module, int, str]:
    keep_freed_memory()
    torch.set_num_threads(1)
    device = pick_device()
    model, architecture = load_backbone(backbone, device)
    return model, architecture.input_size, device

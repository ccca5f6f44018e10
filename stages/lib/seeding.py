"""Random draws that depend on neither the number of workers nor which other videos are present."""

import hashlib

import numpy as np


def video_rng(seed: int, video_id: str, purpose: str) -> np.random.Generator:
    """A generator of its own for one video and one purpose.

    It depends on (seed, video_id, purpose) alone, so neither the number of workers nor the other videos matter.
    """
    digest = hashlib.blake2b(f"{purpose}\0{video_id}".encode(), digest_size=16).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])

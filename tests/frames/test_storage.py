"""Stored frames: lossless."""

import numpy as np
import pytest

from stages.lib.frames.storage import compress_frame, decompress_frame


@pytest.mark.parametrize("size", [(47, 63), (1, 1), (2, 301)])
def test_compression_is_lossless_at_odd_sizes(size):
    frame = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    np.testing.assert_array_equal(decompress_frame(compress_frame(frame), *size), frame)

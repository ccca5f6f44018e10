"""What a video's encoder leaves of frames: x264, through which almost every video has been (PyAV)."""

import io

import av
import numpy as np


def through_x264(frames: np.ndarray, rate_factor: int) -> np.ndarray:
    """A run of frames, RGB uint8 (n, h, w, 3) with even sides, encoded at a constant rate factor and decoded again.

    Equal frames give equal results, on one thread. Raises ValueError for odd sides, which 4:2:0 video can't have.
    """
    _, height, width, _ = frames.shape
    if height % 2 or width % 2:
        raise ValueError(f"frames of {width} x {height} px: x264 needs even sides")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = width, height, "yuv420p", 1
        # With B-frames, and on processors with AVX-512 with its macroblock tree, x264 gives other bytes now and then.
        stream.options = {"crf": str(rate_factor), "preset": "veryfast", "x264-params": "threads=1:bframes=0:mbtree=0"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as encoded:
        encoded.streams.video[0].thread_count = 1
        return np.stack([frame.to_ndarray(format="rgb24") for frame in encoded.decode(video=0)])

"""The DVC stages of DiffFake, one thin module each, run as ``python -m stages.<name>``."""

import os

# SciPy reads this when it is first imported; without it scikit-learn cannot fit on a GPU (lib/anomaly/fitting.py).
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# OpenCV and FFmpeg read these when they are first used. A video that they can't read is recorded with its reason.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

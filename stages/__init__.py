"""The DVC stages of DiffFake, one thin module each, run as ``python -m stages.<name>``."""

import os

# SciPy reads this when it is first imported; without it scikit-learn cannot fit on a GPU (stages/lib/anomaly.py).
os.environ.setdefault("SCIPY_ARRAY_API", "1")

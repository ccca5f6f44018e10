"""Matplotlib in one place: without a display, written atomically, equal figures giving equal bytes."""

import io
from pathlib import Path
from typing import Any

import matplotlib

from stages.lib.files import atomic_path

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)
from matplotlib.figure import Figure  # noqa: E402

__all__ = ["plt", "save_png", "svg_bytes"]
_SVG: dict[Any, Any] = {"svg.hashsalt": "difffake", "font.size": 11}


def save_png(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure as PNG, atomically, and close it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi, metadata={"Software": None})
    plt.close(figure)


def svg_bytes(figure: Figure) -> bytes:
    """A figure as SVG, without the time at which it was made; the figure is closed."""
    out = io.BytesIO()
    with matplotlib.rc_context(_SVG):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return out.getvalue()

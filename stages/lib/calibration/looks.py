"""How a video's faces look in three numbers, so that one that was filmed otherwise than the reals is known as such."""

from collections.abc import Iterable, Mapping
from math import log
from typing import Literal, get_args

import numpy as np

from stages.lib.records import APPEARANCE_SHAPE

Measure = Literal["face_px", "brightness", "detail"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
# By how much a video may lie outside what the reals have before it is said: a factor of 1.5 in width and in detail, 20
# of 256 levels in brightness.
_LEEWAY: dict[Measure, float] = {"face_px": log(1.5), "brightness": 20.0, "detail": log(1.5)}
_INSIDE, _MEAN, _FINEST, _LIGHTNESS = 0, 0, 2, 0  # of appearance: region, statistics, channel
_UNIT = 20  # levels, of its means

Looks = Mapping[Measure, float]
Ranges = dict[Measure, list[float]]  # {measure: [least, greatest]}


def looks(widths: np.ndarray, appearance: np.ndarray) -> Looks:
    """Medians over a video's n faces, by ``MEASURES``: the width of a face in the kept frames (px), how light it is
    (CIELAB's lightness, 0 to 255), and the magnitude of its finest detail (levels of lightness).

    ``widths``: (n,), NaN where not known; ``appearance``: (n, 54), of :mod:`stages.lib.faces.appearance`.
    """
    values = appearance.reshape(-1, *APPEARANCE_SHAPE).astype(np.float64)
    known = widths[~np.isnan(widths)]
    return {
        "face_px": float(np.median(known)) if len(known) else float("nan"),
        "brightness": float(_UNIT * np.median(values[:, _INSIDE, _MEAN, _LIGHTNESS])),
        "detail": float(np.exp(np.median(values[:, _INSIDE, _FINEST, _LIGHTNESS]))),
    }


def ranges(videos: Iterable[Looks]) -> Ranges:
    """The least and the greatest of each measure over videos; without a measure that none has."""
    rows = list(videos)
    found: Ranges = {name: [one[name] for one in rows if not np.isnan(one[name])] for name in MEASURES}
    return {name: [min(values), max(values)] for name, values in found.items() if values}


def unlike(video: Looks, reals: Ranges) -> list[Measure]:
    """The measures in which a video lies clearly outside the ``reals``' ranges."""
    found: list[Measure] = []
    for name, (least, greatest) in reals.items():
        value, leeway = video[name], _LEEWAY[name]
        if name != "brightness":  # a factor, not a difference
            value, least, greatest = (float(np.log(max(one, 1e-6))) for one in (value, least, greatest))
        if value < least - leeway or value > greatest + leeway:
            found.append(name)
    return found

"""The detectors that are compared (section 4.2): DiffFake, its two baselines, and what its score may be made of, all on
the same backbone.
"""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Detector:
    """A detector: its key in metrics, what people call it, and where its scores stand.

    ``score``: the column of a video's score in the ``SCORES`` table. Where the video is scored by its pairs or
    frames (``part``: pair or frame), their own scores stand in the column ``part_score`` of ``PAIR_SCORES`` or
    ``FRAME_SCORES``; else both are empty.
    """

    key: str
    label: str
    score: str
    part: str = ""
    part_score: str = ""


DIFFFAKE = Detector("difffake", "DiffFake", "anomaly_score", "pair", "anomaly_score")
PAIR_DENSITY = Detector("pairs", "pair density", "pair_density")
TYPICALITY = Detector("typicality", "typicality", "typicality")
BOUNDARY = Detector("boundary", "boundary map", "boundary_score")
DRIFT = Detector("drift", "drift", "drift")
SINGLE_FRAME = Detector("single_frame", "single frame", "single_frame_score", "frame", "single_frame_score")
CLASSIFIER = Detector("classifier", "classifier", "classifier_logit", "frame", "classifier_logit")
OF_PAPER = (DIFFFAKE, SINGLE_FRAME, CLASSIFIER)  # those of the paper's tables
DETECTORS = (*OF_PAPER, PAIR_DENSITY, TYPICALITY, BOUNDARY, DRIFT)
# This project's answer: auc.json, the curves and the alarms are of it, and the others are compared with it.
DEFAULT = DIFFFAKE


def detectors_of(videos: pd.DataFrame) -> list[Detector]:
    """Those that there is something to say of: the default, the paper's, and others that score one of the videos.

    ``videos``: ``SCORES`` of one dataset.
    """
    always = (DEFAULT, *OF_PAPER)
    return [one for one in DETECTORS if one in always or videos[one.score].notna().any()]


def named_detectors(videos: pd.DataFrame) -> dict[str, Detector]:
    """:func:`detectors_of` by their names in the tables by family and of pairs: ``default``, and the others' keys."""
    return {"default": DEFAULT} | {one.key: one for one in detectors_of(videos) if one is not DEFAULT}

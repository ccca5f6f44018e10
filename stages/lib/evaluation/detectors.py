"""The detectors that are compared (section 4.2): DiffFake, its two baselines, and what its score may be made of, all on
the same backbone.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Detector:
    """A detector: its key in metrics, what people call it, and where its scores stand.

    ``score``: the column of a video's score in the ``SCORES`` table. Where that is the mean over the video's pairs or
    frames (``part``: pair or frame), their scores stand in the column ``part_score`` of ``PAIR_SCORES`` or
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
SINGLE_FRAME = Detector("single_frame", "single frame", "single_frame_score", "frame", "single_frame_score")
CLASSIFIER = Detector("classifier", "classifier", "classifier_logit", "frame", "classifier_logit")
DETECTORS = (DIFFFAKE, SINGLE_FRAME, CLASSIFIER, PAIR_DENSITY, TYPICALITY, BOUNDARY)
# This project's answer: auc.json, the curves and the alarms are of it, and the others are compared with it.
DEFAULT = DIFFFAKE


def named_detectors() -> dict[str, Detector]:
    """The detectors by their names in the tables by family and of pairs: ``default``, and the others' keys."""
    return {"default": DEFAULT} | {one.key: one for one in DETECTORS if one is not DEFAULT}

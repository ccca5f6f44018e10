"""The detectors that are compared (section 4.2): DiffFake and its two baselines, on the same backbone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Detector:
    """A detector: its key in metrics, what people call it, and where its scores stand.

    ``score``: the column of a video's score in the ``SCORES`` table. That is the mean over the video's pairs or frames
    (``part``), whose scores stand in the column ``part_score`` of ``PAIR_SCORES`` or ``FRAME_SCORES``.
    """

    key: str
    label: str
    score: str
    part: str
    part_score: str


DIFFFAKE = Detector("difffake", "DiffFake", "anomaly_score", "pair", "anomaly_score")
SINGLE_FRAME = Detector("single_frame", "single frame", "single_frame_score", "frame", "single_frame_score")
CLASSIFIER = Detector("classifier", "classifier", "classifier_logit", "frame", "classifier_logit")
DETECTORS = (DIFFFAKE, SINGLE_FRAME, CLASSIFIER)

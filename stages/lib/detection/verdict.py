"""What is decided of one video, and where its score stands among those of real validation videos."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stages.lib.anomaly.scoring import VideoScore
from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.looks import unlike
from stages.lib.calibration.ratios import FamilyRatio, likelihood_ratios
from stages.lib.calibration.thresholds import p_value, percentile, threshold
from stages.lib.detection.observation import Note, NoteCode, Observation, looks_of
from stages.lib.reasons import FrameReject, VideoReject

_NOTES = {"face_px": NoteCode.FACE_SIZE, "brightness": NoteCode.BRIGHTNESS, "detail": NoteCode.DETAIL}
ANOMALOUS, NOT_ANOMALOUS, CANNOT_TELL = "anomalous", "not anomalous", "cannot tell"


@dataclass(frozen=True)
class Pair:
    """Two faces of a video, by their rows in ``Observation.crops``, and the anomaly score of the pair."""

    a: int
    b: int
    anomaly_score: float


@dataclass
class Verdict:
    """What is decided of one video, in codes and figures.

    ``decision`` is ``anomalous``, ``not anomalous`` or ``cannot tell``; the last with a ``reject_reason``.
    ``anomaly_score`` equals the pipeline's. ``interval``: 95 % bootstrap interval of the score over the video's pairs.
    ``likelihood_ratios``: what the score says for each family of fakes that the model was measured on; no part of the
    decision.
    """

    observation: Observation
    decision: str = CANNOT_TELL
    reject_reason: VideoReject | None = None
    anomaly_score: float | None = None
    interval: tuple[float, float] | None = None
    percentile: float | None = None
    p_value: float | None = None
    pairs: list[Pair] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    likelihood_ratios: list[FamilyRatio] = field(default_factory=list)

    @property
    def n_faces(self) -> int:
        """How many faces are used."""
        return len(self.observation.crops)

    @property
    def is_like_the_reals(self) -> bool | None:
        """Whether its faces are about as large, as light and as sharp as those of the reals; None without a score."""
        return None if self.anomaly_score is None else not {note.code for note in self.notes} & set(_NOTES.values())

    @property
    def frame_rejects(self) -> dict[FrameReject, int]:
        """{reject reason: how many frames have no face that is used for it}, by reason."""
        return dict(
            sorted(Counter(face.reject_reason for face in self.observation.faces if face.reject_reason).items())
        )


def decide(
    observation: Observation, pairs: np.ndarray, score: VideoScore, calibration: Calibration, rate: float
) -> Verdict:
    """The verdict on a video at a false-alarm rate in (0, 1).

    ``pairs``: int64 (m, 2), rows of the faces used; ``score``: of :func:`stages.lib.anomaly.scoring.score_video`.
    """
    verdict = Verdict(observation, CANNOT_TELL, score.reject_reason, score.anomaly_score, score.interval)
    verdict.notes = list(observation.notes)
    if verdict.anomaly_score is not None:
        of_pairs = zip(pairs, score.pair_scores, strict=True)
        verdict.pairs = [Pair(int(a), int(b), float(value)) for (a, b), value in of_pairs]
        _place_among_reals(verdict, verdict.anomaly_score, calibration, rate)
        verdict.likelihood_ratios = likelihood_ratios(calibration.measured, verdict.anomaly_score)
    return verdict


def _place_among_reals(verdict: Verdict, score: float, calibration: Calibration, rate: float) -> None:
    """Where a score stands among the validation reals, and how sure that is."""
    reals = np.array(calibration.validation.scores)
    limit = threshold(reals, rate)
    of_video = looks_of(verdict.observation)
    for measure in unlike(of_video, calibration.looks):
        least, greatest = calibration.looks[measure]
        verdict.notes.append(Note(_NOTES[measure], {"value": of_video[measure], "least": least, "greatest": greatest}))
    if limit is None:
        verdict.reject_reason = VideoReject.UNCALIBRATED
        return
    verdict.decision = ANOMALOUS if score > limit else NOT_ANOMALOUS
    verdict.percentile, verdict.p_value = percentile(reals, score), p_value(reals, score, rate)
    if verdict.interval and verdict.interval[0] <= limit < verdict.interval[1]:
        verdict.notes.append(Note(NoteCode.BORDERLINE))

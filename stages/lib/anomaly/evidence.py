"""What the pairs of a video say, and how that becomes one score beside the same of real videos.

Three kinds of evidence, a row of three numbers for each pair: its density (the negated log-likelihood of equation 7),
the classifier's logit, and the boundary map's, each the higher the more anomalous. A video's evidence is the mean over
its pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from stages.lib.anomaly.settings import EVIDENCE, ScoringSettings

_HIGHEST = 0.1  # share of a boundary map's cells that make its evidence: a boundary is a line, not an area
_LEAST = 1e-4  # probability: log-odds stay finite
FEWEST_REALS = 2  # real videos that a deviation can be taken of


def boundary_logit(maps: np.ndarray) -> np.ndarray:
    """The log-odds of the mean of the highest tenth of boundary maps, probabilities (n, cells): (n,)."""
    highest = max(round(_HIGHEST * maps.shape[1]), 1)
    # Copied as float64 first: converted while it is summed, a row's rounding would depend on the rows before it.
    mean = np.sort(maps, axis=1)[:, -highest:].astype(np.float64).mean(axis=1).clip(_LEAST, 1 - _LEAST)
    result: np.ndarray = np.log(mean / (1 - mean))
    return result


def pair_evidence(density: np.ndarray, logit: np.ndarray, boundary: np.ndarray | None, pairs: np.ndarray) -> np.ndarray:
    """The evidence of each of m pairs, float64 (m, 3), in the order of ``EVIDENCE``.

    ``density``: (m,), by pair. ``logit`` and ``boundary`` (of :func:`boundary_logit`): (n,), by face; ``pairs``: int64
    (m, 2), rows of the faces. Without a boundary map its column is NaN.
    """
    boundary = np.full(len(logit), np.nan) if boundary is None else boundary
    of_faces = [values.astype(np.float64)[pairs].mean(axis=1) for values in (logit, boundary)]
    return np.column_stack([density, *of_faces])


@dataclass(frozen=True)
class Reference:
    """The evidence of real videos that others are held against: ``video_ids``, and ``evidence`` float64 (n, 3)."""

    video_ids: tuple[str, ...]
    evidence: np.ndarray

    def without(self, video_id: str) -> "Reference":
        """The reference without one of its videos: what that one is held against."""
        kept = [at for at, one in enumerate(self.video_ids) if one != video_id]
        return Reference(tuple(self.video_ids[at] for at in kept), self.evidence[kept])

    def deviations(self, evidence: np.ndarray) -> np.ndarray:
        """Evidence (…, 3) in deviations from the mean of the reference, less for a reference of few, (…, 3).

        That is Student's statistic of one more video of the same kind. 0 for evidence that is the same in all of the
        reference: it has no scale. NaN for evidence that there isn't, and for fewer than two videos.
        """
        n = len(self.video_ids)
        if n < FEWEST_REALS:
            return np.full(evidence.shape, np.nan)
        varies = np.ptp(self.evidence, axis=0) != 0  # true for NaN as well
        deviation = np.where(varies, self.evidence.std(axis=0, ddof=1) * np.sqrt(1 + 1 / n), np.inf)
        result: np.ndarray = (evidence - self.evidence.mean(axis=0)) / deviation
        return result

    def to_dict(self) -> dict[str, Any]:
        """What a model's file keeps of it."""
        return {"video_ids": list(self.video_ids), "evidence": self.evidence}

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> "Reference":
        """The reference of :meth:`to_dict`. Raises TypeError or ValueError for anything else."""
        video_ids, evidence = tuple(content["video_ids"]), np.asarray(content["evidence"], np.float64)
        if evidence.shape != (len(video_ids), len(EVIDENCE)) or not all(isinstance(one, str) for one in video_ids):
            raise ValueError("the reference's evidence doesn't fit its videos")
        return Reference(video_ids, evidence)


def make_reference(evidence: Mapping[str, np.ndarray]) -> Reference:
    """The reference of real videos: {video_id: its evidence (3,)}."""
    video_ids = sorted(evidence)
    rows: Sequence[np.ndarray] = [evidence[video_id] for video_id in video_ids]
    return Reference(tuple(video_ids), np.array(rows, np.float64).reshape(-1, len(EVIDENCE)))


def typicality(evidence: np.ndarray, reference: Reference) -> np.ndarray:
    """How far the density (…, 3) lies from real videos' on either side, in their deviations: (…).

    Where fakes are smoother than real videos they are likelier than these, and likelihood misleads (Nalisnick et al.,
    2019).
    """
    result: np.ndarray = np.abs(reference.deviations(evidence)[..., 0])
    return result


def combined_score(evidence: np.ndarray, reference: Reference, settings: ScoringSettings) -> np.ndarray:
    """The anomaly score of evidence (…, 3) by ``scoring``: (…).

    The density by itself, as the paper has it; with ``side: typical`` its typicality; with ``combine`` the sum of the
    density's and the other evidence's deviations from real videos'. Evidence that there isn't (no boundary map) adds
    nothing. NaN where real videos are needed and there are fewer than two.
    """
    if settings.side == "upper" and not settings.combine:
        result: np.ndarray = evidence[..., 0]
        return result
    deviations = reference.deviations(evidence)
    score: np.ndarray = np.abs(deviations[..., 0]) if settings.side == "typical" else deviations[..., 0]
    for name in settings.combine:
        at = EVIDENCE.index(name)
        score = score + np.where(np.isnan(evidence[..., at]), 0, deviations[..., at])
    return score


def pair_density(model: Pipeline, fused: np.ndarray) -> np.ndarray:
    """The negated log-likelihood of one video's vectors, float32 (n, d): float64 (n,); higher is more anomalous.

    Where the model has no likelihood (``ocsvm``, ``autoencoder``), its negated ``score_samples`` takes that place. One
    video at a time, because in one large matrix product the rounding of a video's scores would depend on which others
    are present.
    """
    if not len(fused):
        return np.empty(0)
    scores: np.ndarray = -model.score_samples(fused.astype(np.float64))
    return scores

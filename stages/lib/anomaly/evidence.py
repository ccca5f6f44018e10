"""What the pairs of a video say, and how that becomes one score beside the same of real videos.

Four kinds of evidence, a row of four numbers for each pair: its density (the negated log-likelihood of equation 7), the
classifier's logit, the boundary map's, and how little the video's frames drift apart, each the higher the more
anomalous. A video's evidence is the mean over its pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtri_exp, stdtr
from sklearn.pipeline import Pipeline

from stages.lib.anomaly.settings import EVIDENCE, ScoringSettings
from stages.lib.records import APPEARANCE_SHAPE

_HIGHEST = 0.1  # share of a boundary map's cells that make its evidence: a boundary is a line, not an area
_LEAST = 1e-4  # probability: log-odds stay finite
_COLOUR = 2  # of appearance: the mean and the deviation of each channel
_LEAST_CHANGE = 0.01  # of them, in their units: less is the encoder's rounding
_LEAST_TAIL = 1e-300  # probability: the smallest that its logarithm is taken of
_CERTAINLY_ORDINARY = -1e-6  # logarithm of a probability that is almost 1: a deviate stays finite
FEWEST_REALS = 2  # real videos that a deviation can be taken of


def boundary_logit(maps: np.ndarray) -> np.ndarray:
    """The log-odds of the mean of the highest tenth of boundary maps, probabilities (n, cells): (n,)."""
    highest = max(round(_HIGHEST * maps.shape[1]), 1)
    # Copied as float64 first: converted while it is summed, a row's rounding would depend on the rows before it.
    mean = np.sort(maps, axis=1)[:, -highest:].astype(np.float64).mean(axis=1).clip(_LEAST, 1 - _LEAST)
    result: np.ndarray = np.log(mean / (1 - mean))
    return result


def drift(appearance: np.ndarray, times: np.ndarray) -> float:
    """How little the colours of a video's faces change more between distant frames than between neighbours.

    ``appearance``: (n, 54); ``times``: (n,), in seconds. The negated slope, by least squares over all pairs of frames,
    of the logarithm of their change over that of the time between them: 0 where distant frames differ no more than
    neighbours, about -0.5 for a random walk. In a real video light, camera and pose wander; a picture that is set in
    motion keeps coming back to its one state. The slope is the Hurst exponent of the variogram, and depends neither on
    how much the colours change nor on which stretch of time is looked at. NaN for fewer than three times.
    """
    colours = appearance.reshape(-1, *APPEARANCE_SHAPE)[:, :, :_COLOUR].astype(np.float64)
    first, second = np.triu_indices(len(times), 1)
    apart = np.log(np.maximum(times[second] - times[first], 1e-3))
    if not len(apart) or not np.ptp(apart):
        return float("nan")
    change = np.log(np.abs(colours[first] - colours[second]) + _LEAST_CHANGE).mean(axis=(1, 2, 3))
    apart -= apart.mean()
    return -float(apart @ change / (apart @ apart))


def pair_evidence(
    density: np.ndarray, logit: np.ndarray, boundary: np.ndarray | None, drift: float, pairs: np.ndarray
) -> np.ndarray:
    """The evidence of each of m pairs, float64 (m, 4), in the order of ``EVIDENCE``.

    ``density``: (m,), by pair. ``logit`` and ``boundary`` (of :func:`boundary_logit`): (n,), by face; ``pairs``: int64
    (m, 2), rows of the faces. ``drift``: of the video, the same for all of its pairs. Without a boundary map its column
    is NaN.
    """
    boundary = np.full(len(logit), np.nan) if boundary is None else boundary
    of_faces = [values.astype(np.float64)[pairs].mean(axis=1) for values in (logit, boundary)]
    return np.column_stack([density, *of_faces, np.full(len(density), drift)])


@dataclass(frozen=True)
class Reference:
    """The evidence of real videos that others are held against: ``video_ids``, and ``evidence`` float64 (n, 4).

    ``left_out``: how many were taken away.
    """

    video_ids: tuple[str, ...]
    evidence: np.ndarray
    left_out: int = 0

    def without(self, *video_ids: str) -> "Reference":
        """The reference without some of its videos (one, or all of a person): what these are held against."""
        kept = [at for at, one in enumerate(self.video_ids) if one not in video_ids]
        left_out = self.left_out + len(self.video_ids) - len(kept)
        return Reference(tuple(self.video_ids[at] for at in kept), self.evidence[kept], left_out)

    # What every video is held against, computed once.
    @cached_property
    def _sorted(self) -> np.ndarray:
        return np.sort(self.evidence, axis=0)

    @cached_property
    def _varies(self) -> np.ndarray:
        varies: np.ndarray = np.ptp(self.evidence, axis=0) != 0  # true for NaN as well
        return varies

    @cached_property
    def _mean_and_deviation(self) -> tuple[np.ndarray, np.ndarray]:
        deviation = self.evidence.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(self.video_ids))
        return self.evidence.mean(axis=0), np.where(self._varies, deviation, np.inf)

    def deviations(self, evidence: np.ndarray) -> np.ndarray:
        """Evidence (…, 4) in deviations from the mean of the reference, less for a reference of few, (…, 4).

        That is Student's statistic of one more video of the same kind. 0 for evidence that is the same in all of the
        reference: it has no scale. NaN for evidence that there isn't, and for fewer than two videos.
        """
        if len(self.video_ids) < FEWEST_REALS:
            return np.full(evidence.shape, np.nan)
        mean, deviation = self._mean_and_deviation
        result: np.ndarray = (evidence - mean) / deviation
        return result

    def tails(self, evidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The probabilities that one more real video has at least, or at most, as much of evidence (…, 4): (…, 4).

        The rank among the reference, whatever its distribution; between two ranks, and beyond the last, by Student's
        tail of the deviation: the smoothed p-value of conformal prediction with that in place of its random number.
        About a half for evidence that is the same in all of the reference. NaN where :meth:`deviations` are.
        """
        n, deviations = len(self.video_ids), self.deviations(evidence)
        all_of_them = n + self.left_out  # else the threshold, of videos that are left out, would be too low for others
        varies = self._varies if n else np.ones(len(EVIDENCE), bool)
        tails = []
        for sign in (1, -1):
            beyond = np.empty(evidence.shape, np.int64)
            for kind, own in enumerate(self._sorted.T):  # of NaN all ranks are alike: the tail is NaN
                rank = own.searchsorted(evidence[..., kind], "left" if sign > 0 else "right")
                beyond[..., kind] = n - rank if sign > 0 else rank
            smoothed = np.maximum(stdtr(max(n - 1, 1), -sign * deviations), _LEAST_TAIL)
            tails.append((np.where(varies, beyond, n / 2) + smoothed) / (all_of_them + 1))
        return tails[0], tails[1]

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
    """The reference of real videos: {video_id: its evidence (4,)}.

    A video without some evidence that others have (drift, where its times are unknown) is left out: nothing could be
    held against it there.
    """
    video_ids = np.array(sorted(evidence), dtype=str)
    rows = np.array([evidence[video_id] for video_id in video_ids], np.float64).reshape(-1, len(EVIDENCE))
    known = ~np.isnan(rows)
    whole = (known | ~known.any(axis=0)).all(axis=1)
    return Reference(tuple(video_ids[whole].tolist()), rows[whole])


def typicality(evidence: np.ndarray, reference: Reference) -> np.ndarray:
    """How far the density of evidence (…, 4) lies from real videos' on either side, in their deviations: (…).

    Where fakes are smoother than real videos they are likelier than these, and likelihood misleads (Nalisnick et al.,
    2019).
    """
    result: np.ndarray = np.abs(reference.deviations(evidence)[..., 0])
    return result


def only_pairs(settings: ScoringSettings) -> bool:
    """Whether the score is made of the density of pairs by itself."""
    return settings.evidence == ["pairs"]


def combined_score(evidence: np.ndarray, reference: Reference, settings: ScoringSettings) -> np.ndarray:
    """The anomaly score of evidence (…, 4) by ``scoring``: (…). The density by itself, as the paper has it, or the
    :func:`deviate` of what ``scoring.evidence`` names.
    """
    if settings.side == "upper" and only_pairs(settings):
        result: np.ndarray = evidence[..., 0]
        return result
    return deviate(evidence, reference, settings)


def deviate(evidence: np.ndarray, reference: Reference, settings: ScoringSettings) -> np.ndarray:
    """How unusual evidence (…, 4) is beside real videos', as a standard normal deviate: (…).

    Each kind of evidence that ``scoring.evidence`` names becomes the probability that one more real video has as much
    of it (:meth:`Reference.tails`; of the density with ``side: typical`` to either side). Their harmonic mean combines
    them (Wilson, 2019), kinds that go together as well as independent ones: the kind that is farthest out decides, and
    what is unsuspicious can hardly outweigh it. Evidence that there isn't (no boundary map) is left out. NaN where
    there are fewer than two real videos.
    """
    at = [EVIDENCE.index(name) for name in settings.evidence]
    upper, lower = (tails[..., at] for tails in reference.tails(evidence))
    two_sided = np.array([settings.side == "typical" and name == "pairs" for name in settings.evidence])
    p = np.where(two_sided, 2 * np.minimum(upper, lower), upper)
    known = ~np.isnan(evidence[..., at])
    # By logarithms, so that what is very far out keeps its order.
    mean = np.log(known.sum(axis=-1)) - logsumexp(np.where(known, -np.log(p), -np.inf), axis=-1)
    result: np.ndarray = -ndtri_exp(np.minimum(mean, _CERTAINLY_ORDINARY))
    return result


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

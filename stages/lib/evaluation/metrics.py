"""From video scores to metrics: AUC per method, ROC curves, histograms, and what was used and dropped."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from stages.lib.datasets.folds import people
from stages.lib.evaluation.detectors import Detector, detectors_of
from stages.lib.evaluation.intervals import auc_interval
from stages.lib.records import FAKE, REAL

ALL = "all"


def auc(real: np.ndarray, fake: np.ndarray) -> float | None:
    """Area under the ROC curve of scores (higher: fake), None where a class has no scores."""
    if len(real) == 0 or len(fake) == 0:
        return None
    return float(roc_auc_score(*_labelled(real, fake)))


def equal_error_rate(real: np.ndarray, fake: np.ndarray) -> float | None:
    """The error rate at the threshold where as many reals are called fake as fakes real, between thresholds
    linearly.
    """
    if len(real) == 0 or len(fake) == 0:
        return None
    fpr, tpr, _ = roc_curve(*_labelled(real, fake), drop_intermediate=False)
    gap = fpr - (1 - tpr)  # grows from -1 to 1 along the curve
    after = int(np.argmax(gap >= 0))
    before = max(after - 1, 0)
    share = 0.0 if after == before else -gap[before] / (gap[after] - gap[before])
    return float(fpr[before] + share * (fpr[after] - fpr[before]))


def average_precision(real: np.ndarray, fake: np.ndarray) -> float | None:
    """Area under the precision-recall curve with fakes as positives; it depends on the share of fakes."""
    return None if len(real) == 0 or len(fake) == 0 else float(average_precision_score(*_labelled(real, fake)))


def _labelled(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(real), len(fake)]), np.concatenate([real, fake])


@dataclass(frozen=True)
class Parts:
    """Scores of the pairs or frames of videos: float64 (n,), and which ``row`` of the videos each is of, int32 (n,)."""

    row: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class EvaluatedDataset:
    """A dataset's videos with their scores, and what they are scored by.

    ``videos``: the ``SCORES`` table, of all splits; ``parts``: gives the scores of the pairs or frames that a detector
    scores some of them by. Those of one detector are in memory at a time.
    """

    videos: pd.DataFrame
    parts: Callable[[Detector, pd.DataFrame], Parts]

    @cached_property
    def test(self) -> pd.DataFrame:
        """The videos of the test split, on which everything but coverage is measured, with the ``person`` of each."""
        return self.videos.assign(person=people(self.videos))[self.videos["split"] == "test"]

    def metrics(self, seed: int) -> dict[str, dict[str, Any]]:
        """{detector: :func:`detector_metrics`} of :func:`detectors_of` the test split."""
        videos = self.test
        return {
            one.key: detector_metrics(videos, self.parts(one, videos) if one.part else None, one, seed)
            for one in detectors_of(videos)
        }


def detector_metrics(videos: pd.DataFrame, parts: Parts | None, detector: Detector, seed: int) -> dict[str, Any]:
    """Everything about one detector on one dataset's test videos, per method and over ``all``.

    ``videos``: ``SCORES`` with the ``person`` of each; ``parts``: its scores of their pairs or frames, None where it
    has none. Video AUC with its interval over people, equal error rate, average precision, AUC and equal error
    rate of single pairs or frames, and how many reals and fakes all that rests on.
    """
    found = {
        method: group_metrics(reals, fakes, detector.score, seed)
        for method, (reals, fakes) in by_group(videos, detector.score, "method").items()
    }
    scores = by_method(videos, detector.score)
    for method, (real, fake) in scores.items():
        found[method]["eer"] = equal_error_rate(real, fake)
        found[method]["average_precision"] = average_precision(real, fake)
    if parts is not None:
        for method, (reals, fakes) in by_group(videos.reset_index(drop=True), detector.score, "method").items():
            real, fake = (parts.score[_among(parts.row, own.index, len(videos))] for own in (reals, fakes))
            found[method][f"{detector.part}_auc"] = auc(real, fake)
            found[method][f"{detector.part}_eer"] = equal_error_rate(real, fake)
    return found


def _among(rows: np.ndarray, wanted: pd.Index, n: int) -> np.ndarray:
    """Which of some rows, each of n, are wanted ones."""
    is_wanted = np.zeros(n, bool)
    is_wanted[wanted] = True
    result: np.ndarray = is_wanted[rows]
    return result


def group_metrics(reals: pd.DataFrame, fakes: pd.DataFrame, score: str, seed: int) -> dict[str, Any]:
    """The AUC of a column ``score`` with its interval over people, and how many reals and fakes it rests on."""
    return {
        "auc": auc(reals[score].to_numpy(), fakes[score].to_numpy()),
        "auc_ci95": auc_interval(reals, fakes, score, seed),
        "n_real": len(reals),
        "n_fake": len(fakes),
    }


def by_group(videos: pd.DataFrame, score: str, column: str) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """{method or family (``column``): (all reals, that group's fakes)} and ``all``; videos without a score are left
    out.
    """
    scored = videos.dropna(subset=[score])
    reals, fakes = scored[scored["label"] == REAL], scored[scored["label"] == FAKE]
    return {name: (reals, rows) for name, rows in fakes.groupby(column, sort=True)} | {ALL: (reals, fakes)}


def by_method(videos: pd.DataFrame, score: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{method: (scores of all reals, scores of that method's fakes)} and ``all``; videos without a score are left
    out.
    """
    groups = by_group(videos, score, "method")
    return {method: (reals[score].to_numpy(), fakes[score].to_numpy()) for method, (reals, fakes) in groups.items()}


def roc_rows(dataset: str, videos: pd.DataFrame, score: str) -> list[dict[str, object]]:
    """The ROC curve of each method as rows: dataset, method, fpr, tpr."""
    rows: list[dict[str, object]] = []
    for method, (real, fake) in by_method(videos, score).items():
        if auc(real, fake) is not None:
            fpr, tpr, _ = roc_curve(*_labelled(real, fake))
            rows += [{"dataset": dataset, "method": method, "fpr": x, "tpr": y} for x, y in zip(fpr, tpr, strict=True)]
    return rows


def histogram_rows(dataset: str, videos: pd.DataFrame, score: str, bins: int = 24) -> list[dict[str, object]]:
    """Score histogram of reals against each method's fakes as rows: dataset, kind, score (the bin's middle), share of
    the kind.
    """
    scored = videos.dropna(subset=[score])
    if scored.empty:
        return []
    edges = np.histogram_bin_edges(scored[score], bins)
    rows: list[dict[str, object]] = []
    for kind, group in scored.assign(kind=scored["method"].where(scored["label"] == FAKE, REAL)).groupby(
        "kind", sort=True
    ):
        counts, _ = np.histogram(group[score], edges)
        rows += [
            {"dataset": dataset, "kind": kind, "score": middle, "share": count / len(group)}
            for middle, count in zip((edges[:-1] + edges[1:]) / 2, counts, strict=True)
        ]
    return rows


def coverage(videos: pd.DataFrame) -> dict[str, Any]:
    """What became of every indexed video and every extracted frame, by reason and over all splits."""
    dropped = videos["reject_reason"].dropna()
    frames: Counter[str] = Counter()
    for rejects in videos["frame_rejects"]:
        frames.update(json.loads(rejects))
    return {
        "videos": {
            "indexed": len(videos),
            "used": int(videos["anomaly_score"].notna().sum()),
            "dropped": _counts(dropped),
            "noted": _counts(videos["note"].dropna()),
        },
        "frames": {
            "extracted": int(videos["n_frames"].sum()),
            "used": int(videos["n_faces"].sum()),
            "dropped": dict(sorted(frames.items())),
        },
    }


def _counts(reasons: pd.Series) -> dict[str, int]:
    return {reason: int(count) for reason, count in sorted(Counter(reasons).items())}

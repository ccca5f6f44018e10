"""From video scores to metrics: AUC per method, ROC curves, histograms, and what was used and dropped."""

import json
from collections import Counter

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score, roc_curve

from stages.lib.tables import FAKE, REAL

ALL = "all"


def auc(real: np.ndarray, fake: np.ndarray) -> float | None:
    """Area under the ROC curve of scores (higher: fake), None where a class has no scores."""
    if len(real) == 0 or len(fake) == 0:
        return None
    return float(roc_auc_score(np.repeat([0, 1], [len(real), len(fake)]), np.concatenate([real, fake])))


def by_method(videos: pd.DataFrame, score: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{method: (scores of all reals, scores of that method's fakes)} and ``all``; videos without a score are left out."""
    scored = videos.dropna(subset=[score])
    real, fakes = scored[scored["label"] == REAL][score].to_numpy(), scored[scored["label"] == FAKE]
    methods = {method: (real, rows[score].to_numpy()) for method, rows in fakes.groupby("method", sort=True)}
    return {**methods, ALL: (real, fakes[score].to_numpy())}


def auc_by_method(videos: pd.DataFrame, score: str) -> dict[str, float | None]:
    """Video-level AUC per method and over all: every real against that method's fakes (section 4.2)."""
    return {method: auc(real, fake) for method, (real, fake) in by_method(videos, score).items()}


def roc_rows(dataset: str, videos: pd.DataFrame, score: str) -> list[dict]:
    """The ROC curve of each method as rows: dataset, method, fpr, tpr."""
    rows = []
    for method, (real, fake) in by_method(videos, score).items():
        if auc(real, fake) is not None:
            fpr, tpr, _ = roc_curve(np.repeat([0, 1], [len(real), len(fake)]), np.concatenate([real, fake]))
            rows += [{"dataset": dataset, "method": method, "fpr": x, "tpr": y} for x, y in zip(fpr, tpr, strict=True)]
    return rows


def histogram_rows(dataset: str, videos: pd.DataFrame, score: str, bins: int = 24) -> list[dict]:
    """Score histogram of reals against each method's fakes as rows: dataset, kind, score (the bin's middle), share of the kind."""
    scored = videos.dropna(subset=[score])
    if scored.empty:
        return []
    edges = np.histogram_bin_edges(scored[score], bins)
    rows = []
    for kind, group in scored.assign(kind=scored["method"].where(scored["label"] == FAKE, REAL)).groupby(
        "kind", sort=True
    ):
        counts, _ = np.histogram(group[score], edges)
        rows += [
            {"dataset": dataset, "kind": kind, "score": middle, "share": count / len(group)}
            for middle, count in zip((edges[:-1] + edges[1:]) / 2, counts, strict=True)
        ]
    return rows


def coverage(videos: pd.DataFrame) -> dict:
    """What became of every indexed video and every extracted frame, by reason and over all splits."""
    dropped = videos["reject_reason"].dropna()
    frames = Counter()
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

"""Choosing what the score is made of, and reporting it on people that it was not chosen on.

The test people are dealt into two halves, a person's clips and their original's fakes together. What is best on one
half is reported on the other, and the reverse; both reports are pooled.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from stages.lib.anomaly.evidence import Reference, deviate
from stages.lib.anomaly.settings import EVIDENCE, ScoringSettings
from stages.lib.errors import InputError
from stages.lib.evaluation.alarms import cross_fitted_alarms
from stages.lib.evaluation.families import auc_difference
from stages.lib.evaluation.intervals import difference_interval
from stages.lib.evaluation.metrics import ALL, auc, by_group, group_metrics
from stages.lib.evaluation.pairs import group_of_pairs, pairs_of
from stages.lib.markdown import markdown_table
from stages.lib.records import REAL

CHOSEN, WITHOUT_PAIRS = "chosen", "chosen without pairs"
_RATE = 0.05  # nominal, of the false alarms that are counted
_PAIRS, _OTHERS = EVIDENCE[0], EVIDENCE[1:]


@dataclass(frozen=True)
class Candidate:
    """A way to make the score: by which evidence, on which side, and, where pairs are part of it, fused how."""

    evidence: tuple[str, ...]
    side: str = "upper"
    fusion: str = ""

    @property
    def label(self) -> str:
        """What people read."""
        pairs = f"pairs ({self.fusion}, {self.side})"
        return " + ".join(pairs if name == _PAIRS else name for name in self.evidence)

    @property
    def scoring(self) -> ScoringSettings:
        """The section of params that it is."""
        return ScoringSettings.model_validate({"side": self.side, "evidence": list(self.evidence)})

    @property
    def without_pairs(self) -> "Candidate | None":
        """The same by its other evidence alone; None where there is none."""
        others = tuple(name for name in self.evidence if name != _PAIRS)
        return Candidate(others) if others else None


def candidates(fusions: Sequence[str]) -> list[Candidate]:
    """Every choice of evidence; with the density of pairs, on either side and under each of the fusions."""
    subsets = [chosen for n in range(len(_OTHERS) + 1) for chosen in itertools.combinations(_OTHERS, n)]
    with_pairs = itertools.product(fusions, ("upper", "typical"), subsets)
    return [
        *(Candidate(others) for others in subsets if others),
        *(Candidate((_PAIRS, *others), side, fusion) for fusion, side, others in with_pairs),
    ]


def score_candidate(candidate: Candidate, evidence: Mapping[str, np.ndarray], reference: Reference) -> pd.Series:
    """The score of each video by a candidate, as a normal deviate, so that two candidates' can be pooled.

    ``evidence``: {video_id: the mean over its pairs, (4,)} of videos that are not in the reference.
    """
    rows = np.array(list(evidence.values())).reshape(-1, len(EVIDENCE))
    return pd.Series(deviate(rows, reference, candidate.scoring), list(evidence), dtype="float64")


def halves(videos: pd.DataFrame, seed: int) -> pd.Series:
    """Which half, 0 or 1, each row is in: people are dealt in turn, those with the same kinds of clips in a row.

    ``videos``: test videos with label, family and person.
    """
    kinds = videos["family"].where(videos["label"] != REAL, REAL).groupby(videos["person"])
    kinds = kinds.apply(lambda own: " ".join(sorted(set(own))))
    order = kinds.sort_index().sample(frac=1, random_state=seed).sort_values(kind="stable").index
    return videos["person"].map(dict(zip(order, np.arange(len(order)) % 2, strict=True)))


def mean_auc(videos: pd.DataFrame, score: str) -> float:
    """The mean over families of the AUC of a column: what is chosen by. NaN where no family has fakes and reals."""
    found = [auc(r[score].to_numpy(), f[score].to_numpy()) for r, f in _families(videos, score).values()]
    return float(np.mean([one for one in found if one is not None] or [np.nan]))


def _families(videos: pd.DataFrame, score: str) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    groups = by_group(videos, score, "family")
    return {name: group for name, group in groups.items() if name != ALL}


@dataclass(frozen=True)
class Training:
    """What one training gives to choose by.

    ``videos``: the test videos, ``SCORES`` with the ``person`` of each; ``scores``: each candidate's, by video_id;
    ``reals``: by fusion, the evidence of the real videos that nothing was trained on, with whose they are in ``people``
    ({video_id: person}).
    """

    videos: pd.DataFrame
    scores: Mapping[Candidate, pd.Series]
    reals: Mapping[str, Reference]
    people: Mapping[str, str]

    def reals_of(self, candidate: Candidate) -> Reference:
        """The evidence under the candidate's fusion, or any where it has none."""
        return self.reals[candidate.fusion] if candidate.fusion else next(iter(self.reals.values()))


@dataclass(frozen=True)
class Choice:
    """What was chosen on each half, and how it does on the other.

    ``best``: by half, what is best on it. ``scores``: of each training, the test videos with the columns ``chosen``
    (each video by what was chosen on the other half), the same ``chosen without pairs`` (NaN where that leaves
    nothing), ``classifier`` and ``single_frame``.
    """

    best: tuple[Candidate, Candidate]
    scores: list[pd.DataFrame]


def choose(runs: Sequence[Training], seed: int) -> Choice:
    """Choose on each half by the mean over trainings of :func:`mean_auc`.

    Raises :class:`InputError` where a half lacks reals or fakes with a score.
    """
    in_half = halves(runs[0].videos, seed)
    everyone = list(runs[0].scores)
    best = []
    for half in (0, 1):
        figures = {one: np.mean([_on_half(run, in_half, half, one) for run in runs]) for one in everyone}
        figures = {one: value for one, value in figures.items() if not np.isnan(value)}  # no boundary map, say
        if not figures:
            raise InputError(
                f"half {half} of the test people has no real or no fake video with a score; add some to the training "
                "dataset's test split, or validation reals (fewer than two give no score)"
            )
        # Of equals the one that is made of less.
        best.append(max(figures, key=lambda one: (round(figures[one], 6), -len(one.evidence))))
    scores = []
    for run in runs:
        videos, found = run.videos, run.scores
        reported = videos[["video_id", "label", "family", "original", "person"]].copy()
        of_chosen = [found[best[1 - half]] for half in (0, 1)]
        nothing = pd.Series(np.nan, videos["video_id"])
        without = [found[others] if (others := best[1 - half].without_pairs) else nothing for half in (0, 1)]
        for name, by_half in ((CHOSEN, of_chosen), (WITHOUT_PAIRS, without)):
            columns = [videos["video_id"].map(one) for one in by_half]
            reported[name] = columns[0].where(in_half == 0, columns[1])
        reported["classifier"], reported["single_frame"] = videos["classifier_logit"], videos["single_frame_score"]
        scores.append(reported)
    return Choice((best[0], best[1]), scores)


def _on_half(run: Training, in_half: pd.Series, half: int, candidate: Candidate) -> float:
    scores = run.videos["video_id"].map(run.scores[candidate])
    return mean_auc(run.videos.assign(score=scores)[in_half == half], "score")


def choice_page(choice: Choice, runs: Sequence[Training], seed: int, command: str) -> str:
    """Markdown: what was chosen and how it does on the people it was not chosen on; then every candidate.

    Intervals are of 95 %, over people, of the first training; with several, the mean and in brackets the range.
    """
    first, second = choice.best
    parts = [
        "# What the score is made of\n",
        f"Made by `{command}`.\n",
        f"Best on the first half of the test people: **{first.label}**; on the second: **{second.label}**. Each is "
        "reported on the other half, both pooled.\n",
        _reported(choice.scores, seed),
        *(_false_alarms(one, run) for one in dict.fromkeys(choice.best) for run in runs),
        "## Every candidate, on all test people\n",
        _all_candidates(runs, seed),
    ]
    return "\n".join(parts)


def _false_alarms(candidate: Candidate, run: Training) -> str:
    reals = run.reals_of(candidate)
    n, alarms = len(reals.video_ids), cross_fitted_alarms(reals, run.people, candidate.scoring, _RATE)
    low, high = binomtest(alarms, n).proportion_ci(method="wilson")
    return (
        f"False alarms of {candidate.label} at a nominal {_RATE:.0%}, over the real videos that nothing was trained "
        f"on, cross-fitted by people: {alarms} of {n} ({alarms / n:.1%} [{low:.1%}, {high:.1%}]).\n"
    )


def _reported(scores: list[pd.DataFrame], seed: int) -> str:
    rows = []
    families = [*_families(scores[0], CHOSEN), ALL]
    for name in (CHOSEN, "classifier", "single_frame", WITHOUT_PAIRS):
        cells = [_cell(scores, name, family, seed) for family in families]
        rows.append([name, *cells, _pairs_cell(scores, name, seed)])
    for other in ("classifier", "single_frame", WITHOUT_PAIRS):
        cells = [_difference_cell(scores, other, family, seed) for family in families]
        rows.append([f"{CHOSEN} less {other}", *cells, ""])
    return markdown_table(["", *families, "fake above its original"], rows)


def _all_candidates(runs: Sequence[Training], seed: int) -> str:
    rows, families = [], list(_families(runs[0].videos.assign(score=0.0), "score"))
    for one in runs[0].scores:
        scores = [run.videos.assign(score=run.videos["video_id"].map(run.scores[one])) for run in runs]
        figure = float(np.mean([mean_auc(videos, "score") for videos in scores]))
        cells = [_cell(scores, "score", family, seed) for family in families]
        rows.append((figure, [one.label, f"{figure:.3f}", *cells, _pairs_cell(scores, "score", seed)]))
    rows.sort(key=lambda row: -np.nan_to_num(row[0], nan=-1.0))
    return markdown_table(["", "mean", *families, "fake above its original"], [row for _, row in rows])


def _cell(scores: list[pd.DataFrame], column: str, family: str, seed: int) -> str:
    groups = [by_group(videos, column, "family") for videos in scores]
    if not all(family in one for one in groups):
        return "–"
    found = [group_metrics(*one[family], column, seed) for one in groups]
    return _with_interval([one["auc"] for one in found], found[0]["auc_ci95"])


def _pairs_cell(scores: list[pd.DataFrame], column: str, seed: int) -> str:
    found: list[dict[str, Any]] = []
    for videos in scores:
        fakes = pairs_of(videos, column)
        if fakes.empty:
            return "–"
        found.append(group_of_pairs(fakes, videos[videos["video_id"].isin(fakes["original"])], column, seed))
    return _with_interval([one["win_rate"] for one in found], found[0]["win_rate_ci95"])


def _difference_cell(scores: list[pd.DataFrame], other: str, family: str, seed: int) -> str:
    values, interval = [], None
    for number, videos in enumerate(scores):
        groups = by_group(videos.dropna(subset=[other]), CHOSEN, "family")
        if family not in groups:
            return "–"
        reals, fakes = groups[family]
        values.append(auc_difference(reals, fakes, CHOSEN, other))
        if number == 0:
            interval = difference_interval(reals, fakes, CHOSEN, other, seed)
    return _with_interval(values, interval)


def _with_interval(values: list[float | None], interval: list[float] | None) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    several = f" ({min(known):.3f} to {max(known):.3f})" if len(known) > 1 else ""
    bounds = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{np.mean(known):.3f}{several}{bounds}"

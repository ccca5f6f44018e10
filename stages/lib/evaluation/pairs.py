"""Fakes beside the very videos that they were made from: person, camera and light cancel, and only the forgery is left.

A pair is a test fake whose ``original`` is a test video, both with a score. (An original in another split may have been
trained on, and would have a low score for that alone.)
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from stages.lib.evaluation.detectors import Detector, named_detectors
from stages.lib.evaluation.intervals import mean_interval
from stages.lib.evaluation.metrics import by_group, group_metrics
from stages.lib.figures import plt, save_png
from stages.lib.records import FAKE, FAMILIES, REAL

_WON, _LOST = "#2166ac", "#d6604d"
_TICKS = [step * 10**power for power in range(6) for step in (1, 2, 5)]
_MOST_DRAWN = 2000  # pairs in a panel: more can't be told apart, and each line takes memory and time
_MARKERS = dict(zip(FAMILIES, "os^D", strict=True))


def pair_metrics(videos: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """{detector: {method, family or ``all``: :func:`group_of_pairs`}} over pairs alone; nothing where there are none.

    ``videos``: the test videos, ``SCORES`` with the ``person`` of each. Where a method is called as a family, the
    figures are the family's.
    """
    found = {name: _by_method_and_family(videos, one, seed) for name, one in named_detectors(videos).items()}
    return {name: groups for name, groups in found.items() if groups}


def _by_method_and_family(videos: pd.DataFrame, detector: Detector, seed: int) -> dict[str, Any]:
    pairs = pairs_of(videos, detector.score)
    if pairs.empty:
        return {}
    groups = by_group(pairs, detector.score, "method") | by_group(pairs, detector.score, "family")
    reals = videos[videos["label"] == REAL]
    return {
        name: group_of_pairs(fakes, reals[reals["video_id"].isin(fakes["original"])], detector.score, seed)
        for name, (_, fakes) in groups.items()
    }


def pairs_of(videos: pd.DataFrame, score: str) -> pd.DataFrame:
    """The fakes that have a score and whose original has one, with that as ``of_original``."""
    scored = videos.dropna(subset=[score])
    of_original = scored[scored["label"] == REAL].set_index("video_id")[score]
    fakes = scored[scored["label"] == FAKE]
    of_fakes = fakes["original"].map(of_original).astype("float64")
    return fakes.assign(of_original=of_fakes).dropna(subset=["of_original"])


def group_of_pairs(fakes: pd.DataFrame, originals: pd.DataFrame, score: str, seed: int) -> dict[str, Any]:
    """The number of pairs ``n``, the share in which the fake scores above its own original (a tie counts half), and the
    AUC of all those fakes against all those originals; each with its interval over people.
    """
    won = np.sign(fakes[score] - fakes["of_original"]).to_numpy() / 2 + 0.5
    of_all = group_metrics(originals, fakes, score, seed)
    return {
        "n": len(fakes),
        "win_rate": float(won.mean()),
        "win_rate_ci95": mean_interval(won, fakes["person"], seed),
        "auc": of_all["auc"],
        "auc_ci95": of_all["auc_ci95"],
    }


def pair_plot(path: Path, datasets: dict[str, pd.DataFrame]) -> None:
    """A PNG with a row for each dataset that has pairs, a panel for each detector that scores one, and a line for each
    pair: from the real video's score to its fake's. At the foot stands how many fakes of each family lie above their
    originals. Of more than 2,000 pairs so many are drawn, evenly; the numbers are of all.

    ``datasets``: {name: test videos}. Scores are in standard deviations of the dataset's test reals, from their mean.
    """
    detectors = {
        one.score: one
        for videos in datasets.values()
        for one in named_detectors(videos).values()
        if len(pairs_of(videos, one.score))
    }
    panels = {
        name: [(one, pairs_of(videos, one.score), _reals(videos, one.score)) for one in detectors.values()]
        for name, videos in datasets.items()
    }
    panels = {name: row for name, row in panels.items() if any(len(pairs) for _, pairs, _ in row)}
    if not panels:
        figure, axis = plt.subplots(figsize=(8, 1.2), layout="constrained")
        axis.text(0.5, 0.5, "no pairs: no test fake names an original that has a score", ha="center", va="center")
        axis.set_axis_off()
        save_png(figure, path, dpi=80)
        return
    shape = (len(panels), len(detectors))
    figure, axes = plt.subplots(*shape, figsize=(3.6 * shape[1], 4.4 * shape[0]), squeeze=False, layout="constrained")
    for row, (dataset, found) in zip(axes, panels.items(), strict=True):
        for axis, (detector, pairs, reals) in zip(row, found, strict=True):
            _draw_pairs(axis, detector.score, pairs, reals)
            axis.set_title(f"{dataset}: {detector.label}", fontsize=10)
        row[0].set_ylabel("score, in deviations of test reals")
    save_png(figure, path, dpi=80)


def _reals(videos: pd.DataFrame, score: str) -> pd.Series:
    return videos.loc[videos["label"] == REAL, score].dropna()


def _draw_pairs(axis: Axes, score: str, pairs: pd.DataFrame, reals: pd.Series) -> None:
    """The real videos at the left, and a column for each family of their fakes."""
    columns = [family for family in FAMILIES if (pairs["family"] == family).any()]
    centre, deviation = reals.mean(), reals.std(ddof=0) or 1.0
    real, fake = (pairs["of_original"] - centre) / deviation, (pairs[score] - centre) / deviation
    at, won = pairs["family"].map({family: 1 + number for number, family in enumerate(columns)}), fake > real
    thin = min(0.7, max(0.1, 40 / max(len(pairs), 1)))
    drawn = np.zeros(len(pairs), bool)
    drawn[np.linspace(0, len(pairs) - 1, min(len(pairs), _MOST_DRAWN)).astype(int)] = True
    for colour, rows, words in ((_WON, won, "above"), (_LOST, ~won, "not above")):
        lines = rows & drawn
        axis.plot([np.zeros(lines.sum()), at[lines]], [real[lines], fake[lines]], color=colour, lw=0.8, alpha=thin)
        for family in columns:
            shown = lines & (pairs["family"] == family)
            axis.plot(at[shown], fake[shown], _MARKERS[family], color=colour, ms=4)
        axis.plot([], [], color=colour, label=f"fake {words} its original: {rows.sum()} of {len(pairs)}")
    axis.plot(np.zeros(drawn.sum()), real[drawn], "o", color="grey", ms=3)
    counts = [won[pairs["family"] == family] for family in columns]
    names = [f"{family}\n{wins.sum()} of {len(wins)}" for family, wins in zip(columns, counts, strict=True)]
    axis.set(xlim=(-0.3, len(columns) + 0.3), xticks=range(len(columns) + 1), xticklabels=[REAL, *names])
    axis.set_yscale("symlog", linthresh=3)  # a few scores may lie many deviations out
    axis.yaxis.set_major_locator(FixedLocator([0, *(sign * tick for tick in _TICKS for sign in (-1, 1))]))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.grid(axis="y", lw=0.3)
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.13))

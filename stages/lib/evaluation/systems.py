"""The systems of the papers' tables side by side: by family of fakes, with intervals, and paired on the same videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stages.lib.evaluation.detectors import DEFAULT, DETECTORS, Detector
from stages.lib.evaluation.families import auc_difference
from stages.lib.evaluation.intervals import difference_interval
from stages.lib.evaluation.metrics import ALL, by_group, group_metrics
from stages.lib.evaluation.pairs import group_of_pairs, pairs_of
from stages.lib.evaluation.tables import stacked_panels, with_fakes
from stages.lib.figures import save_png
from stages.lib.markdown import markdown_table
from stages.lib.records import FAMILIES, REAL
from stages.lib.systems.registry import SYSTEMS

OURS = DEFAULT.key  # the settings as they are, among the systems
SCORE = "score"


def own_detector(system: str) -> Detector:
    """The detector whose scores are a system's own."""
    key = DEFAULT.key if system == OURS else SYSTEMS[system].detector
    return next(one for one in DETECTORS if one.key == key)


def compare_systems(
    scores: Mapping[str, pd.DataFrame], seen: Mapping[str, Sequence[str]], seed: int
) -> dict[str, dict[str, Any]]:
    """{system: {family or ``all``: AUC, ``ci95``, ``trained_on_fakes``, and what :func:`_paired` adds}} of one dataset.

    ``scores``: {system: test videos, ``SCORES`` with the ``person`` of each, and the system's own score as ``score``};
    ``seen``: {system: methods of the genuine fakes that it was trained on}.
    """
    found = {}
    for system, videos in scores.items():
        groups = by_group(videos, SCORE, "family")
        metrics = {family: group_metrics(*group, SCORE, seed) for family, group in groups.items()}
        whole = metrics[ALL]
        found[system] = {family: one["auc"] for family, one in metrics.items()}
        found[system] |= {"ci95": whole["auc_ci95"], "n_real": whole["n_real"], "n_fake": whole["n_fake"]}
        found[system] |= {"trained_on_fakes": list(seen[system])}
        found[system] |= _paired(videos, scores.get(OURS), seed)
    return found


def _paired(videos: pd.DataFrame, ours: pd.DataFrame | None, seed: int) -> dict[str, Any]:
    """``win_rate``: the share of fakes that score above their own originals, and ``difference``: the AUC less ours on
    the videos that both score; each with its interval over people. None where there is nothing to pair.
    """
    pairs, reals = pairs_of(videos, SCORE), videos[videos["label"] == REAL]
    of_pairs: dict[str, Any] = {"n": 0, "win_rate": None, "win_rate_ci95": None}
    if len(pairs):
        of_pairs = group_of_pairs(pairs, reals[reals["video_id"].isin(pairs["original"])], SCORE, seed)
    result = {"n_pairs": of_pairs["n"]} | {name: of_pairs[name] for name in ("win_rate", "win_rate_ci95")}
    if ours is None:
        return result | {"difference": None, "difference_ci95": None}
    both = videos.merge(ours[["video_id", SCORE]].rename(columns={SCORE: OURS}), on="video_id").dropna(subset=[OURS])
    real, fake = by_group(both, SCORE, "family")[ALL]
    return result | {
        "difference": auc_difference(real, fake, SCORE, OURS),
        "difference_ci95": difference_interval(real, fake, SCORE, OURS, seed),
    }


def systems_page(found: Mapping[str, Mapping[str, Mapping[str, Any]]], failed: Mapping[str, str], command: str) -> str:
    """A table in Markdown for each dataset, of {dataset: :func:`compare_systems`}; ``failed``: {system: why}."""
    text = [
        "# Systems",
        "",
        "Video-level AUC in % on the test split, of each system's own score; in brackets 95 % intervals over people. "
        "Won: the share of fakes that score above the very video they were made from. Difference: of its AUC from "
        f"that of {DEFAULT.label}, on the same videos.",
        "",
        f"Made by `{command}`.",
        "",
    ]
    for dataset, systems in found.items():
        families = sorted(family for family in FAMILIES if any(family in one for one in systems.values()))
        head = ["", *families, ALL, "won", "difference", "reals", "fakes"]
        rows = [
            [
                with_fakes(name, one["trained_on_fakes"]),
                *(_percent(one.get(family)) for family in families),
                _percent(one[ALL], one["ci95"]),
                _percent(one["win_rate"], one["win_rate_ci95"]),
                "–" if name == OURS else _percent(one["difference"], one["difference_ci95"]),
                str(one["n_real"]),
                str(one["n_fake"]),
            ]
            for name, one in systems.items()
        ]
        text += [f"## {dataset}", "", markdown_table(head, rows)]
    if failed:
        text += ["## Not run", "", markdown_table(("system", "why"), list(failed.items()))]
    text += [
        "## What each is",
        "",
        markdown_table(("system", "is"), [(n, one.description) for n, one in SYSTEMS.items()]),
    ]
    return "\n".join(text)


def _percent(value: float | None, interval: list[float] | None = None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f}" + (" [{:.1f}, {:.1f}]".format(*(100 * one for one in interval)) if interval else "")


def plot_systems(path: Path, found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """A PNG with a panel for each dataset: a dot for each system's AUC over all fakes with its interval, the best on
    top; chance is a line.
    """
    figure, axes = stacked_panels([len(systems) for systems in found.values()])
    for axis, (dataset, systems) in zip(axes, found.items(), strict=True):
        ranked = sorted(systems.items(), key=lambda item: -1.0 if item[1][ALL] is None else item[1][ALL])
        for at, (name, one) in enumerate(ranked):
            if one[ALL] is None:
                continue
            low, high = one["ci95"] or (one[ALL], one[ALL])
            colour = "#d6604d" if name == OURS else "#2166ac"
            axis.plot([low, high], [at, at], color=colour, lw=1.5)
            axis.plot(one[ALL], at, "o", color=colour, ms=5)
        axis.set_yticks(range(len(ranked)), [name for name, _ in ranked])
        axis.axvline(0.5, color="grey", lw=0.8)
        axis.set_xlim(min([0.2, *(one["ci95"][0] for _, one in ranked if one["ci95"])]), 1)
        axis.set_title(dataset, fontsize=10, loc="left")
        axis.grid(axis="x", lw=0.3)
    axes[-1].set_xlabel("video-level AUC over all fakes, 95 % interval over people (chance 0.5)")
    save_png(figure, path, dpi=90)

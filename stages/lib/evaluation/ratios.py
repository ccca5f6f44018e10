"""How good likelihood ratios are: their cost (Cllr) and their distributions (Tippett plot), on people that they were
not fitted to.

Of each family against all reals of a test split, where both show enough people. The people are dealt into folds; those
of a fold get the ratios that :func:`stages.lib.calibration.ratios.fit_likelihood_ratio` makes of all others. What
``detect`` gives is fitted to all people of the training dataset, in the same way.
"""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.isotonic import IsotonicRegression

from stages.lib.calibration.ratios import FEWEST_PEOPLE, by_person, enough, fit_likelihood_ratio
from stages.lib.evaluation.detectors import DEFAULT
from stages.lib.evaluation.intervals import balanced_mean_interval
from stages.lib.evaluation.metrics import ALL, by_group
from stages.lib.figures import plt, save_png
from stages.lib.records import FAKE, REAL

LOG_RATIO = "log_ratio"
_FOLDS = 10
_COLOURS = {REAL: "#2166ac", FAKE: "#d6604d"}
# {family: (its reals, its fakes)}, test videos with the natural logarithm of their ratio in the column ``log_ratio``
Ratios = dict[str, tuple[pd.DataFrame, pd.DataFrame]]


def cross_validated_ratios(videos: pd.DataFrame) -> Ratios:
    """The ratios of the videos of each family and of the reals, each by the other folds' people; families of too few
    people are left out.

    ``videos``: test videos, ``SCORES`` with the ``person`` of each.
    """
    ratios = {}
    for family, (reals, fakes) in by_group(videos, DEFAULT.score, "family").items():
        if family != ALL and enough(by_person(reals, DEFAULT.score), by_person(fakes, DEFAULT.score)):
            logs = _by_other_people(pd.concat([reals, fakes]))
            ratios[family] = (
                reals.assign(**{LOG_RATIO: logs[: len(reals)]}),
                fakes.assign(**{LOG_RATIO: logs[len(reals) :]}),
            )
    return ratios


def folds(videos: pd.DataFrame) -> pd.Series:
    """Which fold each row is in: people are dealt in turn, those with reals, with fakes and with both each in a row, so
    that no fold takes most of the people of either. (scikit-learn's grouped folds weigh videos, and may.)

    ``videos``: label and person.
    """
    kinds = videos.groupby("person")["label"].agg(lambda labels: " ".join(sorted(set(labels))))
    order = kinds.sort_index().sort_values(kind="stable").index
    return videos["person"].map(dict(zip(order, np.arange(len(order)) % _FOLDS, strict=True)))


def _by_other_people(videos: pd.DataFrame) -> np.ndarray:
    logs, fold = np.empty(len(videos)), folds(videos).to_numpy()
    for number in np.unique(fold):
        own, others = fold == number, videos[fold != number]
        groups = (by_person(others[others["label"] == label], DEFAULT.score) for label in (REAL, FAKE))
        logs[own] = fit_likelihood_ratio(*groups).log(videos[DEFAULT.score].to_numpy()[own])
    return logs


def ratio_costs(log_ratios: np.ndarray, label: str) -> np.ndarray:
    """What each ratio costs, in bits: log2(1 + LR) of a real, log2(1 + 1 / LR) of a fake. 1 for a ratio of 1."""
    result: np.ndarray = np.logaddexp(0, -log_ratios if label == FAKE else log_ratios) / np.log(2)
    return result


def cllr(real: np.ndarray, fake: np.ndarray) -> float:
    """The log-likelihood-ratio cost of natural logarithms of ratios (n,) and (m,): Brümmer & du Preez, Computer Speech
    and Language 20, 2006, 230-275.

    0 is perfect; 1 is what ratios of 1 give, that say nothing; above that they mislead.
    """
    return float(ratio_costs(real, REAL).mean() + ratio_costs(fake, FAKE).mean()) / 2


def cllr_min(real: np.ndarray, fake: np.ndarray) -> float:
    """The least cost that any rising function of the ratios would have (pool-adjacent-violators): what lack of
    discrimination costs. The rest of :func:`cllr` is lack of calibration.
    """
    n, m = len(real), len(fake)
    weights = np.repeat([1 / n, 1 / m], [n, m])
    labels = np.repeat([0.0, 1.0], [n, m])
    chances = IsotonicRegression().fit_transform(np.concatenate([real, fake]), labels, sample_weight=weights)
    # A block of reals alone has chance 0 and costs them nothing; no fake is in it.
    return float(-np.log2(1 - chances[:n]).mean() - np.log2(chances[n:]).mean()) / 2


def ratio_metrics(ratios: Ratios, seed: int) -> dict[str, dict[str, Any]]:
    """{family: what it is made of, ``cllr`` with its interval over people, ``cllr_min``, the share of reals and of
    fakes whose ratio speaks for the other, and the bounds of ratios that are fitted to all these people}.
    """
    found = {}
    for family, (reals, fakes) in ratios.items():
        real, fake = reals[LOG_RATIO].to_numpy(), fakes[LOG_RATIO].to_numpy()
        fitted = fit_likelihood_ratio(by_person(reals, DEFAULT.score), by_person(fakes, DEFAULT.score))
        costs = reals.assign(cost=ratio_costs(real, REAL)), fakes.assign(cost=ratio_costs(fake, FAKE))
        found[family] = {
            "methods": {str(method): int(n) for method, n in fakes["method"].value_counts().sort_index().items()},
            "n_real": len(reals),
            "n_fake": len(fakes),
            "people_real": reals["person"].nunique(),
            "people_fake": fakes["person"].nunique(),
            "cllr": cllr(real, fake),
            "cllr_ci95": balanced_mean_interval(*costs, "cost", seed),
            "cllr_min": cllr_min(real, fake),
            "misleading_real": float(np.mean(real > 0)),
            "misleading_fake": float(np.mean(fake < 0)),
            "bounds": [float(np.exp(fitted.least)), float(np.exp(fitted.greatest))],
        }
    return found


def tippett_plot(path: Path, datasets: dict[str, Ratios]) -> None:
    """A PNG with a row for each dataset that has ratios and a panel for each family: the share of its fakes, and of the
    reals, whose ratio is greater than each value.
    """
    rows = {name: ratios for name, ratios in datasets.items() if ratios}
    if not rows:
        figure, axis = plt.subplots(figsize=(8, 1.2), layout="constrained")
        words = f"no likelihood ratios: no test split has fakes of one family of {FEWEST_PEOPLE} people,\n"
        axis.text(0.5, 0.5, words + "and real videos of as many, with a score", ha="center", va="center")
        axis.set_axis_off()
        save_png(figure, path, dpi=80)
        return
    shape = len(rows), max(map(len, rows.values()))
    figure, axes = plt.subplots(*shape, figsize=(4.4 * shape[1], 4.0 * shape[0]), squeeze=False, layout="constrained")
    for row, (dataset, ratios) in zip(axes, rows.items(), strict=True):
        for axis in row[len(ratios) :]:
            axis.set_axis_off()
        for axis, (family, (reals, fakes)) in zip(row, ratios.items(), strict=False):
            _draw_tippett(axis, reals, fakes)
            methods = textwrap.fill(", ".join(sorted(set(fakes["method"]))), 44)
            axis.set_title(f"{dataset}: {family}\n{methods}", fontsize=9)
        row[0].set_ylabel("share with a greater ratio")
    save_png(figure, path, dpi=80)


def _draw_tippett(axis: Axes, reals: pd.DataFrame, fakes: pd.DataFrame) -> None:
    real, fake = (videos[LOG_RATIO].to_numpy() / np.log(10) for videos in (reals, fakes))
    edge = 1.1 * max(np.abs(np.concatenate([real, fake])).max(), 0.1)
    for label, own in ((REAL, real), (FAKE, fake)):
        values = np.sort(own)
        at, shares = np.concatenate([[-edge], values, [edge]]), 1 - np.arange(len(values) + 1) / len(values)
        words = f"{label}: {len(values)} videos of {(reals if label == REAL else fakes)['person'].nunique()} people"
        axis.step(at, np.append(shares, 0.0), where="post", color=_COLOURS[label], label=words)
    axis.axvline(0, color="grey", lw=0.8)
    cost = cllr(reals[LOG_RATIO].to_numpy(), fakes[LOG_RATIO].to_numpy())
    axis.set(xlim=(-edge, edge), ylim=(-0.02, 1.02), xlabel=f"log10 of the likelihood ratio (Cllr {cost:.2f})")
    axis.grid(lw=0.3)
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.15))

"""The card of released models: what they were made of, how good they are, where they are weak.

After "Model cards for model reporting" (Mitchell et al., 2019).
"""

from typing import Annotated, Any

from pydantic import Field

from stages.lib.calibration.bundle import Calibration, fakes_in_words
from stages.lib.markdown import markdown_table
from stages.lib.settings import Settings, Text

ABOUT = "about.yaml"
_SHOWN = {"default": "DiffFake", "single_frame": "single frame", "classifier": "classifier"}  # of detail.json


class Material(Settings):
    """Something that the models were made of, where it comes from, and under which terms."""

    what: Text
    origin: Text
    terms: Text


class About(Settings):
    """What the makers of a release say of it (``about.yaml``), in sentences: figures are added from measurements.

    ``summary``: two sentences, for wherever the models judge: what they were trained on, and how far to trust them.
    """

    title: Text
    summary: Text
    method: Text
    trained: Text
    material: Annotated[list[Material], Field(min_length=1)]
    use: Annotated[list[Text], Field(min_length=1)]
    weak: Annotated[list[Text], Field(min_length=1)]
    licence: Text


def model_card(
    name: str, about: About, calibration: Calibration, detail: dict[str, Any], alarms: dict[str, Any]
) -> str:
    """The card, Markdown. ``detail``: ``metrics/detail.json``; ``alarms``: ``metrics/calibration.json``."""
    trained, validation = calibration.trained_on, calibration.validation
    against, chose = "pseudo-fakes; no forgery", "pseudo-fakes of them"
    if trained.fakes:
        against, chose = f"fakes, genuine ones among them ({fakes_in_words(trained.fakes)})", "fakes"
    facts = [
        ("trained on", f"{_count(trained.videos, trained.people)}, and {against}"),
        (
            "calibrated on",
            f"{_count(len(validation.scores), validation.people)}, to which nothing was fitted; {chose} chose the "
            "epoch",
        ),
        ("decides at", f"a false-alarm rate of {calibration.false_alarm_rate:.0%}, unless told otherwise"),
        *((f"SHA-256 of {file}", f"`{digest}`") for file, digest in calibration.files.items()),
        ("packages", ", ".join(f"{package} {version}" for package, version in calibration.packages.items())),
    ]
    parts = [
        f"# Model card: {name}",
        f"{about.title}\n\n{about.summary}",
        markdown_table(("", ""), facts),
        f"## Made of\n\n{about.trained}",
        markdown_table(("what", "from", "terms"), [(one.what, one.origin, one.terms) for one in about.material]),
        f"## Method\n\n{about.method}",
        f"## How good it is\n\n{_figures(detail, alarms)}",
        f"## What it is for\n\n{_listed(about.use)}",
        f"## Where it is weak\n\n{_listed(about.weak)}",
        f"## Licence\n\n{about.licence}",
        f"`make release NAME={name}` writes this page, of `released/{name}/{ABOUT}` and the run's measurements.",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _count(videos: int, people: int) -> str:
    return f"{videos} real videos" + (f" of {people} people" if people else "")


def _listed(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _figures(detail: dict[str, Any], alarms: dict[str, Any]) -> str:
    """AUC by family with intervals, and the false alarms, of every dataset's test split."""
    rows, sentences = [], []
    for dataset, detectors in detail["families"].items():
        for family, found in detectors["default"].items():
            aucs = [_auc(detectors[key][family]) if key in detectors else "–" for key in _SHOWN]
            rows.append((dataset, family, *aucs, str(found["n_real"]), str(found["n_fake"])))
    for dataset, found in alarms["datasets"].items():
        if found["achieved"] is None:
            continue
        low, high = found["achieved_ci95"]
        alarmed = f"{round(found['achieved'] * found['n_real'])} of {found['n_real']}"
        sentence = (
            f"At a nominal false-alarm rate of {alarms['nominal']:.0%}, {alarmed} real test videos of `{dataset}` are "
            f"called anomalous ({found['achieved']:.1%}, 95 % interval {low:.1%} to {high:.1%})"
        )
        caught = [f"{share:.0%} of {method}" for method, share in found["found"].items() if share is not None]
        sentences.append(sentence + (f", and of its fakes {', '.join(caught)}." if caught else "."))
    head = ("dataset", "family", *(f"{label}: AUC" for label in _SHOWN.values()), "reals", "fakes")
    intro = (
        "Video-level AUC on the test split with 95 % intervals (bootstrap over people), by family of fakes. The two "
        "baselines are on the same network.\n\n"
    )
    return intro + markdown_table(head, rows) + "\n" + "\n".join(sentences)


def _auc(found: dict[str, Any]) -> str:
    if found["auc"] is None:
        return "–"
    interval = "" if found["auc_ci95"] is None else " [{:.3f}, {:.3f}]".format(*found["auc_ci95"])
    return f"{found['auc']:.3f}{interval}"

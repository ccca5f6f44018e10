"""The report of a run: one HTML page that needs nothing else, opens offline, and runs no script but that of its
table.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from matplotlib.figure import Figure

from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.thresholds import threshold
from stages.lib.detection.changes import change
from stages.lib.detection.verdict import ANOMALOUS, Verdict
from stages.lib.detection.wording import (
    limits,
    model_in_words,
    note_in_words,
    ratios_in_words,
    reason,
    verdict_in_words,
    what_a_verdict_rests_on,
)
from stages.lib.faces.video_faces import Face
from stages.lib.figures import plt, svg_bytes
from stages.lib.images import encode_jpeg
from stages.lib.reason_words import FRAME_REJECTS

MOST_SHOWN = 50  # videos of a run with a section of their own; pictures of more would make a page that no browser opens
_PAIRS_SHOWN = 3
_WIDTH = 5  # inches of a plot: its letters can still be read on a phone
_FACE_SIDE = 96  # px of a face among the faces used
_MACROS: Any = (
    jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    .get_template("report.html")
    .module
)
_SORT = (Path(__file__).parent / "sort.js").read_text(encoding="utf-8")
_SORT_HASH = f"sha256-{base64.b64encode(hashlib.sha256(_SORT.encode()).digest()).decode()}"  # the page runs this alone
_REAL, _THIS, _ALARM = "#0d5c75", "#1b1e21", "#9c1c1c"  # as in style.css


@dataclass
class _Entry:
    """A video in the report: its row of the table, and its section (Jinja's markup), None where it isn't shown."""

    row: dict[str, str]
    section: str | None = None

    @property
    def score(self) -> float:
        return float(self.row["score_key"] or -np.inf)


def _order(entry: _Entry) -> tuple[float, str]:
    """The most anomalous first; those without a score last."""
    return -entry.score, entry.row["name"]


def _row(name: str, decision: str, score: float | None, percentile: float | None, why: str | None) -> dict[str, str]:
    """A video's row of the table."""
    return {
        "id": f"video-{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}",
        "name": name,
        "decision": decision,
        "score": "–" if score is None else f"{score:.2f}",
        "score_key": "" if score is None else repr(float(score)),
        "percentile": "–" if percentile is None else f"{percentile:.0f}",
        "percentile_key": "" if percentile is None else repr(float(percentile)),
        "reason": why or "",
    }


class Report:
    """Collects a run's videos, and writes the page.

    A section is made when its video is added, so that crops needn't be kept; of more than ``MOST_SHOWN`` videos only
    the most anomalous keep theirs, and of the others the table has a row.
    """

    def __init__(self, calibration: Calibration, rate: float) -> None:
        self._calibration, self._rate = calibration, rate
        self._limit = threshold(calibration.validation.scores, rate)
        self._entries: dict[str, _Entry] = {}

    def add(self, verdict: Verdict) -> None:
        """Add a video, or add it again."""
        why = reason(verdict, self._calibration)
        row = _row(verdict.observation.name, verdict.decision, verdict.anomaly_score, verdict.percentile, why)
        self._entries[row["name"]] = _Entry(row, self._section(row["id"], verdict))
        with_section = [entry for entry in self._entries.values() if entry.section]
        if len(with_section) > MOST_SHOWN:
            max(with_section, key=_order).section = None

    def restore(self, verdict: Mapping[str, Any]) -> None:
        """Add a video that an earlier run judged, unless it is there; ``verdict``: as JSON holds it."""
        keys = ("video", "decision", "anomaly_score", "percentile", "reason")
        row = _row(*(verdict[key] for key in keys))
        self._entries.setdefault(row["name"], _Entry(row))

    def lacking(self) -> list[str]:
        """Names of the restored videos that are to be shown, and have to be added again for it."""
        return [entry.row["name"] for entry in self._foremost(MOST_SHOWN) if not entry.section]

    def _foremost(self, n: int) -> list[_Entry]:
        """The n most anomalous videos; those without a score come last."""
        return sorted(self._entries.values(), key=_order)[:n]

    def page(self, warnings: list[str], home: str | None = None) -> str:
        """The whole page, the most anomalous video first. ``warnings``: what to know of the run as a whole;
        ``home``: the address of the page to go back to.
        """
        entries = self._foremost(len(self._entries))
        counts = Counter(entry.row["decision"] for entry in entries)
        summary = ", ".join(f"{count} {decision}" for decision, count in sorted(counts.items()))
        videos = f"{len(entries)} video{'' if len(entries) == 1 else 's'}"
        title = videos
        if len(entries) == 1:
            title = f"{entries[0].row['decision'].capitalize()}: {entries[0].row['name']}"
        page: str = _MACROS.page(
            f"{title} – DiffFake report",
            f"{videos}: {summary}. Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
            [entry.row | {"shown": bool(entry.section)} for entry in entries],
            [entry.section for entry in entries if entry.section],
            MOST_SHOWN if len(entries) > MOST_SHOWN else 0,
            what_a_verdict_rests_on(self._calibration, self._rate),
            limits(self._calibration),
            warnings,
            self._model(),
            home,
            _SORT,
            _SORT_HASH,
        )
        return page.strip() + "\n"

    def _model(self) -> list[tuple[str, str]]:
        calibration = self._calibration
        facts = [("Which judges", " ".join(model_in_words(calibration)))]
        facts += [("Card", calibration.release.card)] if calibration.release else []
        facts += [("Fusion", calibration.fusion), ("Frames per video", str(calibration.frames.per_video))]
        facts += [("Pairs per video", str(calibration.pairs.per_video))]
        facts += [(f"SHA-256 of {name}", digest) for name, digest in calibration.files.items()]
        return facts + [("Calibrated with", ", ".join(f"{name} {v}" for name, v in calibration.packages.items()))]

    def _section(self, name: str, verdict: Verdict) -> str:
        """A video's section."""
        headline, sentences = verdict_in_words(verdict, self._calibration, self._rate)
        notes = [note_in_words(note) for note in verdict.notes]
        pictures = self._pictures(verdict) if verdict.observation.view else {}
        ratios = ratios_in_words(verdict.likelihood_ratios)
        section: str = _MACROS.video(
            verdict, name, headline, sentences, notes, ratios, pictures, _dropped(verdict), _facts(verdict)
        )
        return section

    def _pictures(self, verdict: Verdict) -> dict[str, Any]:
        crops, used, view = verdict.observation.crops, verdict.observation.used, verdict.observation.view
        times = [f"{face.time_s:.2f} s" for face in used]
        faces = [{"image": _face(crop, _FACE_SIDE), "time": time} for crop, time in zip(crops, times, strict=True)]
        pictures: dict[str, Any] = {"view": _data_uri(view, "jpeg") if view else None, "faces": faces}
        if verdict.anomaly_score is not None:
            pictures["scores"] = self._scores_plot(verdict, verdict.anomaly_score)
            worst = sorted(verdict.pairs, key=lambda pair: -pair.anomaly_score)[:_PAIRS_SHOWN]
            pictures["timeline"] = self._timeline(verdict, used)
            pictures["pairs"] = []
            for pair in worst:
                rows = sorted((pair.a, pair.b))
                captions = [f"Frame {used[row].frame_index}, at {times[row]}" for row in rows]
                shown = [
                    {"image": _face(crops[row]), "alt": f"Face of {caption}", "caption": caption}
                    for row, caption in zip(rows, captions, strict=True)
                ]
                differs = {"image": _face(change(verdict.observation, *rows).picture)}
                differs |= {"alt": f"Difference between {' and '.join(captions)}", "caption": "What differs"}
                pictures["pairs"].append({"score": pair.anomaly_score, "faces": [*shown, differs]})
        return pictures

    def _scores_plot(self, verdict: Verdict, score: float) -> dict[str, str]:
        """The score among those of real videos."""
        groups = {"real, validation": self._calibration.validation.scores, "real, test": self._calibration.test.scores}
        groups = {name: scores for name, scores in groups.items() if scores}
        limit = self._limit
        figure, axis = plt.subplots(figsize=(_WIDTH, 1.7 + 0.4 * len(groups)), layout="constrained")
        for height, scores in enumerate(groups.values(), start=1):
            opacity = min(1.0, 0.3 + 20 / len(scores))
            axis.plot(scores, [height] * len(scores), "o", mfc="none", color=_REAL, alpha=opacity)
        # A score far beyond the reals would squeeze them into a point: it is shown as an arrow at the edge.
        known = [real for scores in groups.values() for real in scores] or [score]
        known += [] if limit is None else [limit]
        span = max(max(known) - min(known), 1e-6)
        shown = float(np.clip(score, min(known) - 2 * span, max(known) + 2 * span))
        marker = "D" if shown == score else ">" if shown < score else "<"
        axis.plot([shown], [0], marker, color=_ALARM if verdict.decision == ANOMALOUS else _THIS, ms=9)
        axis.annotate(f"{score:.2f}", (shown, 0), xytext=(0, 9), textcoords="offset points", ha="center")
        if verdict.interval and shown == score:
            axis.plot(verdict.interval, [0, 0], color=_THIS, lw=1.5, zorder=0)
        words = f"This video’s score is {score:.2f}."
        if validation := groups.get("real, validation"):
            words += f" {len(validation)} real validation videos have {min(validation):.2f} to {max(validation):.2f}."
        if limit is not None:
            axis.axvline(limit, color=_ALARM, ls="--", lw=1.2)
            axis.annotate(f" threshold {limit:.2f}", (limit, len(groups) + 0.45), color=_ALARM, va="center")
            words += f" Above {limit:.2f} a video is called anomalous, at a false-alarm rate of {self._rate:.1%}."
        if verdict.interval:
            low, high = verdict.interval
            words += (
                f" With other pairs of its frames it might be {low:.2f} to {high:.2f} (95 % bootstrap interval over "
                "pairs)."
            )
        axis.set_yticks(range(len(groups) + 1), ["this video", *groups])
        axis.set(ylim=(-0.6, len(groups) + 0.7), xlabel="anomaly score (higher: more anomalous)")
        axis.margins(x=0.12)
        return _plot(figure, words)

    def _timeline(self, verdict: Verdict, used: list[Face]) -> dict[str, str]:
        """The scores of pairs over the video's time."""
        times = np.array([(used[pair.a].time_s + used[pair.b].time_s) / 2 for pair in verdict.pairs])
        scores, order = np.array([pair.anomaly_score for pair in verdict.pairs]), np.argsort(times)
        figure, axis = plt.subplots(figsize=(_WIDTH, 2.6), layout="constrained")
        axis.plot(times[order], scores[order], "o-", color=_THIS, ms=4, lw=0.8, label="pairs of this video")
        at = times[np.argmax(scores)]
        words = f"Its {len(scores)} pairs score {scores.min():.2f} to {scores.max():.2f}, the highest at {at:.2f} s."
        if self._calibration.pair_scores:
            low, _, high = self._calibration.pair_scores
            axis.axhspan(low, high, color=_REAL, alpha=0.2, label="90 % of real validation pairs")
            words += f" {np.mean(scores > high):.0%} of them lie above the band, {low:.2f} to {high:.2f}, "
            words += "in which 90 % of the pairs of real validation videos lie."
        dropped = [face.time_s for face in verdict.observation.faces if face.reject_reason]
        if dropped:
            on_axis: dict[str, Any] = {"transform": axis.get_xaxis_transform(), "clip_on": False}
            axis.plot(dropped, [0] * len(dropped), "x", color=_ALARM, label="frames dropped", **on_axis)
        axis.set(xlabel="time in the video (s), middle of the pair", ylabel="anomaly score")
        figure.legend(loc="outside upper left", ncols=2, fontsize=8, frameon=False)
        return _plot(figure, words)


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _face(crop: np.ndarray, side: int | None = None) -> str:
    """A crop, RGB uint8 (h, h, 3), as a data URI, shrunk to ``side``."""
    image = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    if side:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return _data_uri(encode_jpeg(image), "jpeg")


def _plot(figure: Figure, words: str) -> dict[str, str]:
    """A plot as a data URI, and what it shows in words."""
    return {"image": _data_uri(svg_bytes(figure), "svg+xml"), "words": words}


def _dropped(verdict: Verdict) -> list[dict[str, Any]]:
    """The frames without a face that could be used, by reason."""
    rows = []
    for code, count in verdict.frame_rejects.items():
        times = [f"{face.time_s:.2f}" for face in verdict.observation.faces if face.reject_reason == code]
        rows.append({"reason": FRAME_REJECTS[code], "count": count, "times": f"{', '.join(times)} s"})
    return rows


def _facts(verdict: Verdict) -> list[tuple[str, str]]:
    observation, extracted = verdict.observation, verdict.observation.extracted
    facts = [("Size", f"{observation.n_bytes:,} bytes")]
    if observation.sha256:
        facts.append(("SHA-256", observation.sha256))
    if extracted.n_decoded:
        counts = (extracted.n_decoded, observation.n_frames, verdict.n_faces)
        facts.append(("Frames", "{} decoded, {} looked at, {} with a face that was used".format(*counts)))
        facts.append(("Resolution", f"{extracted.width} × {extracted.height} px"))
    return facts

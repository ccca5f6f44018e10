"""detect: say of videos whether their frames differ as those of real videos do, by the models that the pipeline made.

    python -m stages.detect VIDEO_OR_FOLDER … [--json FILE] [--report FILE.html]

Prints a table. Exit code 0: all were scored; 2: some could not be, each with its reason; 1: wrong arguments or models.
"""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from tqdm import tqdm

from stages.cli import run
from stages.lib.calibration.bundle import Calibration, load_calibration, package_versions
from stages.lib.calibration.thresholds import basis, rate_interval, threshold
from stages.lib.detection.detector import Detector
from stages.lib.detection.json_report import verdict_as_json
from stages.lib.detection.observation import Observation, observe
from stages.lib.detection.verdict import Verdict
from stages.lib.detection.wording import (
    limits,
    note_in_words,
    ratios_in_words,
    verdict_in_words,
    version_warnings,
    what_a_verdict_rests_on,
)
from stages.lib.errors import InputError
from stages.lib.files import json_text, write_text
from stages.lib.runtime import map_videos

STANDARD_OUTPUT = Path("-")
NOT_ALL_SCORED = 2


class _Parser(argparse.ArgumentParser):
    """Wrong arguments end with 1, as all bad input: 2, which argparse takes, means here that some videos weren't
    scored.
    """

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see python -m stages.detect --help")


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a rate between 0 and 1, such as 0.05")
    return rate


def _parse() -> argparse.Namespace:
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "videos", nargs="+", type=Path, metavar="VIDEO_OR_FOLDER", help="of a folder, all files below it"
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of the models (default: models)")
    parser.add_argument(
        "--false-alarm-rate", type=_rate, metavar="RATE", help="share of real videos to be called anomalous, in (0, 1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all there is to know; - is standard output")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page with pictures (HTML); - is standard output"
    )
    parser.add_argument("--frames", action="store_true", help="each folder holds the frames of one video, as images")
    parser.add_argument("--max-minutes", type=float, default=np.inf, metavar="N", help="pass over longer videos")
    parser.add_argument("--name", help="what a single video is called in what is written")
    arguments = parser.parse_args()
    if arguments.json == arguments.report == STANDARD_OUTPUT:
        parser.error("only one of --json and --report can go to standard output")
    return arguments


def _listed(paths: list[Path], are_frames: bool) -> Iterator[Path]:
    """Every file that is asked for: of folders all below them but hidden ones, which are counted and reported."""
    for path in paths:
        if not path.is_dir() or are_frames:
            yield path
            continue
        below = [one for one in sorted(path.rglob("*")) if one.is_file()]
        hidden = [one for one in below if any(part.startswith(".") for part in one.relative_to(path).parts)]
        if hidden:
            print(f"{path}: {len(hidden)} hidden files passed over ({hidden[0].name}, …)", file=sys.stderr)
        if len(below) == len(hidden):
            raise InputError(f"{path}: no file in this folder; name a video or a folder of videos")
        yield from (one for one in below if one not in set(hidden))


def printable(text: str) -> str:
    """Text without what would move a terminal's cursor, or worse."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _check_targets(targets: list[Path | None], videos: list[Path]) -> None:
    """Raise where writing would replace a folder or one of the videos."""
    for target in targets:
        if target and target.is_dir():
            raise InputError(f"{target} is a folder; name a file to write")
        if target and target.resolve() in {video.resolve() for video in videos}:
            raise InputError(f"{target} is one of the videos, and would be overwritten; name another file")


@dataclass(frozen=True)
class AskedFor:
    """A video to judge: what it is called in what is written, and where it is."""

    video_id: str
    path: Path


def _observe(calibration: Calibration, max_seconds: float, video: AskedFor) -> Observation:
    return observe(video.video_id, video.path, calibration, max_seconds)


def _observe_all(videos: list[AskedFor], calibration: Calibration, max_seconds: float) -> Iterator[Observation]:
    """Each video as it is done: several at once, or one under a progress bar of its frames."""
    if len(videos) > 1:
        observed = map_videos(partial(_observe, calibration, max_seconds), videos, "detect")
        yield from (observation for _, observation in observed)
        return
    with tqdm(desc="detect", unit="frame", dynamic_ncols=True, mininterval=0.5) as bar:

        def show(n_decoded: int, n_declared: int) -> None:
            bar.total = n_declared or None
            bar.update(n_decoded - bar.n)

        yield observe(videos[0].video_id, videos[0].path, calibration, max_seconds, show)


def _table(verdicts: list[dict[str, Any]]) -> str:
    rows = [
        {
            "video": printable(verdict["video"]),
            "verdict": verdict["decision"],
            "score": verdict["anomaly_score"],
            "percentile": verdict["percentile"],
            "faces": f"{verdict['n_faces']}/{verdict['n_frames']}",
            "reason": verdict["reason"] or "",
        }
        for verdict in verdicts
    ]
    table = pd.DataFrame(rows).astype({"score": float, "percentile": float})
    return table.to_string(
        index=False, na_rep="-", formatters={"score": "{:.2f}".format, "percentile": "{:.0f}".format}
    )


def _write(path: Path | None, text: str) -> None:
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
    elif path:
        write_text(path, text)


def _run_as_json(
    calibration: Calibration, rate: float, warnings: list[str], videos: list[dict[str, Any]]
) -> dict[str, Any]:
    n = len(calibration.validation.scores)
    return {
        "false_alarm_rate": rate,
        "threshold": threshold(calibration.validation.scores, rate),
        "basis": basis(n, rate),
        "false_alarm_rate_ci95": rate_interval(n, rate),
        "calibration": calibration.model_dump(),
        "rests_on": what_a_verdict_rests_on(calibration, rate),
        "warnings": warnings,
        "limits": limits(calibration),
        "videos": videos,
    }


def _asked_for(arguments: argparse.Namespace) -> list[AskedFor]:
    """The videos that the command line names. Raises :class:`InputError` where a target would replace one of them."""
    listed = list(dict.fromkeys(_listed(arguments.videos, arguments.frames)))
    _check_targets([arguments.json, arguments.report], listed)
    if not arguments.name:
        return [AskedFor(os.fsencode(path).decode("utf-8", "replace"), path) for path in listed]
    if len(listed) > 1:
        raise InputError(f"--name is for a single video, and there are {len(listed)}; leave it out")
    return [AskedFor(arguments.name, listed[0])]


def _words(verdict: Verdict, calibration: Calibration, rate: float) -> list[str]:
    headline, sentences = verdict_in_words(verdict, calibration, rate)
    notes = [note_in_words(note) for note in verdict.notes]
    return [headline, " ".join(sentences), *notes, *ratios_in_words(verdict.likelihood_ratios)]


def main() -> None:
    arguments = _parse()
    calibration = load_calibration(arguments.models)
    rate = arguments.false_alarm_rate or calibration.false_alarm_rate
    videos = _asked_for(arguments)
    report, results, words = None, [], []
    if arguments.report:
        from stages.lib.detection.report import Report  # Matplotlib takes a second, which a table has no need of

        report = Report(calibration, rate)
    # PyTorch and the models load while the first videos are decoded.
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(Detector, arguments.models, calibration)
        for observation in _observe_all(videos, calibration, 60 * arguments.max_minutes):
            verdict = loading.result().judge(observation, rate)
            results.append(verdict_as_json(verdict, calibration))
            words = _words(verdict, calibration, rate) if len(videos) == 1 else []
            if report:
                report.add(verdict)
    results.sort(key=lambda result: str(result["video"]))
    warnings = version_warnings(calibration.packages, package_versions())
    for_people = sys.stderr if STANDARD_OUTPUT in (arguments.json, arguments.report) else sys.stdout
    print(_table(results), file=for_people)
    sentences = [*words, what_a_verdict_rests_on(calibration, rate), *warnings, *limits(calibration)]
    print("", *(textwrap.fill(text, 110) for text in sentences if text), sep="\n", file=for_people)
    _write(arguments.json, json_text(_run_as_json(calibration, rate, warnings, results)))
    if report:
        _write(arguments.report, report.page(warnings))
    if any(result["anomaly_score"] is None for result in results):
        sys.exit(NOT_ALL_SCORED)


if __name__ == "__main__":
    run(main)

"""detect: say of videos whether their frames differ as those of real videos do, by the models that the pipeline made.

    python -m stages.detect VIDEO_OR_FOLDER … [--json FILE] [--report FILE.html] [--csv FILE] [--resume FILE]

Prints a table. Exit code 0: all were scored; 2: some could not be, each with its reason; 1: wrong arguments or models.
"""

import argparse
import csv
import json
import sqlite3
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa

from stages.cli import Parser, a_rate, check_targets, name_of, printable, run
from stages.lib.calibration.bundle import CALIBRATION, Calibration, answering, load_calibration, package_versions
from stages.lib.detection.detector import Detector
from stages.lib.detection.json_report import CSV_COLUMNS, run_as_json, verdict_as_json
from stages.lib.detection.observation import AskedFor, Note, NoteCode, Observation, crashed, observe_all
from stages.lib.detection.wording import version_warnings
from stages.lib.errors import InputError
from stages.lib.files import atomic_path, json_text, write_text
from stages.lib.fingerprint import fingerprint, sha256, state
from stages.lib.ledger import Ledger, recipe
from stages.lib.mapping import Crashed

STANDARD_OUTPUT = Path("-")
NOT_ALL_SCORED = 2
_TARGETS = ("json", "jsonl", "csv", "report", "resume")  # arguments that name a file to write
# What a line of JSON Lines, and one of CSV, has of the run: taken out of its file, it still says who judged.
_OF_A_LINE = ("model", "models", "rests_on", "false_alarm_rate", "threshold")
_OF_A_CSV_LINE = ("model", "false_alarm_rate", "threshold")


def _parse() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "videos", nargs="+", type=Path, metavar="VIDEO_OR_FOLDER", help="of a folder, all files below it"
    )
    parser.add_argument(
        "--models",
        type=Path,
        metavar="FOLDER",
        help="the models that judge (default: your own run's, else the released ones)",
    )
    parser.add_argument(
        "--false-alarm-rate", type=a_rate, metavar="RATE", help="share of real videos to be called anomalous, in (0, 1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all there is to know; - is standard output")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page with pictures (HTML); - is standard output"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a line for each video")
    parser.add_argument("--jsonl", type=Path, metavar="FILE", help="write all there is to know, a video a line")
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="keep what is judged in this file: the same command goes on from it"
    )
    parser.add_argument("--frames", action="store_true", help="each folder holds the frames of one video, as images")
    parser.add_argument("--max-minutes", type=float, default=np.inf, metavar="N", help="pass over longer videos")
    parser.add_argument("--name", help="what a single video is called in what is written")
    parser.add_argument("--rendered", action="store_true", help="note that the videos are rendered examples")
    parser.add_argument("--home", metavar="URL", help="page that the report links back to")
    arguments = parser.parse_args()
    if arguments.json == arguments.report == STANDARD_OUTPUT:
        parser.error("only one of --json and --report can go to standard output")
    if STANDARD_OUTPUT in (arguments.jsonl, arguments.csv, arguments.resume):
        parser.error("--jsonl, --csv and --resume name a file; standard output is for --json and --report")
    return arguments


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder but hidden ones, which are counted and reported. Raises :class:`InputError` where there
    is none.
    """
    below = [one for one in sorted(folder.rglob("*")) if one.is_file()]
    hidden = [one for one in below if any(part.startswith(".") for part in one.relative_to(folder).parts)]
    if hidden:
        print(f"{folder}: {len(hidden)} hidden files passed over ({hidden[0].name}, …)", file=sys.stderr)
    if len(below) == len(hidden):
        raise InputError(f"{folder}: no file in this folder; name a video or a folder of videos")
    return [one for one in below if one not in set(hidden)]


def _listed(paths: list[Path], are_frames: bool) -> Iterator[Path]:
    """Every file that is asked for, of folders all below them."""
    for path in paths:
        yield from [path] if not path.is_dir() or are_frames else files_below(path)


def _asked_for(arguments: argparse.Namespace) -> list[AskedFor]:
    """The videos that the command line names, by name. Raises :class:`InputError` where a target would replace one."""
    listed = list(dict.fromkeys(_listed(arguments.videos, arguments.frames)))
    check_targets({name: getattr(arguments, name) for name in _TARGETS}, listed)
    if arguments.name and len(listed) > 1:
        raise InputError(f"--name is for a single video, and there are {len(listed)}; leave it out")
    videos = [
        # What a video was made from matters to a ledger that is kept, and takes reading a part of every file.
        AskedFor(
            arguments.name or name_of(path), f"{fingerprint(path)} {state(path)}" if arguments.resume else "", path
        )
        for path in listed
    ]
    return sorted(videos, key=lambda video: video.video_id)


class _Judging:
    """Judges videos as they are observed, and puts them into the report, if there is to be one."""

    def __init__(self, models: Path, calibration: Calibration, rate: float, arguments: argparse.Namespace) -> None:
        self._models, self._calibration, self._rate, self._arguments = models, calibration, rate, arguments
        self.report = None
        if arguments.report:
            from stages.lib.detection.report import Report  # Matplotlib takes a second, which a table has no need of

            self.report = Report(calibration, rate)

    def __call__(self, videos: Sequence[AskedFor]) -> Iterator[tuple[AskedFor, pa.Table | Crashed]]:
        """(video, its verdict as JSON) of each, in any order."""
        if not videos:
            return
        by_name = {video.video_id: video for video in videos}
        # PyTorch and the models load while the first videos are decoded.
        with ThreadPoolExecutor(1) as pool:
            self._detector = pool.submit(Detector, self._models, self._calibration)
            for observation in observe_all(videos, self._calibration, 60 * self._arguments.max_minutes, "detect"):
                if self._arguments.rendered:
                    observation.notes.insert(0, Note(NoteCode.RENDERED))
                yield by_name[observation.name], observation.crash or self._judged(observation)

    def of_crashed(self, video: AskedFor) -> pa.Table:
        """The row of a video that was given up."""
        return self._judged(crashed(video))

    def _judged(self, observation: Observation) -> pa.Table:
        verdict = self._detector.result().judge(observation, self._rate)
        if self.report:
            self.report.add(verdict)
        content = verdict_as_json(verdict, self._calibration, self._rate)
        return pa.table({"verdict": [json.dumps(content)]})

    def page(self, videos: Sequence[AskedFor], warnings: list[str]) -> str:
        """The report. What an interrupted run judged is judged again where it is to be shown with pictures."""
        assert self.report
        lacking = set(self.report.lacking())
        for _ in self([video for video in videos if video.video_id in lacking]):
            pass
        return self.report.page(warnings, self._arguments.home)


@contextmanager
def _ledger(path: Path | None, key: str) -> Iterator[Ledger]:
    """What is judged already: in the file that the command line names, else for this run alone.

    Raises :class:`InputError` for a file that is something else, or in use.
    """
    if path and path.is_file() and path.stat().st_size:
        try:
            with closing(sqlite3.connect(path)) as database:
                database.execute("SELECT video_id, key, output, rows FROM finished LIMIT 1")
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{path}: not a file of --resume, or in use by another run ({error}); name another"
            ) from error
    with tempfile.TemporaryDirectory() as folder, Ledger(path or Path(folder) / "ledger.sqlite", key) as ledger:
        yield ledger


_Verdicts = list[dict[str, Any]]  # as JSON holds them


def _write_each(
    verdicts: Iterable[dict[str, Any]], arguments: argparse.Namespace, common: dict[str, Any]
) -> tuple[_Verdicts, _Verdicts, list[str]]:
    """Write each verdict into what holds one a line. Returns what CSV has of each, all of each where the JSON file is
    to hold them, and the words of the last.
    """
    shown, everything, words = [], [], []
    with ExitStack() as stack:
        files = {name: _opened(stack, path) for name in ("csv", "jsonl") if (path := getattr(arguments, name))}
        writer = (
            csv.DictWriter(files["csv"], (*CSV_COLUMNS, *_OF_A_CSV_LINE), extrasaction="ignore")
            if "csv" in files
            else None
        )
        if writer:
            writer.writeheader()
        for verdict in verdicts:
            shown.append({key: verdict[key] for key in CSV_COLUMNS})
            words = verdict["words"]
            if writer:
                writer.writerow(verdict | {key: common[key] for key in _OF_A_CSV_LINE})
            if "jsonl" in files:
                files["jsonl"].write(
                    json.dumps({key: common[key] for key in _OF_A_LINE} | verdict, allow_nan=False) + "\n"
                )
            if arguments.json:
                everything.append(verdict)
    return shown, everything, words


def _opened(stack: ExitStack, path: Path) -> TextIO:
    """A file that has its name once the stack is left without an error."""
    temporary = stack.enter_context(atomic_path(path))
    return stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))


_YES_OR_NO = {True: "yes", False: "no", None: "-"}


def _table(verdicts: list[dict[str, Any]]) -> str:
    rows = [
        {
            "video": printable(verdict["video"]),
            "verdict": verdict["decision"],
            "score": verdict["anomaly_score"],
            "percentile": verdict["percentile"],
            "faces": f"{verdict['n_faces']}/{verdict['n_frames']}",
            "like the reals": _YES_OR_NO[verdict["is_like_the_reals"]],
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


def main() -> None:
    arguments = _parse()
    models = answering(arguments.models)
    calibration = load_calibration(models)
    rate = arguments.false_alarm_rate or calibration.false_alarm_rate
    videos = _asked_for(arguments)
    for_people = sys.stderr if STANDARD_OUTPUT in (arguments.json, arguments.report) else sys.stdout
    judging = _Judging(models, calibration, rate, arguments)
    warnings = version_warnings(calibration.packages, package_versions())
    common = run_as_json(calibration, rate, warnings)
    key = ""
    if arguments.resume:  # a recipe reads all of the source, which a single video has no need of
        settings = (rate, arguments.max_minutes, arguments.rendered, package_versions())
        key = recipe("stages/detect.py", sha256(models / CALIBRATION), *settings)
    with _ledger(arguments.resume, key) as ledger, redirect_stdout(for_people):
        judged = ledger.resume(videos, judging, crashed=judging.of_crashed)

        def verdicts() -> Iterator[dict[str, Any]]:
            for row in judged:
                verdict = json.loads(row["verdict"][0].as_py())
                if judging.report:
                    judging.report.restore(verdict)
                yield verdict

        shown, everything, words = _write_each(verdicts(), arguments, common)
    _write(arguments.json, json_text(common | {"videos": everything}))
    print(_table(shown), file=for_people)
    of_one = words if len(shown) == 1 else []
    sentences = [*of_one, common["model"], common["rests_on"], *warnings, *common["limits"]]
    print("", *(textwrap.fill(text, 110) for text in sentences if text), sep="\n", file=for_people)
    if arguments.report:
        _write(arguments.report, judging.page(videos, warnings))
    if any(verdict["anomaly_score"] is None for verdict in shown):
        sys.exit(NOT_ALL_SCORED)


if __name__ == "__main__":
    run(main)

"""calibrate_on: have models judge by your own real videos: thresholds, and what a video's evidence is held against.

    make calibrate REALS=folder            # or python -m stages.calibrate_on folder --out calibrated
    python -m stages.detect clip.mp4 --models calibrated

All videos of the folder have to be real. With a manifest.csv in it, its real rows are taken, with ``identity`` and
``group``. Prints which of them look odd beside the others: a forgery or a slip among them would spoil the thresholds.
"""

import argparse
import shutil
import textwrap
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from stages.cli import Parser, a_rate, check_targets, name_of, printable, run
from stages.detect import files_below
from stages.lib.anomaly.files import save_anomaly_models
from stages.lib.calibration.bundle import ANOMALY_MODEL, BACKBONE, CALIBRATION, answering, load_calibration, model_files
from stages.lib.calibration.thresholds import threshold
from stages.lib.datasets.index import index_dataset
from stages.lib.datasets.layouts.manifest import MANIFEST
from stages.lib.detection.detector import Detector, drawn
from stages.lib.detection.observation import AskedFor, looks_of, observe, observe_all
from stages.lib.detection.own_reals import OwnReal, Recalibrated, p_values, recalibrate, videos_needed
from stages.lib.detection.verdict import decide
from stages.lib.detection.wording import what_a_verdict_rests_on
from stages.lib.errors import InputError
from stages.lib.evaluation.groups import false_alarms_by_group
from stages.lib.files import atomic_folder, write_json, write_text
from stages.lib.records import REAL

_SHOWN = 10  # of the videos that look oddest: in the table, and with pictures in the report


def _parse() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of real videos, with or without a manifest.csv")
    parser.add_argument(
        "--models", type=Path, metavar="FOLDER", help="to start from (default: your own run's, else the released ones)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the models go")
    parser.add_argument(
        "--density",
        choices=("keep", "refit"),
        default="keep",
        help="keep the density of pairs (default), or fit it to these videos: many, of many people",
    )
    parser.add_argument(
        "--false-alarm-rate", type=a_rate, metavar="RATE", help="share of real videos to be called anomalous, in (0, 1)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a page with the oddest videos (HTML)")
    parser.add_argument("--max-minutes", type=float, default=np.inf, metavar="N", help="pass over longer videos")
    return parser.parse_args()


def _listed(folder: Path) -> pd.DataFrame:
    """The real videos of a folder: name, path, person and group."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name a folder of real videos")
    if not (folder / MANIFEST).is_file():
        found = files_below(folder)
        names = [name_of(path.relative_to(folder)) for path in found]
        return pd.DataFrame({"name": names, "path": found, "person": names, "group": ""})
    rows = pd.DataFrame(index_dataset("manifest", folder))
    fakes, known = rows["label"] != REAL, (rows["label"] == REAL) & (rows["split"] == "train")
    if fakes.any():
        print(f"{folder / MANIFEST}: {fakes.sum()} fakes passed over: thresholds come from real videos alone")
    if known.any():
        print(f"{folder / MANIFEST}: {known.sum()} reals of the split train passed over: models may know those")
    reals = rows[~fakes & ~known]
    return pd.DataFrame(
        {
            "name": reals["video_id"],
            "path": [folder / path for path in reals["path"]],
            "person": reals["identity"].where(reals["identity"] != "", reals["video_id"]),
            "group": reals["group"],
        }
    )


def _usable(listed: pd.DataFrame, detector: Detector, max_seconds: float) -> tuple[list[OwnReal], dict[str, list[str]]]:
    """The videos that can be used, by name, and {reason: names} of the others."""
    of = listed.set_index("name")
    usable, contents, rejected = dict[str, OwnReal](), dict[str, str](), defaultdict[str, list[str]](list)
    asked = [AskedFor(name, "", path) for name, path in zip(listed["name"], listed["path"], strict=True)]
    for observation in observe_all(asked, detector.calibration, max_seconds, "calibrate_on"):
        name = observation.name
        if not len(drawn(observation, detector.calibration)):
            rejected[str(detector.judge(observation, detector.calibration.false_alarm_rate).reject_reason)].append(name)
            continue
        person, group = of.loc[name, "person"], of.loc[name, "group"]
        usable[name] = OwnReal(name, person, group, detector.embed(observation), looks_of(observation))
        contents[name] = observation.sha256 or name
    names = sorted(usable)
    first = {contents[name]: name for name in reversed(names)}
    videos = [usable[name] for name in names if first[contents[name]] == name]
    rejected["the same file as another"] += [name for name in names if first[contents[name]] != name]
    return videos, {reason: sorted(found) for reason, found in sorted(rejected.items()) if found}


def _rejected_in_words(rejected: dict[str, list[str]]) -> list[str]:
    return [
        f"{len(names)} can't be used ({reason}): {', '.join(map(printable, names[:5]))}{', …' * (len(names) > 5)}"
        for reason, names in rejected.items()
    ]


def _sentences(made: Recalibrated, videos: list[OwnReal], rate: float) -> list[str]:
    """What the thresholds rest on, and how far that reaches."""
    fewest, sure = videos_needed(rate)
    people = len({video.person for video in videos})
    sentences = [
        what_a_verdict_rests_on(made.calibration, rate),
        f"A false-alarm rate of {rate:.1%} takes {fewest} real videos without assumptions on their scores, and about "
        f"{sure} for the true rate to be at most twice as high with 97.5 % probability; there are {len(videos)}.",
    ]
    if people < len(videos):
        sentences.append(
            f"They show {people} people, and videos of one person are alike: the interval above is too narrow."
        )
    return sentences


def _groups_in_words(videos: list[OwnReal], made: Recalibrated, rate: float) -> list[str]:
    """The videos of each group above the threshold, where videos have one. Over all of them their share is what was
    asked for, by construction: what tells is how groups differ.
    """
    groups, scores = pd.Series([video.group for video in videos]), pd.Series(made.anomaly_scores)
    return [
        f"Group {printable(name)}: {found['alarms']} of {found['n_real']} called anomalous "
        f"({found['false_alarm_rate']:.1%}, 95 % interval {found['ci95'][0]:.1%} to {found['ci95'][1]:.1%})."
        for name, found in false_alarms_by_group(groups, scores, threshold(scores, rate)).items()
    ]


def _write_report(
    path: Path, listed: pd.DataFrame, made: Recalibrated, oddest: pd.DataFrame, rate: float, sentences: list[str]
) -> None:
    """A page of the oddest videos. They are decoded once more: which they are is known only when all are done."""
    from stages.lib.detection.report import Report  # Matplotlib takes a second

    paths, report = dict(zip(listed["name"], listed["path"], strict=True)), Report(made.calibration, rate)
    for at, name in zip(oddest.index, oddest["video"], strict=True):
        observation = observe(name, paths[name], made.calibration)
        pairs = drawn(observation, made.calibration)
        report.add(decide(observation, pairs, made.scores[at], made.calibration, rate))
    write_text(path, report.page(sentences))


def _check_out(out: Path, models: Path) -> None:
    """Raise :class:`InputError` where writing the models to ``out`` would replace anything but such models."""
    if out.resolve() == models.resolve():
        raise InputError(f"--out is {out}, the models to start from; name another folder")
    if not out.is_dir():
        if out.exists():
            raise InputError(f"--out is {out}, a file; name a folder")
        return
    others = sorted({path.name for path in out.iterdir()} - {BACKBONE, ANOMALY_MODEL, CALIBRATION})
    if others:
        raise InputError(f"--out is {out}, which holds other things ({others[0]}, …); name another folder")


def main() -> None:
    arguments = _parse()
    folder = answering(arguments.models)
    _check_out(arguments.out, folder)
    calibration = load_calibration(folder)
    rate = arguments.false_alarm_rate or calibration.false_alarm_rate
    listed = _listed(arguments.folder)
    check_targets({"report": arguments.report}, listed["path"])
    detector = Detector(folder, calibration)
    videos, rejected = _usable(listed, detector, 60 * arguments.max_minutes)
    print(*_rejected_in_words(rejected), sep="\n")
    made = recalibrate(videos, detector.models, calibration, arguments.density, "your own")
    with atomic_folder(arguments.out) as out:
        shutil.copyfile(folder / BACKBONE, out / BACKBONE)
        save_anomaly_models(out / ANOMALY_MODEL, made.models)
        files = model_files(out, calibration.faces.landmarks)
        update = {"files": files, "false_alarm_rate": rate}
        write_json(out / CALIBRATION, made.calibration.model_copy(update=update).model_dump())
    table = pd.DataFrame({"video": [video.name for video in videos], "group": [video.group for video in videos]})
    table["score"] = made.anomaly_scores
    table["p"] = p_values(videos, made.anomaly_scores, rate)
    oddest = table.sort_values("score", ascending=False, kind="stable").head(_SHOWN)
    print(
        "\nThe real videos that look oddest beside the others. Look at them: is each one real, of one person, unedited?"
    )
    print(oddest.to_string(index=False, float_format="{:.3g}".format, formatters={"video": printable}))
    sentences = [*_sentences(made, videos, rate), *_groups_in_words(videos, made, rate)]
    print("", *(textwrap.fill(sentence, 110) for sentence in sentences), sep="\n")
    if arguments.report:
        _write_report(arguments.report, listed, made, oddest, rate, [*sentences[1:], *_rejected_in_words(rejected)])
    print(f"\n{arguments.out}: judge by it with python -m stages.detect clip.mp4 --models {arguments.out}")


if __name__ == "__main__":
    run(main)

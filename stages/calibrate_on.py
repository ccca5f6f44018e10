"""calibrate_on: have models judge by your own real videos: thresholds, and what a video's evidence is held against.

    make calibrate REALS=folder            # or python -m stages.calibrate_on folder --out calibrated
    python -m stages.detect clip.mp4 --models calibrated

All videos of the folder have to be real. With a manifest.csv in it, its real rows are taken, with ``identity`` and
``group``. Prints which of them look odd beside the others: a forgery or a slip among them would spoil the thresholds.
"""

import argparse
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from stages.cli import a_rate, run
from stages.detect import files_below
from stages.lib.anomaly.files import save_anomaly_models
from stages.lib.calibration.bundle import ANOMALY_MODEL, BACKBONE, CALIBRATION, answering, load_calibration, model_files
from stages.lib.datasets.index import index_dataset
from stages.lib.datasets.layouts.manifest import MANIFEST
from stages.lib.detection.detector import Detector, drawn
from stages.lib.detection.observation import AskedFor, looks_of, observe, observe_all
from stages.lib.detection.own_reals import OwnReal, Recalibrated, beside_the_others, recalibrate, videos_needed
from stages.lib.detection.verdict import decide
from stages.lib.detection.wording import what_a_verdict_rests_on
from stages.lib.errors import InputError
from stages.lib.evaluation.groups import false_alarms_by_group
from stages.lib.files import atomic_folder, write_json, write_text
from stages.lib.reasons import VideoReject
from stages.lib.records import REAL

_SHOWN = 10  # of the videos that look oddest: in the table, and with pictures in the report


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
        names = [path.relative_to(folder).as_posix() for path in found]
        return pd.DataFrame({"name": names, "path": found, "person": names, "group": ""})
    rows = pd.DataFrame(index_dataset("manifest", folder))
    reals = rows[rows["label"] == REAL]
    if len(reals) < len(rows):
        print(
            f"{folder / MANIFEST}: {len(rows) - len(reals)} fakes passed over: thresholds come from real videos alone"
        )
    return pd.DataFrame(
        {
            "name": reals["video_id"],
            "path": [folder / path for path in reals["path"]],
            "person": reals["identity"].where(reals["identity"] != "", reals["video_id"]),
            "group": reals["group"],
        }
    )


def _usable(
    listed: pd.DataFrame, detector: Detector, max_seconds: float
) -> Iterator[tuple[str, OwnReal | VideoReject]]:
    """(name, video, or the reason why it can't be used) of each."""
    of = listed.set_index("name")
    videos = [AskedFor(name, "", path) for name, path in zip(listed["name"], listed["path"], strict=True)]
    for observation in observe_all(videos, detector.calibration, max_seconds, "calibrate_on"):
        name = observation.name
        if not len(drawn(observation, detector.calibration)):
            few = VideoReject.TOO_FEW_FACES if len(observation.crops) else VideoReject.NO_FACE
            yield name, observation.extracted.reject_reason or few
            continue
        person, group = of.loc[name, "person"], of.loc[name, "group"]
        yield name, OwnReal(name, person, group, detector.embed(observation), looks_of(observation))


def _say_rejected(rejected: dict[str, VideoReject], observed: int) -> None:
    for reason in sorted(set(rejected.values())):
        names = sorted(name for name, own in rejected.items() if own == reason)
        print(f"{len(names)} of {observed} can't be used ({reason}): {', '.join(names[:5])}{', …' * (len(names) > 5)}")


def _beside_the_others(videos: list[OwnReal], made: Recalibrated, rate: float) -> pd.DataFrame:
    table = pd.DataFrame({"video": [video.name for video in videos], "group": [video.group for video in videos]})
    table["score"] = made.anomaly_scores
    return pd.concat([table, beside_the_others(made.anomaly_scores, rate)], axis=1)


def _sentences(made: Recalibrated, rate: float, table: pd.DataFrame) -> list[str]:
    fewest, sure = videos_needed(rate)
    n, alarms = len(table), int(table["alarm"].sum())
    return [
        what_a_verdict_rests_on(made.calibration, rate),
        f"A false-alarm rate of {rate:.1%} takes {fewest} real videos without assumptions on their scores, and about "
        f"{sure} for the true rate to be at most twice as high with 97.5 % probability; there are {n}.",
        f"Each judged beside the others, {alarms} of {n} are called anomalous ({alarms / n:.1%}).",
    ]


def _say_groups(table: pd.DataFrame) -> None:
    """The false alarms of each group, where videos have one."""
    groups = false_alarms_by_group(table["group"], table["alarm"].astype(float), 0.5)
    for name, found in groups.items():
        low, high = found["ci95"]
        print(
            f"{name}: {found['alarms']} of {found['n_real']} called anomalous ({found['false_alarm_rate']:.1%}, 95 % "
            f"interval {low:.1%} to {high:.1%})"
        )


def _write_report(path: Path, listed: pd.DataFrame, made: Recalibrated, oddest: pd.DataFrame, rate: float) -> None:
    """A page of the oddest videos. They are decoded once more: which they are is known only when all are done."""
    from stages.lib.detection.report import Report  # Matplotlib takes a second

    paths, report = dict(zip(listed["name"], listed["path"], strict=True)), Report(made.calibration, rate)
    for at, name in zip(oddest.index, oddest["video"], strict=True):
        observation = observe(name, paths[name], made.calibration)
        pairs = drawn(observation, made.calibration)
        report.add(decide(observation, pairs, made.scores[at], made.calibration, rate))
    write_text(path, report.page([]))


def main() -> None:
    arguments = _parse()
    folder = answering(arguments.models)
    if arguments.out.resolve() == folder.resolve():
        raise InputError(f"--out is {arguments.out}, the models to start from; name another folder")
    calibration = load_calibration(folder)
    rate = arguments.false_alarm_rate or calibration.false_alarm_rate
    listed, detector = _listed(arguments.folder), Detector(folder, calibration)
    found = dict(_usable(listed, detector, 60 * arguments.max_minutes))
    rejected = {name: one for name, one in found.items() if isinstance(one, VideoReject)}
    _say_rejected(rejected, len(found))
    videos = [one for _, one in sorted(found.items()) if isinstance(one, OwnReal)]
    source = f"your own, of the folder '{arguments.folder.resolve().name}'"
    made = recalibrate(videos, detector.models, calibration, arguments.density, source)
    with atomic_folder(arguments.out) as out:
        shutil.copyfile(folder / BACKBONE, out / BACKBONE)
        save_anomaly_models(out / ANOMALY_MODEL, made.models)
        files = model_files(out, calibration.faces.landmarks)
        update = {"files": files, "false_alarm_rate": rate}
        write_json(out / CALIBRATION, made.calibration.model_copy(update=update).model_dump())
    table = _beside_the_others(videos, made, rate)
    oddest = table.sort_values("score", ascending=False).head(_SHOWN)
    print(
        "\nThe real videos that look oddest beside the others. Look at them: is each one real, of one person, unedited?"
    )
    print(oddest.to_string(index=False, float_format="{:.3g}".format))
    print("", *(textwrap.fill(sentence, 110) for sentence in _sentences(made, rate, table)), sep="\n")
    _say_groups(table)
    if arguments.report:
        _write_report(arguments.report, listed, made, oddest, rate)
    print(f"\n{arguments.out}: judge by it with python -m stages.detect clip.mp4 --models {arguments.out}")


if __name__ == "__main__":
    run(main)

"""figure_pairs: the paper's first figure, of two videos of one person: a natural change, a break of light, and a break
at the face's boundary.

    python -m stages.figure_pairs REAL FAKE [--out FILE.png]

Each row shows a pair of frames and what differs between them: of the real video the pair in which the head moves most
and that scores no more than its median; of the fake the pairs that break most, in light and at the boundary.
"""

import argparse
from pathlib import Path

import numpy as np

from stages.cli import Parser, check_targets, printable, run
from stages.lib.calibration.bundle import answering, load_calibration
from stages.lib.detection.changes import Change, change
from stages.lib.detection.detector import Detector
from stages.lib.detection.observation import observe
from stages.lib.detection.verdict import Pair, Verdict
from stages.lib.detection.wording import reason
from stages.lib.errors import InputError
from stages.lib.figures import plt, save_png

_Changes = list[tuple[Pair, Change]]


def _changes(detector: Detector, path: Path) -> tuple[Verdict, _Changes]:
    """The verdict on a video, and what changes in each pair that scores it. Raises :class:`InputError` for none."""
    observation = observe(path.name, path, detector.calibration)
    verdict = detector.judge(observation, detector.calibration.false_alarm_rate)
    if not verdict.pairs:
        raise InputError(f"{path}: has no pairs to show: {reason(verdict, detector.calibration)}; name another video")
    earlier_first = [Pair(*sorted((pair.a, pair.b)), pair.anomaly_score) for pair in verdict.pairs]
    return verdict, [(pair, change(observation, pair.a, pair.b)) for pair in earlier_first]


def choose(real: _Changes, fake: _Changes) -> dict[str, tuple[Pair, Change]]:
    """The pairs to show, by what they show; the last two of the fake, and not the same."""
    typical = np.median([pair.anomaly_score for pair, _ in real])
    natural = max((one for one in real if one[0].anomaly_score <= typical), key=lambda one: one[1].motion)
    light = max(fake, key=lambda one: one[1].light)
    others = [one for one in fake if one is not light] or fake
    boundary = max(others, key=lambda one: one[1].boundary)
    return {"natural change": natural, "largest break of light": light, "largest break at the boundary": boundary}


def _among(value: float, values: list[float]) -> str:
    """A number, and which part of the real video's it exceeds."""
    return f"{value:.2f} (above {np.mean(np.array(values) < value):.0%} of the real video's pairs)"


def draw(path: Path, real: tuple[Verdict, _Changes], fake: tuple[Verdict, _Changes]) -> None:
    """Write the figure."""
    lights, boundaries = ([getattr(one, name) for _, one in real[1]] for name in ("light", "boundary"))
    figure, axes = plt.subplots(3, 3, figsize=(7.2, 9), layout="constrained")
    chosen = choose(real[1], fake[1])
    for row, (name, (pair, changed), verdict) in enumerate(
        zip(chosen, chosen.values(), (real[0], fake[0], fake[0]), strict=True)
    ):
        crops, used = verdict.observation.crops, verdict.observation.used
        pictures = (crops[pair.a], crops[pair.b], changed.picture)
        titles = (*(f"{used[at].time_s:.2f} s" for at in (pair.a, pair.b)), "what differs")
        for axis, picture, title in zip(axes[row], pictures, titles, strict=True):
            axis.imshow(picture)
            axis.set_title(title, fontsize=8)
            axis.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(f"{name}\n{printable(verdict.observation.name)}", fontsize=9)
        axes[row, 1].set_xlabel(
            f"anomaly score {pair.anomaly_score:.2f}; light {_among(changed.light, lights)};\n"
            f"boundary {_among(changed.boundary, boundaries)}",
            fontsize=8,
        )
    figure.suptitle("Red: the second frame, laid on the first, is lighter; blue: darker", fontsize=9)
    save_png(figure, path, dpi=120)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, metavar="REAL", help="a real video of a person")
    parser.add_argument("fake", type=Path, metavar="FAKE", help="a fake one of the same person")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="the models that score the pairs, as for detect")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("figure_pairs.png"), help="(default: %(default)s)"
    )
    arguments = parser.parse_args()
    check_targets({"out": arguments.out}, [arguments.real, arguments.fake])
    models = answering(arguments.models)
    detector = Detector(models, load_calibration(models))
    draw(arguments.out, _changes(detector, arguments.real), _changes(detector, arguments.fake))
    print(f"{arguments.out}: a natural change in {arguments.real}, and breaks in {arguments.fake}")


if __name__ == "__main__":
    run(main)

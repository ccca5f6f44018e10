"""Sentences for people on what every verdict rests on, and on what none can say. Those on one verdict:
detection/wording.py.
"""

import math

from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.thresholds import basis, rate_interval, threshold

_DEMO = "demo"  # the training dataset that comes with the project


def what_a_verdict_rests_on(calibration: Calibration, rate: float) -> str:
    """What a decision at ``rate`` rests on and how far to trust it, in sentences."""
    validation, test = calibration.validation, calibration.test.scores
    n, limit = len(validation.scores), threshold(validation.scores, rate)
    interval = rate_interval(n, rate)
    if limit is None or interval is None:
        return f"Calibrated on {n} real videos: too few to decide anything."
    if basis(n, rate) == "rank":
        how = "by rank, whatever the scores' distribution"
    else:
        enough = math.ceil(round(1 / rate, 9)) - 1
        how = (
            f"fewer than the {enough} that this rate takes without assumptions, so their scores are taken as "
            "normally distributed"
        )
    low, high = interval
    people = f" of {validation.people} people" if validation.people else ""
    sentences = [
        f"A video is called anomalous above a score of {limit:.2f}, meant for a false-alarm rate of {rate:.1%}.",
        f"The threshold rests on {n} real validation videos{people}, {how}.",
        f"With so many, the true rate may lie anywhere from {low:.1%} to {high:.1%} (95 % interval).",
    ]
    if test:
        alarmed = sum(score > limit for score in test)
        sentences.append(
            f"Achieved on real test videos: {alarmed} of {len(test)} called anomalous ({alarmed / len(test):.1%})."
        )
    return " ".join(sentences)


def limits(calibration: Calibration) -> list[str]:
    """What a verdict can't say, in sentences, for everybody who reads one (section 5 of the paper)."""
    trained, people = calibration.trained_on, calibration.trained_on.people
    who = f" of {people} people" if people else ""
    sentences = [
        "A score is not proof. It says how unusual the differences between the frames are beside those of the real "
        "videos above. "
        "Look at the pictures, and at where the video comes from.",
        f"The model was trained on {trained.videos} real videos{who} (the dataset '{trained.dataset}') and on "
        "pseudo-fakes made of them, "
        "never on a forgery. Videos with other cameras, light, compression or people may be unusual to it without "
        "being forged.",
        "Out of its scope are videos that are generated as a whole (from text or from an image) and single images: it "
        "assumes a real "
        "video in which a face was replaced or altered.",
        "Cuts, people taking turns, filters and heavy editing can make a real video anomalous. A forgery that is "
        "steady from frame to "
        "frame, or whose face is seen from the side or small, can pass.",
    ]
    if trained.dataset == _DEMO:
        sentences.insert(
            1,
            "This model was trained on the rendered demo alone: it shows how the program works, and says nothing about "
            "real videos.",
        )
    return sentences

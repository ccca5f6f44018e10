"""Sentences for people: what a verdict means, or why there is none; what to note, what it rests on, and its limits."""

import math
from collections.abc import Mapping

from stages.lib.anomaly.evidence import only_pairs
from stages.lib.calibration.bundle import Calibration, fakes_in_words
from stages.lib.calibration.ratios import FEWEST_PEOPLE, FamilyRatio
from stages.lib.calibration.thresholds import basis, rate_interval, threshold
from stages.lib.detection.observation import Note, NoteCode
from stages.lib.detection.verdict import ANOMALOUS, Verdict
from stages.lib.reason_words import VIDEO_REJECTS

_NOTES = {
    NoteCode.TRUNCATED: "The file ends early: {n_decoded} of {n_declared} frames can be decoded.",
    NoteCode.OTHER_PEOPLE: "The faces used may not all be one person's: {others} of {n_faces} look unlike the others "
    "in colour. A pair of two people, or of two scenes, is anomalous whether it is forged or not. Look at the faces "
    "below.",
    NoteCode.SEVERAL_FACES: "More than one face is in view in {several} of {counted_in} frames in which they were "
    "counted; only one in each was judged.",
    NoteCode.FACE_SIZE: "The face is {value:.0f} px wide; those of the real videos that the model knows are "
    "{least:.0f} to {greatest:.0f} px. The score may mean less.",
    NoteCode.BRIGHTNESS: "The face has a lightness of {value:.0f} (of 255); those of the real videos that the model "
    "knows have {least:.0f} to {greatest:.0f}. The score may mean less.",
    NoteCode.DETAIL: "The finest detail of the face has a magnitude of {value:.2g} levels; in the real videos that the "
    "model knows it has {least:.2g} to {greatest:.2g}. Blur, compression or smoothing changes it, and "
    "so does some forgery. The score may mean less.",
    NoteCode.BORDERLINE: "Borderline: with other pairs of this video's frames the score might have come out on the "
    "other side of the threshold.",
    NoteCode.RENDERED: "This is a rendered example: a still portrait that this program set in motion, recorded by no "
    "camera. A model that was trained on real people tends to find that unusual, forged or not.",
}

_FAMILIES = {
    "swap": "face swaps",
    "lips": "forged lips",
    "animated": "animated faces",
    "other": "other forgeries",
}


def note_in_words(note: Note) -> str:
    """A note as a sentence or two."""
    return _NOTES[note.code].format(**note.figures)


def reason(verdict: Verdict, calibration: Calibration) -> str | None:
    """Why there is no verdict, as part of a sentence; None where there is one."""
    if verdict.reject_reason is None:
        return None
    counts = {"n_faces": verdict.n_faces, "n_frames": verdict.observation.n_frames}
    return VIDEO_REJECTS[verdict.reject_reason].format(**counts, min_faces=calibration.pairs.min_faces)


def version_warnings(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """A sentence for each package that computes scores whose version differs from that of the calibration
    (``there``).
    """
    return [
        f"{name} is {here[name]} here, and was {version} where the model was calibrated: scores may differ"
        for name, version in there.items()
        if here.get(name) != version
    ]


def verdict_in_words(verdict: Verdict, calibration: Calibration, rate: float) -> tuple[str, list[str]]:
    """A headline, and what it means in sentences."""
    score, p = verdict.anomaly_score, verdict.p_value
    if score is None or p is None:
        known = [] if score is None else [f"Its anomaly score is {score:.2f}.", *_fakes_seen(calibration)]
        return f"Cannot tell: {reason(verdict, calibration)}.", known
    reals = calibration.validation.scores
    lower = sum(real < score for real in reals)
    stands = (
        f"Its anomaly score, {score:.2f}, is higher than those of {lower} of {len(reals)} real videos "
        f"that the model was not trained on (percentile {verdict.percentile:.0f})."
    )
    as_high = f"about {p:.1%}" if p >= 1 / (len(reals) + 1) else f"fewer than 1 in {len(reals) + 1}"
    expected = (
        f"Of real videos like those, {as_high} would be expected to score as high; more cannot be known from "
        f"{len(reals)}."
    )
    if verdict.decision == ANOMALOUS:
        headline = (
            "Anomalous: its frames differ from each other otherwise than those of real videos do."
            if only_pairs(calibration.scoring)
            else "Anomalous: its faces, with how they differ from frame to frame, are unlike those of real videos."
        )
        end = (
            f"That is above the threshold for a false-alarm rate of {rate:.1%}: a reason to look closer, not proof "
            "that it is fake."
        )
    else:
        headline = (
            "Not anomalous: its frames differ from each other as those of real videos do."
            if only_pairs(calibration.scoring)
            else "Not anomalous: its faces, with how they differ from frame to frame, are like those of real videos."
        )
        end = (
            f"That is not above the threshold for a false-alarm rate of {rate:.1%}. It is not proof that the video "
            "is real."
        )
    return headline, [stands, expected, end, *_fakes_seen(calibration)]


def _fakes_seen(calibration: Calibration) -> list[str]:
    """A sentence on the genuine fakes that the model was trained on; none where there were none."""
    said = fakes_in_words(calibration.trained_on.fakes)
    return [f"The model was {said}."] if said else []


def model_in_words(calibration: Calibration) -> list[str]:
    """Which model judges, what it was trained on, and how far to trust it, in a few sentences."""
    release, trained = calibration.release, calibration.trained_on
    if release:
        return [f"The released model {release.name} judges.", release.summary, *_fakes_seen(calibration)]
    who = f" of {trained.people} people" if trained.people else ""
    judges = (
        f"A model of your own judges, trained on {trained.videos} real videos{who} (the dataset '{trained.dataset}')."
    )
    sentences = ["A model of your own judges.", calibration.made_from] if calibration.made_from else [judges]
    sentences += _fakes_seen(calibration)
    if trained.is_demo:
        sentences.append("The demo is rendered: it shows how the program works, and says nothing about real videos.")
    return sentences


def ratio_in_words(ratio: FamilyRatio) -> str:
    """A sentence or two on a likelihood ratio, or on why there is none; they name the methods and count the videos."""
    fakes = f"{_FAMILIES[ratio.family]} ({', '.join(ratio.methods)}: {_count(ratio.n_fake, ratio.people_fake)})"
    reals = f"real videos ({ratio.dataset}: {_count(ratio.n_real, ratio.people_real)})"
    if ratio.ratio is None or ratio.bounds is None:
        return (
            f"There is no likelihood ratio for {fakes} against {reals}: it takes at least {FEWEST_PEOPLE} people on "
            "either side."
        )
    least, greatest = ratio.bounds
    times, first, second = ratio.ratio, fakes, reals
    if times < 1:
        times, first, second = 1 / times, reals, fakes
    said = f"{times:.0f}" if times >= 9.95 else f"{times:.1f}"
    stands = (
        f"The score is as likely for {first} as for {second}: here it does not tell them apart."
        if said == "1.0"
        else f"The score is about {said} times as likely for {first} as for {second}."
    )
    if least == greatest:
        return stands
    high = f"{greatest:.0f}" if greatest >= 100 else f"{greatest:.2g}"
    return f"{stands} These videos support no ratio below {least:.2g} or above {high}."


def ratios_in_words(ratios: list[FamilyRatio]) -> list[str]:
    """:func:`ratio_in_words` of each, and what such a ratio means; nothing where there are none."""
    meaning = (
        "A likelihood ratio is of the methods and the real videos that are named, and says nothing about other methods "
        "or other kinds of videos. It is not how probable a forgery is: that depends on all else that is known, too."
    )
    known = any(ratio.ratio is not None for ratio in ratios)
    return [ratio_in_words(ratio) for ratio in ratios] + ([meaning] if known else [])


def _count(videos: int, people: int) -> str:
    """How many videos there are, and of how many people where they are fewer."""
    counted = f"{videos} video{'' if videos == 1 else 's'}"
    return counted if people == videos else f"{counted} of {people} {'person' if people == 1 else 'people'}"


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
        f"The threshold rests on {n} real videos{people} ({validation.source}), {how}.",
        f"With so many, the true rate may lie anywhere from {low:.1%} to {high:.1%} (95 % interval).",
    ]
    if test:
        alarmed = sum(score > limit for score in test)
        sentences.append(
            f"Achieved on real test videos: {alarmed} of {len(test)} called anomalous ({alarmed / len(test):.1%})."
        )
    return " ".join(sentences)


def example_in_words(calibration: Calibration) -> str:
    """What a rendered example can show of this model, in a sentence."""
    if calibration.trained_on.is_demo:
        return (
            "The model was trained on faces rendered in the same way, so this shows it at its best, not how it does on "
            "real videos."
        )
    return (
        "The model was trained on real people and tends to find a rendered face unusual, swapped or not: this shows "
        "what a report looks like, not how well fakes are told from real videos."
    )


def limits(calibration: Calibration) -> list[str]:
    """What a verdict can't say, in sentences, for everybody who reads one (section 5 of the paper)."""
    trained, people = calibration.trained_on, calibration.trained_on.people
    who = f" of {people} people" if people else ""
    unusual = "differences" if only_pairs(calibration.scoring) else "faces and the differences"
    against = (
        f"its network has seen genuine fakes ({fakes_in_words(trained.fakes)}): of fakes that were made otherwise it "
        "may find fewer."
        if trained.fakes
        else "on pseudo-fakes made of them, never on a forgery."
    )
    sentences = [
        f"A score is not proof. It says how unusual the {unusual} between the frames are beside those of the real "
        "videos above. Look at the pictures, and at where the video comes from.",
        f"The model was trained on {trained.videos} real videos{who} (the dataset '{trained.dataset}') and {against} "
        "Videos with other cameras, light, compression or people may be unusual to it without being forged.",
        "Out of its scope are videos that are generated as a whole (from text or from an image) and single images: it "
        "assumes a real video in which a face was replaced or altered.",
        "Cuts, people taking turns, filters and heavy editing can make a real video anomalous. A forgery that is "
        "steady from frame to frame, or whose face is seen from the side or small, can pass.",
    ]
    if trained.is_demo:
        sentences.insert(
            1,
            "This model was trained on the rendered demo alone: it shows how the program works, and says nothing about "
            "real videos.",
        )
    return sentences

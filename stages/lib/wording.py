"""What is said to people of a verdict: what it means, why there is none, and what it cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.lib.calibration import Calibration
    from stages.lib.detection import Verdict

ANOMALOUS, NOT_ANOMALOUS, CANNOT_TELL = "anomalous", "not anomalous", "cannot tell"
_DEMO = "demo"  # the training dataset that comes with the project

# Why a video has no score, or no verdict, for people.
REASONS = {
    "missing_file": "there is no such file",
    "empty_file": "the file is empty",
    "unreadable": "not a video that can be opened: another kind of file, or damaged",
    "no_frames": "it opens as a video, but no frame can be decoded: it is damaged, or the codec isn't known here",
    "single_frame": "a single image; the method compares the frames of a video with each other",
    "too_long": "longer than allowed",
    "no_face": "no frontal face was found in any of the frames looked at",
    "too_few_faces": "too little face to judge: a frontal face was found in {n_faces} of {n_frames} frames looked at, "
    "and {min_faces} are needed",
    "uncalibrated": "the model was calibrated on fewer than two real videos, so that its scores have no meaning yet; "
    "add real videos to the validation split and run `dvc repro calibrate`",
}
FRAME_REASONS = {
    "no_face": "no frontal face found",
    "other_person": "only other people's faces found",
}


def in_words(verdict: Verdict, calibration: Calibration, rate: float) -> tuple[str, list[str]]:
    """A headline, and what it means in sentences."""
    if verdict.decision == CANNOT_TELL:
        known = [] if verdict.anomaly_score is None else [f"Its anomaly score is {verdict.anomaly_score:.2f}."]
        return f"Cannot tell: {verdict.reason}.", known
    reals = calibration.validation.scores
    lower = sum(score < verdict.anomaly_score for score in reals)
    stands = (
        f"Its anomaly score, {verdict.anomaly_score:.2f}, is higher than those of {lower} of {len(reals)} real videos that the model "
        f"was not trained on (percentile {verdict.percentile:.0f})."
    )
    as_high = (
        f"about {verdict.p_value:.1%}"
        if verdict.p_value >= 1 / (len(reals) + 1)
        else f"fewer than 1 in {len(reals) + 1}"
    )
    rate_said = f"Of real videos like those, {as_high} would be expected to score as high; more cannot be known from {len(reals)}."
    if verdict.decision == ANOMALOUS:
        headline = "Anomalous: its frames differ from each other otherwise than those of real videos do."
        end = f"That is above the threshold for a false-alarm rate of {rate:.1%}: a reason to look closer, not proof that it is fake."
    else:
        headline = "Not anomalous: its frames differ from each other as those of real videos do."
        end = f"That is not above the threshold for a false-alarm rate of {rate:.1%}. It is not proof that the video is real."
    return headline, [stands, rate_said, end]


def limits(calibration: Calibration) -> list[str]:
    """What a verdict can't say, in sentences, for everybody who reads one (section 5 of the paper)."""
    trained, people = calibration.trained_on, calibration.trained_on.people
    who = f" of {people} people" if people else ""
    said = [
        "A score is not proof. It says how unusual the differences between the frames are beside those of the real videos above. "
        "Look at the pictures, and at where the video comes from.",
        f"The model was trained on {trained.videos} real videos{who} (the dataset '{trained.dataset}') and on pseudo-fakes made of them, "
        "never on a forgery. Videos with other cameras, light, compression or people may be unusual to it without being forged.",
        "Out of its scope are videos that are generated as a whole (from text or from an image) and single images: it assumes a real "
        "video in which a face was replaced or altered.",
        "Cuts, people taking turns, filters and heavy editing can make a real video anomalous. A forgery that is steady from frame to "
        "frame, or whose face is seen from the side or small, can pass.",
    ]
    if trained.dataset == _DEMO:
        said.insert(
            1,
            "This model was trained on the rendered demo alone: it shows how the program works, and says nothing about real videos.",
        )
    return said

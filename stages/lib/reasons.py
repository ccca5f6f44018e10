"""Why a frame or a video has no face, no score or no verdict: one code each, as tables and metrics hold it, with its
words.
"""

from enum import StrEnum


class RejectReason(StrEnum):
    """A reject reason. Its value is the code; ``words`` say it to people, with the counts in braces to be filled in."""

    words: str

    def __new__(cls, code: str, words: str) -> "RejectReason":
        member = str.__new__(cls, code)
        member._value_, member.words = code, words
        return member


class VideoReject(RejectReason):
    """Why a video has no score or no verdict."""

    MISSING_FILE = "missing_file", "there is no such file"
    EMPTY_FILE = "empty_file", "the file is empty"
    UNREADABLE = "unreadable", "not a video that can be opened: another kind of file, or damaged"
    NO_FRAMES = (
        "no_frames",
        "it opens as a video, but no frame can be decoded: it is damaged, or the codec isn't known here",
    )
    SINGLE_IMAGE = "single_frame", "a single image; the method compares the frames of a video with each other"
    TOO_LONG = "too_long", "longer than allowed"
    NO_FACE = "no_face", "no frontal face was found in any of the frames looked at"
    TOO_FEW_FACES = (
        "too_few_faces",
        "too little face to judge: a frontal face was found in {n_faces} of {n_frames} frames looked at, "
        "and {min_faces} are needed",
    )
    UNCALIBRATED = (
        "uncalibrated",
        "the model was calibrated on fewer than two real videos, so that its scores have no meaning yet; "
        "add real videos to the validation split and run `dvc repro calibrate`",
    )


class FrameReject(RejectReason):
    """Why a frame has no face that is used."""

    NO_FACE = "no_face", "no frontal face found"
    OTHER_PERSON = "other_person", "only other people's faces found"


TRUNCATED = "truncated"  # a note, not a reason: the video ends early, and what there is of it is used

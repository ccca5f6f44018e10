"""Why a frame or a video has no face, no score or no verdict: one code each, as tables and metrics hold it.

Their words for people stand in :mod:`stages.lib.reason_words`, apart, so that rewording one makes no stage run again.
"""

from enum import StrEnum


class VideoReject(StrEnum):
    """Why a video has no score or no verdict."""

    MISSING_FILE = "missing_file"
    EMPTY_FILE = "empty_file"
    UNREADABLE = "unreadable"
    NO_FRAMES = "no_frames"
    SINGLE_IMAGE = "single_frame"
    TOO_LONG = "too_long"
    NO_FACE = "no_face"
    TOO_FEW_FACES = "too_few_faces"
    UNCALIBRATED = "uncalibrated"
    CRASHED = "crashed"


class FrameReject(StrEnum):
    """Why a frame has no face that is used."""

    NO_FACE = "no_face"
    OTHER_PERSON = "other_person"
    NOT_A_FACE = "not_a_face"
    UNREADABLE = "unreadable"
    CRASHED = "crashed"


TRUNCATED = "truncated"  # a note, not a reason: the video ends early, and what there is of it is used

"""Every reject reason has its words."""

import pytest

from stages.lib.reason_words import FRAME_REJECTS, VIDEO_REJECTS
from stages.lib.reasons import FrameReject, VideoReject

COUNTS = {"n_faces": 3, "n_frames": 9, "min_faces": 4}


def test_the_codes_that_tables_and_metrics_hold_stay():
    assert [str(code) for code in VideoReject] == [
        "missing_file",
        "empty_file",
        "unreadable",
        "no_frames",
        "single_frame",
        "too_long",
        "no_face",
        "too_few_faces",
        "uncalibrated",
        "crashed",
    ]
    assert [str(code) for code in FrameReject] == ["no_face", "other_person", "not_a_face", "unreadable", "crashed"]


@pytest.mark.parametrize("code", VideoReject)
def test_a_video_that_is_rejected_is_told_why(code):
    assert len(VIDEO_REJECTS[code].format(**COUNTS)) > 10


@pytest.mark.parametrize("code", FrameReject)
def test_a_frame_that_is_dropped_is_told_why(code):
    assert len(FRAME_REJECTS[code]) > 10

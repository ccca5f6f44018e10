"""Whose face a genuine fake shows, and in whose video, where its name tells."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath


def target_and_source(row: Mapping[str, str]) -> tuple[str, str]:
    """(video_id of the target, video_id of the source) of a fake that is named as FaceForensics++'s are: the video that
    was forged, and the one whose face or expression was put in, frame by frame of the same number.

    Both are empty of any other row, and of one whose ``original`` isn't known. ``row``: of the index.
    """
    name, original = PurePosixPath(row["video_id"]), PurePosixPath(row["original"])
    match = re.fullmatch(r"(\d{3})_(\d{3})", name.stem)
    if match is None or match[1] != original.stem:
        return "", ""
    return str(original), str(original.with_stem(match[2]))

"""extract_frames: decode each video once and keep equally spaced frames without loss (section 4.1).

Of a folder of face pictures it only counts those that there are: crop_faces reads them where they lie.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.cluster import Shared
from stages.lib.files import frames_file
from stages.lib.frames.extraction import extract_frames, list_pictures
from stages.lib.frames.settings import FrameSettings
from stages.lib.frames.storage import write_frames
from stages.lib.ledger import recipe, update_folder
from stages.lib.mapping import map_videos
from stages.lib.reasons import VideoReject
from stages.lib.records import FACE_PICTURES, Video
from stages.lib.schemas import EXTRACTED_VIDEOS, INDEX, VIDEOS_TABLE
from stages.lib.tables import read_table
from stages.params import load_params


@dataclass(frozen=True)
class SourceVideo(Video):
    """A video to decode: its path below the dataset's root.

    ``pictures``: the fingerprint of the folder where it is one of face pictures, else None.
    """

    path: str
    pictures: str | None


def _source(row: dict[str, str]) -> SourceVideo:
    pictures = row["fingerprint"] if row["input"] == FACE_PICTURES else None
    # Another `input` makes something else of the same files.
    made_from = row["fingerprint"] if pictures is None else f"{FACE_PICTURES} {pictures}"
    return SourceVideo(row["video_id"], made_from, row["path"], pictures)


def _extract(root: Path, out: Path, settings: FrameSettings, video: SourceVideo) -> pa.Table:
    path, n_frames = root / video.path, settings.per_video
    if video.pictures is None:
        extracted = extract_frames(path, n_frames, max_side=settings.max_side)
    else:
        extracted = list_pictures(path)
    if extracted.frames:
        write_frames(frames_file(out, video.video_id), extracted.frames)
    n_kept = len(extracted.frames) if video.pictures is None else min(extracted.n_decoded, n_frames)
    row = {field.name: getattr(extracted, field.name, None) for field in EXTRACTED_VIDEOS}
    row |= {"video_id": video.video_id, "n_frames": n_kept, "pictures": video.pictures}
    return pa.Table.from_pylist([row], EXTRACTED_VIDEOS)


def _crashed(video: SourceVideo) -> pa.Table:
    """The row of a video that was given up."""
    nothing = dict.fromkeys(("n_frames", "n_decoded", "n_declared", "width", "height"), 0)
    row = {"video_id": video.video_id, "reject_reason": VideoReject.CRASHED, **nothing}
    return pa.Table.from_pylist([row], EXTRACTED_VIDEOS)


def _has_file(rows: pa.Table) -> bool:
    return bool(rows["n_frames"][0].as_py() > 0 and rows["pictures"].null_count)


def main() -> None:
    paths = parse_paths(__doc__, "index", "root", "ledger", "out")
    settings = load_params().frames
    index = read_table(paths.index, INDEX, ["video_id", "path", "input", "fingerprint"]).to_pylist()
    extract = partial(_extract, paths.root, paths.out, settings)
    shared = Shared([paths.root], paths.out)
    update_folder(
        paths.out / VIDEOS_TABLE,
        EXTRACTED_VIDEOS,
        [_source(row) for row in index],
        compute=partial(map_videos, extract, description="extract_frames", shared=shared),
        crashed=_crashed,
        file_of=partial(frames_file, paths.out),
        has_file=_has_file,
        ledger=paths.ledger,
        recipe=recipe("stages/extract_frames.py", settings),
    )


if __name__ == "__main__":
    run(main)

"""extract_frames: decode each video once and keep equally spaced frames without loss (section 4.1)."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.files import frames_file
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import write_frames
from stages.lib.ledger import recipe, update_folder
from stages.lib.records import Video
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, INDEX, VIDEOS_TABLE, read_table
from stages.params import load_params


@dataclass(frozen=True)
class SourceVideo(Video):
    """A video to decode: its path below the dataset's root."""

    path: str


def _extract(root: Path, out: Path, n_frames: int, video: SourceVideo) -> pa.Table:
    extracted = extract_frames(root / video.path, n_frames)
    if extracted.frames:
        write_frames(frames_file(out, video.video_id), extracted.frames)
    row = {field.name: getattr(extracted, field.name, None) for field in EXTRACTED_VIDEOS}
    row |= {"video_id": video.video_id, "n_frames": len(extracted.frames)}
    return pa.Table.from_pylist([row], EXTRACTED_VIDEOS)


def main() -> None:
    paths = parse_paths(__doc__, "index", "root", "ledger", "out")
    settings = load_params().frames
    index = read_table(paths.index, INDEX, ["video_id", "path", "fingerprint"]).to_pylist()
    extract = partial(_extract, paths.root, paths.out, settings.per_video)
    update_folder(
        paths.out / VIDEOS_TABLE,
        EXTRACTED_VIDEOS,
        [SourceVideo(row["video_id"], row["fingerprint"], row["path"]) for row in index],
        compute=lambda videos: map_videos(extract, videos, "extract_frames"),
        file_of=partial(frames_file, paths.out),
        has_file=lambda rows: rows["n_frames"][0].as_py() > 0,
        ledger=paths.ledger,
        recipe=recipe("stages/extract_frames.py", settings),
    )


if __name__ == "__main__":
    run(main)

"""extract_frames: decode each video once and keep equally spaced frames without loss (section 4.1)."""

from functools import partial
from pathlib import Path

from stages.cli import parse_paths, run
from stages.lib.files import atomic_folder
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, INDEX, read_table, write_table
from stages.lib.video import extract_frames, write_frames
from stages.params import load_params


def _extract(root: Path, out: Path, n_frames: int, video: dict) -> dict:
    extracted = extract_frames(root / video["path"], n_frames)
    if extracted.frames:
        write_frames(out / f"{video['video_id']}.parquet", extracted.frames)
    row = {field.name: getattr(extracted, field.name, None) for field in EXTRACTED_VIDEOS}
    return {**row, "video_id": video["video_id"], "n_frames": len(extracted.frames)}


def main() -> None:
    paths = parse_paths(__doc__, "index", "root", "out")
    n_frames = load_params().frames.per_video
    videos = read_table(paths.index, INDEX).to_pylist()
    with atomic_folder(paths.out) as out:
        rows = list(map_videos(partial(_extract, paths.root, out, n_frames), videos, "extract_frames"))
        write_table(out / "videos.parquet", rows, EXTRACTED_VIDEOS)


if __name__ == "__main__":
    run(main)

"""extract_frames: decode each video once and keep equally spaced frames without loss (section 4.1)."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stages.cli import parse_paths, run
from stages.lib.files import keep_only, video_file
from stages.lib.ledger import Ledger, recipe
from stages.lib.runtime import map_videos
from stages.lib.tables import EXTRACTED_VIDEOS, INDEX, read_table, write_table
from stages.lib.video import extract_frames, write_frames
from stages.params import load_params


def _extract(root: Path, out: Path, n_frames: int, video: dict) -> pa.Table:
    extracted = extract_frames(root / video["path"], n_frames)
    if extracted.frames:
        write_frames(video_file(out, ".parquet", video["video_id"]), extracted.frames)
    row = {field.name: getattr(extracted, field.name, None) for field in EXTRACTED_VIDEOS}
    row |= {"video_id": video["video_id"], "n_frames": len(extracted.frames)}
    return pa.Table.from_pylist([row], EXTRACTED_VIDEOS)


def main() -> None:
    paths = parse_paths(__doc__, "index", "root", "ledger", "out")
    settings = load_params().frames
    videos = read_table(paths.index, INDEX, ["video_id", "path", "fingerprint"]).to_pylist()
    videos = [video | {"made_from": video["fingerprint"]} for video in videos]
    table = paths.out / "videos.parquet"
    table.unlink(missing_ok=True)  # a folder that is being changed is not taken for a whole one
    extract = partial(_extract, paths.root, paths.out, settings.per_video)
    file_of = partial(video_file, paths.out, ".parquet")
    with Ledger(paths.ledger, recipe("stages/extract_frames.py", settings)) as ledger:
        rows = ledger.resume(videos, lambda todo: map_videos(extract, todo, "extract_frames"), file_of)
        rows = pa.concat_tables([EXTRACTED_VIDEOS.empty_table(), *rows])
    used = rows.filter(pc.greater(rows["n_frames"], 0))["video_id"].to_pylist()
    keep_only(paths.out, {file_of(video_id) for video_id in used})
    write_table(table, rows, EXTRACTED_VIDEOS)


if __name__ == "__main__":
    run(main)

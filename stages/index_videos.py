"""index_videos: turn a dataset's root folder into one row per video."""

from pathlib import Path

from stages.cli import parse_paths, run
from stages.lib.index import index_dataset
from stages.lib.tables import INDEX, write_table


def main() -> None:
    arguments = parse_paths(__doc__, "root", "out", text=("layout",))
    rows = index_dataset(arguments.layout, Path(arguments.root))
    write_table(arguments.out, rows, INDEX)
    print(f"{arguments.out}: {len(rows)} videos")


if __name__ == "__main__":
    run(main)

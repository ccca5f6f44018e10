"""index_videos: turn a dataset's root folder into one row per video, and say what of it is there.

It runs at every `dvc repro`, to notice new, changed and removed videos; ``--seen`` keeps what each file looked like, so that only
new and changed ones are read. Where the index comes out as before, nothing after it runs.
"""

from pathlib import Path

import pandas as pd

from stages.cli import parse_paths, run
from stages.lib.errors import InputError
from stages.lib.index import add_fingerprints, describe, index_dataset
from stages.lib.tables import INDEX, REAL, SEEN, read_table, write_table
from stages.params import load_params


def main() -> None:
    arguments = parse_paths(__doc__, "seen", "out", text=("dataset",))
    dataset = load_params().datasets[arguments.dataset]
    root = Path(dataset.root)
    listed = index_dataset(dataset.layout, root, dataset.quality)
    rows = [row for row in listed if row["split"] in (dataset.reals if row["label"] == REAL else dataset.fakes)]
    if not rows:
        raise InputError(
            f"datasets.{arguments.dataset}: `reals` and `fakes` leave none of {len(listed)} videos; name a split that has some"
        )
    seen = read_table(arguments.seen, SEEN).to_pandas() if arguments.seen.exists() else pd.DataFrame(columns=SEEN.names)
    rows, seen = add_fingerprints(rows, root, seen)
    said = describe(dataset.layout, rows)
    write_table(arguments.seen, seen, SEEN)
    write_table(arguments.out, rows, INDEX)
    left_out = len(listed) - len(rows)
    print(
        f"{arguments.out}: {len(rows)} videos" + (f", {left_out} left out by `reals` and `fakes`" if left_out else "")
    )
    print(said)


if __name__ == "__main__":
    run(main)

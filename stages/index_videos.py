"""index_videos: turn a dataset's root folder into one row per video, and report what is missing.

It runs at every `dvc repro`, to notice new, changed and removed videos; ``--seen`` keeps the state of each file, so
that only new and changed ones are read. Where the index comes out as before, nothing after it runs.
"""

from pathlib import Path

import pandas as pd

from stages.cli import parse_paths, run
from stages.lib.datasets.index import (
    add_fingerprints,
    forget_absent_originals,
    index_dataset,
    index_summary,
    refuse_files,
)
from stages.lib.errors import InputError
from stages.lib.records import FACE_PICTURES, REAL
from stages.lib.schemas import FILE_STATES, INDEX
from stages.lib.tables import read_table, write_table
from stages.params import load_params


def main() -> None:
    arguments = parse_paths(__doc__, "seen", "out", text=("dataset",))
    dataset = load_params().datasets[arguments.dataset]
    root = Path(dataset.root)
    listed = index_dataset(dataset.layout, root, dataset.quality)
    rows = [row for row in listed if row["split"] in (dataset.reals if row["label"] == REAL else dataset.fakes)]
    if not rows:
        raise InputError(
            f"datasets.{arguments.dataset}: `reals` and `fakes` leave none of {len(listed)} videos; name a split that "
            "has some"
        )
    if dataset.input == FACE_PICTURES:
        refuse_files(rows, root)
    known = pd.DataFrame(columns=FILE_STATES.names)
    if arguments.seen.exists():
        known = read_table(arguments.seen, FILE_STATES).to_pandas()
    rows, states = add_fingerprints(forget_absent_originals(rows), root, known)
    summary = index_summary(dataset.layout, rows)
    write_table(arguments.seen, states, FILE_STATES)
    write_table(arguments.out, [row | {"input": dataset.input} for row in rows], INDEX)
    n_left_out = len(listed) - len(rows)
    left_out = f", {n_left_out} left out by `reals` and `fakes`" if n_left_out else ""
    print(f"{arguments.out}: {len(rows)} videos{left_out}")
    print(summary)


if __name__ == "__main__":
    run(main)

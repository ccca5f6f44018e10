"""synthesize_fakes: a bank of pseudo-fakes of the training dataset's real faces and of photos, several variants a face
(section 3.1). With ``train.fakes`` it also holds the dataset's genuine fakes of train and val, or these alone.
"""

from functools import partial
from pathlib import Path

import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.cluster import Shared
from stages.lib.datasets.folds import read_index
from stages.lib.files import atomic_path, bank_file, keep_only, sources_file, write_json
from stages.lib.ledger import Ledger, recipe
from stages.lib.mapping import map_videos
from stages.lib.photos.faces import photo_coverage
from stages.lib.pseudo_fakes.genuine import GenuineFake, genuine_bank, genuine_fakes, genuine_in_words
from stages.lib.pseudo_fakes.making import Source, synthesize_bank, training_photos, training_videos, with_donors
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.pseudo_fakes.sheet import fakes_sheet
from stages.lib.schemas import FAKES, FAKES_TABLE, PHOTOS, PHOTOS_TABLE
from stages.lib.tables import read_table, write_tables
from stages.params import load_params


def _make(
    bank: Path, settings: SynthesisSettings, seed: int, keep_sources: bool, source: Source | GenuineFake
) -> pa.Table:
    if isinstance(source, GenuineFake):
        return genuine_bank(bank, source)
    return synthesize_bank(bank, settings, seed, source, keep_sources)


def main() -> None:
    paths = parse_paths(__doc__, "index", "faces", "photos", "ledger", "out", "sheet", "coverage")
    params = load_params()
    settings, keep_sources = params.synthesis, params.guidance.is_on
    index = read_index(paths.index, params.cross_validation, is_training_dataset=True)
    reals, forged, genuine = training_videos(index, paths.faces), [], []
    if params.train.fakes != "real":
        forged = [*reals, *training_photos(paths.photos)]
        forged = with_donors(forged) if settings.donors else forged
    if params.train.fakes != "pseudo":
        genuine = genuine_fakes(index, paths.faces, reals, keep_sources)
        print(genuine_in_words(genuine, index), flush=True)
    sources = [*forged, *genuine]
    # Banks are made beside the ledger, where a killed run's stay: DVC empties the output before a run.
    unfinished = paths.ledger.with_suffix(".partial")
    make = partial(_make, unfinished, settings, params.seed, keep_sources)
    bank_of = partial(bank_file, unfinished)
    compute = partial(
        map_videos,
        make,
        description="synthesize_fakes",
        unit="source",
        shared=Shared([paths.faces, paths.photos], unfinished),
    )
    made_with = recipe("stages/synthesize_fakes.py", params.seed, settings, keep_sources)
    with Ledger(paths.ledger, made_with, "sources") as ledger:
        rows = ledger.resume(sources, compute, bank_of, crashed=lambda source: FAKES.empty_table())
        write_tables(unfinished / FAKES_TABLE, rows, FAKES)
    arrays = [bank_of, *([partial(sources_file, unfinished)] if keep_sources else [])]
    kept = {file_of(source.video_id) for file_of in arrays for source in sources}
    keep_only(unfinished, {unfinished / FAKES_TABLE, *kept})
    with atomic_path(paths.out) as whole:
        unfinished.replace(whole)
    fakes_sheet(paths.sheet, forged, settings, params.seed, genuine)
    tables = {table.parent.name: read_table(table, PHOTOS) for table in paths.photos.glob(f"*/{PHOTOS_TABLE}")}
    write_json(paths.coverage, {name: photo_coverage(table) for name, table in tables.items()})


if __name__ == "__main__":
    run(main)

"""Checked tables: equal bytes from equal rows, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.lib.errors import InputError
from stages.lib.records import N_APPEARANCE
from stages.lib.tables import (
    EXTRACTED_VIDEOS,
    INDEX,
    embeddings_schema,
    read_embeddings,
    read_table,
    vector_column,
    vectors,
    write_table,
)

ROW = dict.fromkeys(INDEX.names, "x")


def test_tables_are_equal_bytes_from_equal_rows(tmp_path):
    write_table(tmp_path / "a", [ROW], INDEX)
    write_table(tmp_path / "b", pd.DataFrame([ROW]), INDEX)
    write_table(tmp_path / "c", pa.Table.from_pylist([ROW], schema=INDEX), INDEX)
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 1


def test_a_missing_value_is_refused_on_writing_and_on_reading(tmp_path):
    with pytest.raises(InputError, match="column 'label' has 1 empty values"):
        write_table(tmp_path / "a", [ROW | {"label": None}], INDEX)
    assert not list(tmp_path.iterdir())
    loose = pa.schema([pa.field(f.name, f.type) for f in INDEX])
    pq.write_table(pa.Table.from_pylist([ROW | {"label": None}], schema=loose), tmp_path / "b")
    with pytest.raises(InputError):
        read_table(tmp_path / "b", INDEX)


def test_unreadable_and_foreign_tables_are_named(tmp_path):
    with pytest.raises(InputError, match="no such table; run `dvc repro`"):
        read_table(tmp_path / "none", INDEX)
    (tmp_path / "bad").write_text("no Parquet")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_table(tmp_path / "bad", INDEX)
    write_table(tmp_path / "a", [ROW], INDEX)
    with pytest.raises(InputError, match="columns are video_id:string, .* expected video_id:string, n_frames"):
        read_table(tmp_path / "a", EXTRACTED_VIDEOS)
    with pytest.raises(InputError, match="expected .*embedding:fixed_size_list"):
        read_embeddings(tmp_path / "a")


def _embeddings(embedding: np.ndarray, boundary: np.ndarray | None = None) -> pa.Table:
    """A table of four faces."""
    text = {name: ["x"] * 4 for name in ("video_id", "label", "method", "split")}
    numbers = {"face_row": range(4), "frame_index": range(4), "time_s": [0.0] * 4, "fake_logit": [0.0] * 4}
    columns = {name: pa.array(list(values)) for name, values in {**text, **numbers}.items()}
    columns |= {"embedding": vector_column(embedding), "appearance": vector_column(np.zeros((4, N_APPEARANCE)))}
    columns |= {} if boundary is None else {"boundary": vector_column(boundary)}
    cells = 0 if boundary is None else round(boundary.shape[1] ** 0.5)
    return pa.table(columns).cast(embeddings_schema(embedding.shape[1], cells))


def test_vectors_survive_slicing_and_filtering(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    made = _embeddings(array)
    write_table(tmp_path / "e", made, made.schema)
    table = read_embeddings(tmp_path / "e")
    np.testing.assert_array_equal(vectors(table, "embedding"), array)
    np.testing.assert_array_equal(vectors(table.slice(1, 2), "embedding"), array[1:3])
    np.testing.assert_array_equal(
        vectors(table.filter(pa.array([True, False, True, False])), "embedding"), array[[0, 2]]
    )


def test_boundary_maps_are_read_where_there_are_some(tmp_path):
    maps = np.random.default_rng(0).random((4, 9), np.float32)
    made = _embeddings(np.zeros((4, 3)), maps)
    write_table(tmp_path / "e", made, made.schema)
    np.testing.assert_array_equal(vectors(read_embeddings(tmp_path / "e"), "boundary"), maps)


def test_a_boundary_map_that_is_no_square_is_refused(tmp_path):
    made = _embeddings(np.zeros((4, 3)))
    made = made.append_column("boundary", vector_column(np.zeros((4, 8))))
    write_table(tmp_path / "e", made, made.schema)
    with pytest.raises(InputError, match="expected .*boundary:fixed_size_list"):
        read_embeddings(tmp_path / "e")

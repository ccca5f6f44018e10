"""Atomic outputs and checked tables."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.lib.errors import InputError
from stages.lib.files import atomic_folder, atomic_path, keep_only, write_json
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


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "old"


def test_what_is_not_kept_is_removed_with_the_folders_it_leaves_empty(tmp_path):
    for name in ("kept.npy", "a/kept.npy", "a/old.npy", "b/c/old.npy", "b/.kept.npy.1a2b3c4d.partial"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    keep_only(tmp_path, {tmp_path / "kept.npy", tmp_path / "a/kept.npy"})
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/kept.npy", "kept.npy"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    for content in ("one", "two"):
        with atomic_folder(tmp_path / "f") as folder:
            (folder / content).write_text(content)
            assert not (tmp_path / "f" / content).exists()
    assert [p.name for p in (tmp_path / "f").iterdir()] == ["two"]


def test_what_a_killed_run_left_behind_is_removed(tmp_path):
    (tmp_path / ".f.0123abcd.partial").mkdir()
    (tmp_path / ".other.0123abcd.partial").mkdir()
    with atomic_folder(tmp_path / "f"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.0123abcd.partial", "f"]


def test_json_refuses_nan_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "m.json", {"auc": float("nan")})
    assert not list(tmp_path.iterdir())


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


def test_vectors_survive_slicing_and_filtering(tmp_path):
    import numpy as np

    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    text = {name: ["x"] * 4 for name in ("video_id", "label", "method", "split")}
    numbers = {"face_row": range(4), "frame_index": range(4), "time_s": [0.0] * 4, "fake_logit": [0.0] * 4}
    columns = {name: pa.array(list(values)) for name, values in {**text, **numbers}.items()}
    schema = embeddings_schema(3)
    columns |= {"embedding": vector_column(array), "appearance": vector_column(np.zeros((4, N_APPEARANCE)))}
    write_table(tmp_path / "e", pa.table(columns).cast(schema), schema)
    table = read_embeddings(tmp_path / "e")
    np.testing.assert_array_equal(vectors(table, "embedding"), array)
    np.testing.assert_array_equal(vectors(table.slice(1, 2), "embedding"), array[1:3])
    np.testing.assert_array_equal(
        vectors(table.filter(pa.array([True, False, True, False])), "embedding"), array[[0, 2]]
    )

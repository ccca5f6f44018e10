"""Checked tables: equal bytes from equal rows, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.lib.errors import InputError
from stages.lib.records import N_APPEARANCE
from stages.lib.schemas import EXTRACTED_VIDEOS, FRAME_SCORES, INDEX, embeddings_schema
from stages.lib.tables import (
    ROW_GROUP,
    embeddings_in,
    read_batches,
    read_by_video,
    read_table,
    read_together,
    table_writer,
    vector_column,
    vectors,
    write_table,
    write_tables,
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
        read_table(tmp_path / "a", embeddings_in(tmp_path / "a"))


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
    table = read_table(tmp_path / "e", embeddings_in(tmp_path / "e"))
    np.testing.assert_array_equal(vectors(table, "embedding"), array)
    np.testing.assert_array_equal(vectors(table.slice(1, 2), "embedding"), array[1:3])
    np.testing.assert_array_equal(
        vectors(table.filter(pa.array([True, False, True, False])), "embedding"), array[[0, 2]]
    )


def test_boundary_maps_are_read_where_there_are_some(tmp_path):
    maps = np.random.default_rng(0).random((4, 9), np.float32)
    made = _embeddings(np.zeros((4, 3)), maps)
    write_table(tmp_path / "e", made, made.schema)
    table = read_table(tmp_path / "e", embeddings_in(tmp_path / "e"))
    np.testing.assert_array_equal(vectors(table, "boundary"), maps)


def test_a_boundary_map_that_is_no_square_is_refused(tmp_path):
    made = _embeddings(np.zeros((4, 3)))
    made = made.append_column("boundary", vector_column(np.zeros((4, 8))))
    write_table(tmp_path / "e", made, made.schema)
    with pytest.raises(InputError, match="expected .*boundary:fixed_size_list"):
        read_table(tmp_path / "e", embeddings_in(tmp_path / "e"))


def _scores(*counts: tuple[str, int]) -> pa.Table:
    """``FRAME_SCORES`` of so many faces of each video, numbered throughout."""
    n = sum(count for _, count in counts)
    video_ids = [video_id for video_id, count in counts for _ in range(count)]
    numbers = {name: np.arange(n) for name in FRAME_SCORES.names[1:]}
    return pa.table({"video_id": video_ids, **numbers}).cast(FRAME_SCORES)


MANY = _scores(("a", ROW_GROUP - 3), ("b", 7), ("c", ROW_GROUP + 1))


@pytest.mark.parametrize("size", [1000, ROW_GROUP, 3 * ROW_GROUP])
def test_rows_are_equal_bytes_however_they_are_cut_into_tables(tmp_path, size):
    write_table(tmp_path / "whole", MANY, FRAME_SCORES)
    pieces = (MANY.slice(start, size) for start in range(0, len(MANY), size))
    write_tables(tmp_path / "cut", pieces, FRAME_SCORES)
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_row_groups_have_a_fixed_number_of_rows(tmp_path):
    write_tables(tmp_path / "t", [MANY], FRAME_SCORES)
    groups = pq.ParquetFile(tmp_path / "t").metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [ROW_GROUP, ROW_GROUP, 5]


@pytest.mark.parametrize("pieces", [[], [FRAME_SCORES.empty_table()] * 2])
def test_no_rows_are_a_table_as_well(tmp_path, pieces):
    write_tables(tmp_path / "t", pieces, FRAME_SCORES)
    write_table(tmp_path / "one", FRAME_SCORES.empty_table(), FRAME_SCORES)
    assert read_table(tmp_path / "t", FRAME_SCORES).num_rows == 0
    assert (tmp_path / "t").read_bytes() == (tmp_path / "one").read_bytes()


def test_a_writer_takes_rows_of_any_kind(tmp_path):
    with table_writer(tmp_path / "t", FRAME_SCORES) as write:
        write(MANY.slice(0, 2))
        write(MANY.slice(2, 2).to_pandas())
        write(MANY.slice(4, 2).to_pylist())
    assert read_table(tmp_path / "t").equals(MANY.slice(0, 6))


def test_a_table_whose_rows_end_in_an_error_is_not_there(tmp_path):
    def rows():
        yield MANY
        raise RuntimeError("a video of it")

    with pytest.raises(RuntimeError, match="a video of it"):
        write_tables(tmp_path / "t", rows(), FRAME_SCORES)
    assert not list(tmp_path.iterdir())


def test_a_stream_is_checked_for_missing_values(tmp_path):
    loose = pa.schema([pa.field(f.name, f.type) for f in FRAME_SCORES])
    missing = pa.Table.from_pylist([MANY.slice(0, 1).to_pylist()[0] | {"video_id": None}], loose)
    with pytest.raises(InputError, match="column 'video_id' has 1 empty values"):
        write_tables(tmp_path / "t", [MANY, missing], FRAME_SCORES)
    pq.write_table(missing, tmp_path / "loose")
    with pytest.raises(InputError):
        list(read_batches(tmp_path / "loose", FRAME_SCORES))


def test_what_was_read_is_not_kept(tmp_path):
    noise = pa.array(np.random.default_rng(0).random(len(MANY) * 40))
    rows = pa.concat_tables([MANY] * 40).set_column(3, FRAME_SCORES.field(3), noise)
    write_table(tmp_path / "t", rows, FRAME_SCORES)
    whole, before = rows["single_frame_score"].nbytes, pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in read_batches(tmp_path / "t", FRAME_SCORES)]
    assert max(held) < whole / 2


def test_a_video_has_all_its_rows_also_over_row_groups(tmp_path):
    write_table(tmp_path / "t", MANY, FRAME_SCORES)
    found = dict(read_by_video(tmp_path / "t", FRAME_SCORES))
    assert {video_id: len(rows) for video_id, rows in found.items()} == {"a": ROW_GROUP - 3, "b": 7, "c": ROW_GROUP + 1}
    assert pa.concat_tables(found.values()).equals(MANY)


def test_some_columns_of_each_video_are_read(tmp_path):
    write_table(tmp_path / "t", MANY, FRAME_SCORES)
    found = dict(read_by_video(tmp_path / "t", FRAME_SCORES, ["classifier_logit", "video_id"]))
    assert found["b"].column_names == ["video_id", "classifier_logit"]
    assert found["b"]["classifier_logit"].to_pylist() == list(range(ROW_GROUP - 3, ROW_GROUP + 4))


@pytest.mark.parametrize("order", [("b", "a"), ("a", "b", "a")])
def test_videos_out_of_order_are_refused(tmp_path, order):
    write_table(tmp_path / "t", _scores(*((video_id, 2) for video_id in order)), FRAME_SCORES)
    with pytest.raises(InputError, match="t: video 'a' comes after 'b', expected ascending order; rerun the stage"):
        list(read_by_video(tmp_path / "t", FRAME_SCORES))


def test_a_stream_of_a_missing_or_foreign_table_is_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="no such table; run `dvc repro`"):
        next(read_by_video(tmp_path / "none", FRAME_SCORES))
    write_table(tmp_path / "t", [ROW], INDEX)
    with pytest.raises(InputError, match="columns are video_id:string, .* expected video_id:string, face_row"):
        next(read_by_video(tmp_path / "t", FRAME_SCORES))


NAMES = ["A", "Z/a", "Z0", "a", "a b", "a-b", "a.b", "a/b", "aa", "é", "лица/Zoë, 2.mp4", "\uffff", "\U0001f600"]


def test_python_arrow_and_pandas_sort_names_alike(tmp_path):
    """Else what one sorts the other would refuse."""
    assert sorted(NAMES) == NAMES
    shuffled = pa.table({"video_id": NAMES[::-1]})
    assert shuffled.sort_by("video_id")["video_id"].to_pylist() == NAMES
    assert shuffled.to_pandas().sort_values("video_id")["video_id"].tolist() == NAMES
    assert [name for name, _ in shuffled.to_pandas().groupby("video_id", sort=True)] == NAMES


def _written(tmp_path, **tables: pa.Table) -> list:
    for name, table in tables.items():
        write_table(tmp_path / name, table, FRAME_SCORES)
    return [(tmp_path / name, FRAME_SCORES, ["video_id", "face_row"]) for name in tables]


def test_tables_are_read_together_some_videos_at_a_time(tmp_path):
    one = _scores(("a", 1), ("b", 2), ("c", 1), ("d", 1), ("e", 1))
    tables = _written(tmp_path, one=one, two=_scores(("b", 3), ("d", 1)), none=_scores())
    found = [[table["video_id"].to_pylist() for table in some] for some in read_together(tables, 2)]
    assert found == [[[*"abb"], [*"bbb"], []], [[*"cd"], ["d"], []], [["e"], [], []]]


@pytest.mark.parametrize("foreign", ["A", "bb", "z"])
def test_a_video_that_the_first_table_lacks_is_refused(tmp_path, foreign):
    tables = _written(tmp_path, one=_scores(("a", 1), ("b", 1), ("c", 1)), two=_scores((foreign, 1)))
    with pytest.raises(InputError, match=f"two: has rows of '{foreign}', which .*one hasn't; run `dvc repro`"):
        list(read_together(tables, 2))

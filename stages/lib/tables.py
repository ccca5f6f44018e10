"""Writing and reading the Parquet tables of :mod:`stages.lib.schemas`, which are checked both times.

Tables of many videos are sorted by video_id, and are written and read as streams: a row group is in memory, however
many videos there are.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.lib.errors import InputError
from stages.lib.files import atomic_path
from stages.lib.records import N_LANDMARKS
from stages.lib.schemas import embeddings_schema, pairs_schema

# The rows of a row group, which is what is held in memory; another number gives other bytes.
ROW_GROUP = 8192


def vectors(table: pa.Table, column: str) -> np.ndarray:
    """A fixed-size-list column as an array (n, d), without copying where Arrow allows it."""
    chunked = table[column].combine_chunks()
    if isinstance(chunked, pa.ChunkedArray):
        chunked = chunked.chunk(0)
    result: np.ndarray = chunked.flatten().to_numpy(zero_copy_only=False).reshape(len(chunked), chunked.type.list_size)
    return result


def landmarks_of(faces: pa.Table) -> np.ndarray:
    """The landmarks of a ``FACES`` or ``PHOTOS`` table of faces alone: float64 (n, 68, 2), pixels of the crop."""
    return vectors(faces, "landmarks").reshape(-1, N_LANDMARKS, 2).astype(np.float64)


def vector_column(array: np.ndarray) -> pa.FixedSizeListArray:
    """An array (n, d) as a fixed-size float32 list column."""
    array = np.ascontiguousarray(array, dtype=np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


def _check(table: pa.Table, schema: pa.Schema, where: str | Path) -> None:
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise InputError(
                f"{where}: column '{field.name}' has {table[field.name].null_count} empty values; rerun the stage that "
                "writes it"
            )


Rows: TypeAlias = pd.DataFrame | pa.Table | list[dict[str, object]]


def write_table(path: str | Path, rows: Rows, schema: pa.Schema, compression: str = "zstd") -> None:
    """Write ``rows`` atomically under ``schema``; equal rows give equal bytes.

    Raises :class:`InputError` where a required column is empty, and Arrow's own error where a type is wrong.
    """
    with table_writer(path, schema, compression) as write:
        write(rows)


def write_tables(path: str | Path, tables: Iterable[Rows], schema: pa.Schema, compression: str = "zstd") -> None:
    """:func:`write_table` of the rows of a stream of tables, by :func:`table_writer`."""
    with table_writer(path, schema, compression) as write:
        for rows in tables:
            write(rows)


@contextmanager
def table_writer(path: str | Path, schema: pa.Schema, compression: str = "zstd") -> Iterator[Callable[[Rows], None]]:
    """A function that appends rows to a table, which is there when the body has ended without an error.

    A row group and what was appended last are in memory. Equal rows give equal bytes, however they are cut. Raises as
    :func:`write_table`.
    """
    waiting, n_waiting, n_groups = list[pa.Table](), 0, 0
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression=compression) as writer:

        def put(rows: pa.Table) -> None:
            nonlocal n_groups
            writer.write_table(rows.combine_chunks())  # where a column is in pieces, these show in the bytes
            n_groups += 1

        def write(rows: Rows) -> None:
            nonlocal n_waiting
            table = _as_table(rows, schema)
            _check(table, schema, path)
            waiting.append(table.cast(schema))
            n_waiting += len(table)
            while n_waiting >= ROW_GROUP:
                together = pa.concat_tables(waiting)
                put(together.slice(0, ROW_GROUP))
                waiting[:] = [together.slice(ROW_GROUP)]
                n_waiting -= ROW_GROUP

        yield write
        rest = pa.concat_tables(waiting) if waiting else schema.empty_table()
        if len(rest) or not n_groups:
            put(rest)


def _as_table(rows: Rows, schema: pa.Schema) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pd.DataFrame):
        return pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
    return pa.Table.from_pylist(rows, schema=schema)


def read_table(path: str | Path, schema: pa.Schema | None = None, columns: list[str] | None = None) -> pa.Table:
    """Read a table and check its columns and types against ``schema`` (None: whatever it has); ``columns``: only these.

    Raises :class:`InputError` for a missing file, one that is no Parquet, and one of another schema.
    """
    with _readable(path):
        table = pq.read_table(path, columns=columns)
    if schema is not None:
        _match(table.schema, schema if columns is None else pa.schema([schema.field(name) for name in columns]), path)
        _check(table, table.schema, path)
    return table


def read_batches(path: str | Path, schema: pa.Schema, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a table in order, ``ROW_GROUP`` at a time; ``columns``: only these, in the table's order.

    Raises :class:`InputError` as :func:`read_table` does.
    """
    wanted = _selected(schema, columns)
    # Buffering ahead, which is the default, keeps all that was read until the end.
    with _readable(path), pq.ParquetFile(path, pre_buffer=False) as file:
        _match(_selected(file.schema_arrow, columns), wanted, path)
        for batch in file.iter_batches(ROW_GROUP, columns=wanted.names):
            table = pa.Table.from_batches([batch])
            _check(table, table.schema, path)
            yield table


def read_by_video(
    path: str | Path, schema: pa.Schema, columns: list[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """(video_id, its rows) of each video of a table, in ascending order; ``columns`` as in :func:`read_batches`, among
    them video_id.

    Raises :class:`InputError` as :func:`read_table` does, and where a video comes twice or out of order.
    """
    last, held = "", list[pa.Table]()
    for table in read_batches(path, schema, columns):
        start = 0
        runs = pc.run_end_encode(table["video_id"].combine_chunks())
        for video_id, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            if held and video_id != last:
                yield last, pa.concat_tables(held)
                held = []
            if video_id < last:
                raise InputError(
                    f"{path}: video '{video_id}' comes after '{last}', expected ascending order; rerun the stage that "
                    "writes it"
                )
            held.append(table.slice(start, end - start))
            last, start = video_id, end
    if held:
        yield last, pa.concat_tables(held)


def read_together(
    tables: Sequence[tuple[Path, pa.Schema, list[str] | None]], n_videos: int = 64
) -> Iterator[list[pa.Table]]:
    """The rows of the same videos in several tables, so many videos at a time: all of the first table's, in ascending
    order.

    ``tables``: what :func:`read_by_video` takes of each. Raises :class:`InputError` as that does, and for a video that
    the first table hasn't.
    """
    first, *others = (read_by_video(*table) for table in tables)
    ahead = [next(other, None) for other in others]
    while videos := list(itertools.islice(first, n_videos)):
        video_ids = {video_id for video_id, _ in videos}
        together = [pa.concat_tables(rows for _, rows in videos)]
        for at, (path, schema, columns) in enumerate(tables[1:]):
            found = [_selected(schema, columns).empty_table()]
            while (coming := ahead[at]) and coming[0] <= videos[-1][0]:
                if coming[0] not in video_ids:
                    raise _unknown(path, coming[0], tables[0][0])
                found.append(coming[1])
                ahead[at] = next(others[at], None)
            together.append(pa.concat_tables(found))
        yield together
    for (path, _, _), coming in zip(tables[1:], ahead, strict=True):
        if coming:
            raise _unknown(path, coming[0], tables[0][0])


def _unknown(path: Path, video_id: str, known: Path) -> InputError:
    return InputError(f"{path}: has rows of '{video_id}', which {known} hasn't; run `dvc repro` to make both anew")


def _selected(schema: pa.Schema, columns: list[str] | None) -> pa.Schema:
    return schema if columns is None else pa.schema([field for field in schema if field.name in columns])


@contextmanager
def _readable(path: str | Path) -> Iterator[None]:
    """Raises :class:`InputError` where there is no file, and where what the body reads from it is no Parquet."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such table; run `dvc repro` to make it")
    try:
        yield
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); delete it and run `dvc repro`") from error


def _match(found: pa.Schema, schema: pa.Schema, path: str | Path) -> None:
    if not found.equals(schema):
        raise InputError(
            f"{path}: columns are {_columns_of(found)}, expected {_columns_of(schema)}; rerun the stage that writes it"
        )


def _columns_of(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}:{field.type}" for field in schema)


def embeddings_in(path: str | Path) -> pa.Schema:
    """The :func:`embeddings_schema` of the dimensions that a table has."""
    found = _schema_in(path)
    cells = round(_width(found, "boundary") ** 0.5) if "boundary" in found.names else 0
    return embeddings_schema(_width(found, "embedding"), cells)


def pairs_in(path: str | Path) -> pa.Schema:
    """The :func:`pairs_schema` of the dimension that a table has."""
    return pairs_schema(_width(_schema_in(path), "fused"))


def _schema_in(path: str | Path) -> pa.Schema:
    with _readable(path):
        return pq.read_schema(path)


def _width(schema: pa.Schema, column: str) -> int:
    """The length of a column's vectors; 1 where it has none, so that the schema shows what is wrong."""
    return getattr(schema.field(column).type, "list_size", 1) if column in schema.names else 1

"""Faces of photographs as training reads them, and their coverage."""

import numpy as np
import pyarrow as pa
import pytest

from stages.lib.errors import InputError
from stages.lib.files import write_array
from stages.lib.photos.faces import PhotoFaces, photo_coverage, shard_file
from stages.lib.tables import PHOTOS, PHOTOS_TABLE, write_table

CROPS = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
LANDMARKS = np.random.default_rng(1).uniform(0, 8, (3, 68, 2)).astype(np.float32)


def used(person, shard, row, at):
    place = {"shard": shard, "row": row, "box": [0.0, 0.0, 8.0, 8.0], "landmarks": LANDMARKS[at].ravel().tolist()}
    return {"photo_id": f"{person}/{at}.jpg", "person": person, "reject_reason": None} | place


def rejected(person, reason):
    nothing = dict.fromkeys(("row", "box", "landmarks"))
    return {"photo_id": f"{person}/bad.jpg", "person": person, "shard": "0000", "reject_reason": reason} | nothing


ROWS = [used("Ann", "0000", 0, 0), rejected("Ann", "no_face"), used("Bob", "0000", 1, 1), used("Bob", "0001", 0, 2)]


@pytest.fixture
def folder(tmp_path):
    """One set of four photos in two shards, the second of which has no face."""
    write_array(shard_file(tmp_path / "lfw", "0000"), CROPS[:2])
    write_array(shard_file(tmp_path / "lfw", "0001"), CROPS[2:])
    write_table(tmp_path / "lfw" / PHOTOS_TABLE, ROWS, PHOTOS)
    return tmp_path


def test_faces_are_the_photos_that_have_one(folder):
    assert len(PhotoFaces(folder)) == 3


def test_a_crop_is_that_of_its_shard_and_row(folder):
    faces = PhotoFaces(folder)
    np.testing.assert_array_equal(np.stack([faces.crop(face) for face in range(3)]), CROPS)


def test_a_crop_is_the_callers_own(folder):
    faces = PhotoFaces(folder)
    faces.crop(0)[:] = 0
    np.testing.assert_array_equal(faces.crop(0), CROPS[0])


def test_landmarks_are_those_of_the_crop(folder):
    faces = PhotoFaces(folder)
    np.testing.assert_array_equal(np.stack([faces.landmarks(face) for face in range(3)]), LANDMARKS.astype(np.float64))


def test_landmarks_are_float64(folder):
    assert PhotoFaces(folder).landmarks(0).dtype == np.float64


def test_people_of_two_sets_are_never_one(folder):
    write_array(shard_file(folder / "ffhq", "0000"), CROPS[:1])
    write_table(folder / "ffhq" / PHOTOS_TABLE, ROWS[:1], PHOTOS)
    faces = PhotoFaces(folder)
    assert [faces.person(face) for face in range(4)] == ["ffhq/Ann", "lfw/Ann", "lfw/Bob", "lfw/Bob"]


def test_no_set_is_no_face(tmp_path):
    assert len(PhotoFaces(tmp_path)) == 0


def test_a_set_without_a_table_is_an_error(folder):
    (folder / "lfw" / PHOTOS_TABLE).unlink()
    with pytest.raises(InputError, match="photos.parquet: no such table; run `dvc repro`"):
        PhotoFaces(folder)


def test_coverage_counts_every_photo():
    rows = [*ROWS, rejected("Cyd", "unreadable"), rejected("Dan", "no_face")]
    assert photo_coverage(pa.Table.from_pylist(rows, PHOTOS)) == {
        "indexed": 6,
        "used": 3,
        "people": 2,
        "dropped": {"no_face": 2, "unreadable": 1},
    }

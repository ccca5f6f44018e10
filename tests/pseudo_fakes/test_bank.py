"""The bank as training reads it."""

import resource

import numpy as np
import pyarrow as pa
import pytest

from stages.lib.errors import InputError
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.schemas import FAKES
from tests.helpers.banks import bank_of


def test_a_bank_holds_every_face_of_its_sources(tmp_path):
    assert len(bank_of(tmp_path, "train", n_videos=2, n_photos=1)) == 18


def test_a_bank_knows_its_variants(tmp_path):
    assert bank_of(tmp_path, "train").variants == 2


@pytest.mark.parametrize(
    ("face", "variant", "source", "row"), [(0, 1, "photos/0", 0), (7, 0, "train0", 1), (17, 1, "train1", 5)]
)
def test_a_face_is_that_of_its_source_row_and_variant(tmp_path, face, variant, source, row):
    bank = bank_of(tmp_path, "train", n_videos=2, n_photos=1)
    np.testing.assert_array_equal(bank.face(face, variant), np.load(tmp_path / f"{source}.npy")[row, variant])


def test_a_face_is_the_callers_own(tmp_path):
    bank = bank_of(tmp_path, "train")
    before = bank.face(0, 0).copy()
    bank.face(0, 0)[:] = 7
    np.testing.assert_array_equal(bank.face(0, 0), before)


def test_photos_are_told_from_videos(tmp_path):
    assert bank_of(tmp_path, "train", n_videos=1, n_photos=2).is_video.tolist() == [False] * 12 + [True] * 6


def test_more_sources_than_a_process_may_have_files_can_be_read(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        bank = bank_of(tmp_path, "train", n_videos=150)
        faces = [bank.face(face, 0) for face in range(0, len(bank), 6)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(faces) == 150


def test_an_empty_split_is_a_clear_error(tmp_path):
    bank_of_nothing = pa.Table.from_pylist([], schema=FAKES)
    with pytest.raises(InputError, match="no val face in .*no usable real video with split=val"):
        FakeBank(tmp_path, bank_of_nothing, "val")

"""The bank as training reads it."""

import numpy as np
import pyarrow as pa
import pytest

from stages.lib.errors import InputError
from stages.lib.pseudo_fakes.bank import FakeBank
from stages.lib.tables import FAKES
from tests.helpers.banks import bank_of


def test_bank_gives_reals_then_their_own_fakes(tmp_path):
    bank = bank_of(tmp_path, "train")
    images = bank.pairs(np.array([0, 7]), np.array([1, 0]))
    assert (len(bank), bank.variants) == (12, 2)
    for i, (video, face, variant) in enumerate([("train0", 0, 1), ("train1", 1, 0)]):
        np.testing.assert_array_equal(images[[i, i + 2]], np.load(tmp_path / f"{video}.npy")[face, variant])


def test_an_empty_split_is_a_clear_error(tmp_path):
    bank_of_nothing = pa.Table.from_pylist([], schema=FAKES)
    with pytest.raises(InputError, match="no val face in .*no usable real video with split=val"):
        FakeBank(tmp_path, bank_of_nothing, "val")

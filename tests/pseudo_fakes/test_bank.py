"""The bank as training reads it."""

import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import timm

from stages.lib.backbone.batches import training_batch
from stages.lib.backbone.training import Trainer
from stages.lib.errors import InputError
from stages.lib.files import bank_file, write_array
from stages.lib.pseudo_fakes.bank import FakeBank, genuine_methods
from stages.lib.schemas import FAKES
from tests.helpers.banks import HOW, bank_of
from tests.helpers.params import training_settings


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
    n_open = sum(1 for _ in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 100, limits[1]))
    try:
        bank = bank_of(tmp_path, "train", n_videos=150)
        faces = [bank.face(face, 0) for face in range(0, len(bank), 6)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(faces) == 150


def test_an_empty_split_is_a_clear_error(tmp_path):
    bank_of_nothing = pa.Table.from_pylist([], schema=FAKES)
    with pytest.raises(InputError, match="no val face in .*no usable video with split=val"):
        FakeBank(tmp_path, bank_of_nothing, "val")


def _mixed(folder) -> FakeBank:
    """Two videos with two pseudo-fakes a face, and a genuine fake, which has one."""
    bank_of(folder, "train")
    write_array(bank_file(folder, "fakes/a.mp4"), np.full((3, 1, 32, 32, 7), 9, np.uint8))
    rows = [
        {"source": f"train{v}", "face_row": f, "variant": k} | HOW for v in range(2) for f in range(6) for k in (0, 1)
    ]
    rows += [{"source": "fakes/a.mp4", "face_row": f, "variant": 0} | HOW | {"scheme": "X"} for f in range(3)]
    of = {"split": "train", "is_video": True}
    return FakeBank(folder, pa.Table.from_pylist([of | row for row in rows], schema=FAKES), "train")


def test_sources_of_more_and_of_fewer_variants_stand_in_one_bank(tmp_path):
    bank = _mixed(tmp_path)
    assert (len(bank), bank.variants) == (15, 2)
    assert (bank.face(0, 0) == 9).all() and (bank.face(2, 1) == 9).all()  # its only one, again
    np.testing.assert_array_equal(bank.face(4, 1), np.load(tmp_path / "train0.npy")[1, 1])


@pytest.mark.filterwarnings("ignore:the backbone hardly tells validation reals from fakes")
def test_a_mixed_bank_can_be_trained_on_and_validated_by(tmp_path):
    bank, settings = _mixed(tmp_path), training_settings(epochs=2, fakes="both")
    model = timm.create_model("test_resnet", num_classes=1)
    epochs = []
    Trainer(model, 32, bank, bank, settings, 0, "cpu").fit(epochs.append)
    assert len(epochs) == 2


def test_a_face_with_one_fake_is_of_one_kind_whichever_variant_is_asked_for(tmp_path):
    assert _mixed(tmp_path).schemes[:4].tolist() == [["X", "X"]] * 3 + [["global", "global"]]


def test_genuine_fakes_are_told_by_their_source_and_named_by_their_method():
    sources = [("fakes/a.mp4", "Y"), ("videos/fakes/b.mp4", "swap"), ("fakes/c.mp4", "X"), ("fakes/d.mp4", "Y")]
    rows = [HOW | {"source": source, "scheme": scheme} for source, scheme in sources]
    same = {"is_video": True, "split": "train", "face_row": 0, "variant": 0}
    assert genuine_methods(pa.Table.from_pylist([row | same for row in rows], schema=FAKES)) == ["X", "Y"]


def test_a_batch_and_each_share_of_it_tell_which_fakes_are_genuine(tmp_path):
    bank, faces = _mixed(tmp_path), np.array([3, 0, 14, 2])
    expected = [False, True, False, True]
    for share in (None, slice(0, 2), slice(2, 4)):
        of = (bank, faces, np.zeros(4, int), training_settings(), 32, np.random.default_rng(0))
        assert training_batch(*of, share=share).genuine.tolist() == expected[share or slice(None)]


def test_what_was_pasted_is_that_of_the_row_and_variant(tmp_path):
    bank = bank_of(tmp_path, "train", n_videos=2)
    np.testing.assert_array_equal(bank.pasted(7, 1), np.load(tmp_path / "sources/train1.npy")[1, 1])


def test_a_bank_without_what_was_pasted_is_a_clear_error(tmp_path):
    bank = bank_of(tmp_path, "train")
    (tmp_path / "sources/train0.npy").unlink()
    with pytest.raises(InputError, match=r"train0.npy: no such file, which guidance needs; run `dvc repro -f synth"):
        bank.pasted(0, 0)


def test_a_bank_knows_the_kind_of_each_pseudo_fake(tmp_path):
    bank_of(tmp_path, "train")
    rows = [
        {"source": source, "is_video": True, "split": "train", "face_row": row, "variant": variant} | HOW
        | {"scheme": f"{source}/{row}/{variant}"}
        for variant in (1, 0)
        for row in (1, 0)
        for source in ("train1", "train0")
    ]  # fmt: skip
    bank = FakeBank(tmp_path, pa.Table.from_pylist(rows, schema=FAKES), "train")
    assert bank.schemes[1].tolist() == ["train0/1/0", "train0/1/1"]

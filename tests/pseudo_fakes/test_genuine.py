"""Genuine fakes in a bank: of which videos, beside whose faces, and where they are taken to be forged."""

import numpy as np
import pandas as pd
import pytest

from stages.lib.errors import InputError
from stages.lib.files import faces_file, sources_file, write_array
from stages.lib.pseudo_fakes.genuine import (
    counterparts,
    forged_mask,
    genuine_bank,
    genuine_fakes,
    genuine_images,
    genuine_in_words,
)
from stages.lib.pseudo_fakes.making import training_videos
from stages.lib.schemas import FAKES, INDEX
from tests.helpers.faces import SIDE, crops, write_faces

COUNTS = {"a.mp4": 4, "b.mp4": 3, "c.mp4": 2, "a_x.mp4": 6, "b_y.mp4": 2, "c_x.mp4": 2, "test.mp4": 1}
ROWS = [  # video_id, label, split, method, original
    ("a.mp4", "real", "train", "", ""),
    ("b.mp4", "real", "train", "", ""),
    ("c.mp4", "real", "val", "", ""),
    ("a_x.mp4", "fake", "train", "X", "a.mp4"),
    ("b_y.mp4", "fake", "train", "Y", ""),
    ("c_x.mp4", "fake", "val", "X", ""),
    ("unseen.mp4", "fake", "val", "X", "c.mp4"),
    ("test.mp4", "fake", "test", "Z", "a.mp4"),
]


@pytest.fixture
def folder(tmp_path):
    """The faces of a dataset; those of each video differ from the others'."""
    write_faces(tmp_path, COUNTS)
    for seed, (video_id, n) in enumerate(COUNTS.items()):
        write_array(faces_file(tmp_path, video_id), crops(n, seed))
    return tmp_path


def _index(rows=ROWS) -> pd.DataFrame:
    columns = ["video_id", "label", "split", "method", "original"]
    return pd.DataFrame(rows, columns=columns).reindex(columns=INDEX.names, fill_value="")


def _fakes(folder, rows=ROWS) -> dict:
    index = _index(rows)
    return {fake.video_id: fake for fake in genuine_fakes(index, folder, training_videos(index, folder))}


def _frames(numbers, times) -> pd.DataFrame:
    return pd.DataFrame({"frame_index": numbers, "time_s": times})


PAIRS = [("001", "002", 4), ("003", "004", 1), ("005", "006", 1)]  # who is forged, who is shown, faces of the fake


def _pair(folder, *splits) -> pd.DataFrame:
    """The index of a fake that shows 002 in the video of 001, and whose splits these are (001, 002, the fake), beside
    a whole pair of train and one of val.
    """
    rows, counts = [], {}
    for (target, source, n), own in zip(PAIRS, (splits, ["train"] * 3, ["val"] * 3), strict=True):
        original, fake = f"r/{target}.mp4", f"f/{target}_{source}.mp4"
        rows += [(original, "real", own[0], "", ""), (f"r/{source}.mp4", "real", own[1], "", "")]
        rows += [(fake, "fake", own[2], "X", original)]
        counts |= {original: 3, f"r/{source}.mp4": 3, fake: n}
    write_faces(folder, counts)
    for seed, (video_id, n) in enumerate(counts.items()):
        write_array(faces_file(folder, video_id), crops(n, seed))
    return _index(rows)


def test_what_was_put_in_is_the_sources_face_of_the_same_frame_number(tmp_path):
    index = _pair(tmp_path, "train", "train", "train")
    fake = genuine_fakes(index, tmp_path, training_videos(index, tmp_path), keep_sources=True)[0]
    genuine_bank(tmp_path / "bank", fake)
    put_in = np.load(sources_file(tmp_path / "bank", "fakes/f/001_002.mp4"))
    np.testing.assert_array_equal(put_in[:, 0], crops(3, 1)[[0, 1, 2, 2]])  # B's own, whose last frame is the nearest


@pytest.mark.parametrize(
    ("splits", "used"),
    [
        (("train", "train", "train"), True),
        (("train", "test", "train"), False),  # it shows a test person
        (("train", "val", "train"), False),
        (("test", "train", "train"), False),  # it shows a test person's clothes, room and light
    ],
)
def test_a_fake_that_shows_somebody_of_another_split_is_left_out(tmp_path, splits, used):
    index = _pair(tmp_path, *splits)
    found = genuine_fakes(index, tmp_path, training_videos(index, tmp_path))
    assert ("fakes/f/001_002.mp4" in {fake.video_id for fake in found}) == used


def test_under_guidance_a_fake_without_its_original_is_left_out(tmp_path):
    index = _pair(tmp_path, "test", "train", "train")
    found = genuine_fakes(index, tmp_path, training_videos(index, tmp_path), keep_sources=True)
    assert {fake.video_id for fake in found} == {"fakes/f/003_004.mp4", "fakes/f/005_006.mp4"}
    assert all(fake.of_original for fake in found)


def test_a_fake_that_does_not_say_whose_face_it_shows_is_an_error_where_that_is_needed(folder):
    index = _index()
    with pytest.raises(InputError, match="needs the faces that were put into each fake, but the name of a_x.mp4 of"):
        genuine_fakes(index, folder, training_videos(index, folder), keep_sources=True)


# Whose faces


def test_a_face_has_its_counterpart_at_the_same_frame_number_else_the_nearest_in_time():
    fake = _frames([0, 10, 20, 31], [0.0, 0.4, 0.8, 1.24])
    real = _frames([0, 12, 20, 30], [0.0, 0.48, 0.5, 1.2])  # the third's time belies its number
    rows, same = counterparts(fake, real)
    assert (rows.tolist(), same.tolist()) == ([0, 1, 2, 3], [True, False, True, False])


def test_fakes_are_those_of_train_and_val_that_have_faces(folder):
    found = _fakes(folder)
    assert {name: (one.split, one.method) for name, one in found.items()} == {
        "fakes/a_x.mp4": ("train", "X"),
        "fakes/b_y.mp4": ("train", "Y"),
        "fakes/c_x.mp4": ("val", "X"),
    }


def test_a_fake_stands_beside_the_frames_of_its_original(folder):
    fake = _fakes(folder)["fakes/a_x.mp4"]
    assert (fake.reals, fake.of_original) == (faces_file(folder, "a.mp4"), True)
    assert fake.real_rows.tolist() == [0, 1, 2, 3, 3, 3]  # the original ends earlier
    assert fake.same_frame.tolist() == [True] * 4 + [False] * 2


def test_a_fake_of_no_known_original_stands_beside_a_real_of_its_split(folder):
    fake = _fakes(folder)["fakes/b_y.mp4"]
    assert fake.reals in (faces_file(folder, "a.mp4"), faces_file(folder, "b.mp4"))
    assert not fake.of_original and not fake.same_frame.any()
    assert fake.real_rows.tolist() == ([0, 2] if fake.reals.stem == "a.mp4" else [0, 1])


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_fake_of_an_original_of_another_split_is_left_out(folder, split):
    rows = [*ROWS, ("other.mp4", "real", split, "", ""), ("b_y.mp4", "fake", "train", "Y", "other.mp4")]
    assert set(_fakes(folder, [row for row in rows if row != ROWS[4]])) == {"fakes/a_x.mp4", "fakes/c_x.mp4"}


def test_which_real_it_is_depends_on_no_other_fake(folder):
    alone = [row for row in ROWS if row[0] != "a_x.mp4"]
    assert _fakes(folder, alone)["fakes/b_y.mp4"].made_from == _fakes(folder)["fakes/b_y.mp4"].made_from


@pytest.mark.parametrize("changed", ["a_x.mp4", "a.mp4"])
def test_a_fake_is_made_from_its_own_faces_and_the_reals(folder, changed):
    before = _fakes(folder)["fakes/a_x.mp4"].made_from
    write_array(faces_file(folder, changed), crops(COUNTS[changed], 99))
    assert _fakes(folder)["fakes/a_x.mp4"].made_from != before


def test_a_split_without_fakes_is_an_error_that_says_what_to_do(folder):
    with pytest.raises(InputError) as error:
        _fakes(folder, [row for row in ROWS if row[0] != "c_x.mp4"])
    assert str(error.value) == (
        "train.fakes asks for genuine fakes, but the training dataset has none to use with split=val (1 listed, none "
        "with a face, or all of another split's people); set `fakes: [train, val, test]` of the dataset under "
        "`datasets` in params.yaml, add some to its manifest, or set `train.fakes: pseudo`"
    )


def test_what_is_not_used_and_what_stands_beside_what_is_counted(folder):
    assert genuine_in_words(list(_fakes(folder).values()), _index()).splitlines() == [
        "genuine fakes of train: 2 of 2 are used (others have no face, or show somebody of another split); of these 8 "
        "faces 4 are told from the same frame of the original, 2 from the nearest one, 2 from another real video",
        "genuine fakes of val: 1 of 2 are used (others have no face, or show somebody of another split); of these 2 "
        "faces 0 are told from the same frame of the original, 0 from the nearest one, 2 from another real video",
    ]


# Where they are forged


def test_a_mask_is_where_the_same_frame_differs():
    real = crops(1, 0)[0]
    fake = real.copy()
    fake[20:40, 20:40] ^= 128
    mask = forged_mask(real, fake)
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[24:36, 24:36] == 255).all() and not mask[:10].any() and not mask[:, 50:].any()


def test_noise_of_compression_is_no_forgery_and_what_shows_none_is_forged_anywhere():
    real = np.full((SIDE, SIDE, 3), 100, np.uint8)
    assert (forged_mask(real, real + np.random.default_rng(0).integers(0, 9, real.shape, np.uint8)) == 255).all()


def test_other_frames_have_no_known_mask(folder):
    images = genuine_images(_fakes(folder)["fakes/a_x.mp4"])
    assert (images[4:, ..., 6] == 255).all()


# The bank


def test_a_bank_holds_the_real_face_the_fake_and_the_mask(folder, tmp_path):
    fake = _fakes(folder)["fakes/a_x.mp4"]
    rows = genuine_bank(tmp_path / "bank", fake)
    stored = np.load(tmp_path / "bank/fakes/a_x.mp4.npy")
    assert (stored.shape, stored.dtype) == ((6, 1, SIDE, SIDE, 7), np.uint8)
    np.testing.assert_array_equal(stored[:, 0, ..., 3:6], np.load(faces_file(folder, "a_x.mp4")))
    np.testing.assert_array_equal(stored[:, 0, ..., :3], np.load(faces_file(folder, "a.mp4"))[[0, 1, 2, 3, 3, 3]])
    assert rows.schema == FAKES
    assert rows.to_pylist()[5] == {
        "source": "fakes/a_x.mp4",
        "is_video": True,
        "split": "train",
        "face_row": 5,
        "variant": 0,
        "scheme": "X",
        "donor": None,
        "blend_ratio": 1.0,
        "transformed": "",
        "rate_factor": None,
    }

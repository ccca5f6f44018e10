"""Listing photographs of people: who is in each, what is left out, and what is processed together."""

import cv2
import numpy as np
import pytest

from stages.lib.errors import InputError
from stages.lib.photos.people import SHARD_SIZE, Photo, list_people, read_photo, shards_of


def tree(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    ("path", "person"),
    [
        ("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee"),  # LFW
        ("lfw_funneled/Ann_Lee/Ann_Lee_0001.jpg", "lfw_funneled/Ann_Lee"),  # scikit-learn's lfw_home
        ("train/n000002/0001_01.JPG", "train/n000002"),  # VGGFace2
        ("00012.png", "00012"),  # FFHQ, flat
        ("images1024x1024/05000/05123.png", "images1024x1024/05000/05123"),  # FFHQ as it is distributed
        ("05000/06123.png", "05000"),  # not FFHQ's numbers: a person's folder
        ("0000045/001.webp", "0000045"),  # CASIA-WebFace
        ("Zoë/лицо 1.jpeg", "Zoë"),
    ],
)
def test_a_persons_name_is_where_the_picture_lies(tmp_path, path, person):
    assert list_people(tree(tmp_path, path)) == [Photo(path, person)]


def test_photos_are_sorted_and_other_files_left_out(tmp_path):
    tree(tmp_path, "b/2.jpg", "b/10.jpg", "a/1.png", "pairs.txt", "b/.2.jpg", ".cache/1.jpg", "a/1.png.txt")
    assert [photo.photo_id for photo in list_people(tmp_path)] == ["a/1.png", "b/10.jpg", "b/2.jpg"]


def test_links_are_followed(tmp_path):
    tree(tmp_path / "far", "Ann/1.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/Ann").symlink_to(tmp_path / "far/Ann")
    assert list_people(tmp_path / "root") == [Photo("Ann/1.jpg", "Ann")]


def test_no_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="none: no such folder; correct `root` under `photos` in params.yaml"):
        list_people(tmp_path / "none")


def test_no_picture_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match=r"no picture \(.jpg, .jpeg, .png, .webp\) in it; expected a folder for each"):
        list_people(tree(tmp_path, "Ann/1.txt"))


def test_shards_hold_every_photo_once_and_in_order(tmp_path):
    photos = [Photo(f"{at:05d}.jpg", f"{at:05d}") for at in range(2 * SHARD_SIZE + 1)]
    shards = shards_of(photos, tmp_path)
    assert [shard.video_id for shard in shards] == ["0000", "0001", "0002"]
    assert [len(shard.photos) for shard in shards] == [SHARD_SIZE, SHARD_SIZE, 1]
    assert [photo for shard in shards for photo in shard.photos] == photos


def test_a_changed_photo_changes_its_shard_alone(tmp_path):
    photos = list_people(tree(tmp_path, *(f"{at:05d}.jpg" for at in range(SHARD_SIZE + 1))))
    before = [shard.made_from for shard in shards_of(photos, tmp_path)]
    (tmp_path / "00000.jpg").write_bytes(b"another")
    after = [shard.made_from for shard in shards_of(photos, tmp_path)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_photo_is_read_as_it_was_written(tmp_path, suffix):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    cv2.imwrite(str(tmp_path / f"лицо.{suffix}"), image, [cv2.IMWRITE_WEBP_QUALITY, 101])  # 101 is without loss
    np.testing.assert_array_equal(read_photo(tmp_path / f"лицо.{suffix}"), image)


def test_a_grey_photo_has_three_equal_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 5), 7, np.uint8))
    np.testing.assert_array_equal(read_photo(tmp_path / "grey.png"), np.full((4, 5, 3), 7))


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_picture_gives_none(tmp_path, content):
    (tmp_path / "x.jpg").write_bytes(content)
    assert read_photo(tmp_path / "x.jpg") is None


def test_a_photo_that_is_gone_gives_none(tmp_path):
    assert read_photo(tmp_path / "x.jpg") is None

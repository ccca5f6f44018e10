"""Folders of pictures: which they are, in which order, their numbers and times, and what can't be read."""

import cv2
import numpy as np
import pytest

from stages.lib.frames.pictures import Picture, equally_spaced_pictures, pictures_in


def _put(folder, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["1073.png", "942.png", "97.png"], [97, 942, 1073]),
        (["000.png", "015.png", "030.png"], [0, 15, 30]),
        (["a_12.jpg", "a_7.JPG"], [7, 12]),
        (["1.png", "01.png", "2.png"], [0, 1, 2]),  # two have the number 1
        (["b.png", "a.png", "3.png"], [0, 1, 2]),  # two have none
        (["99999999999.png"], [0]),  # more than a table's column holds
        ([], []),
    ],
)
def test_the_number_in_a_name_is_the_frames_where_every_picture_has_its_own(tmp_path, names, numbers):
    _put(tmp_path, *names)
    assert [picture.frame_index for picture in pictures_in(tmp_path)] == numbers


def test_pictures_come_in_the_order_of_their_numbers(tmp_path):
    _put(tmp_path, "10.png", "9.png", "100.png")
    assert [picture.path.name for picture in pictures_in(tmp_path)] == ["9.png", "10.png", "100.png"]


def test_pictures_without_numbers_come_in_the_order_of_their_names(tmp_path):
    _put(tmp_path, "b.png", "a.jpeg", "c1.bmp")
    assert [picture.path.name for picture in pictures_in(tmp_path)] == ["a.jpeg", "b.png", "c1.bmp"]


def test_other_files_are_no_pictures(tmp_path):
    _put(tmp_path, "0.png", "0.npy", "notes.txt", "1.mp4", "._0.png")
    assert [picture.path.name for picture in pictures_in(tmp_path)] == ["0.png"]


def test_a_picture_is_shown_at_a_nominal_25_a_second(tmp_path):
    assert [Picture(n, tmp_path).time_s for n in (0, 50, 942)] == [0.0, 2.0, pytest.approx(37.68)]


def test_pictures_are_taken_evenly_by_their_place_in_the_folder(tmp_path):
    _put(tmp_path, *(f"{n}.png" for n in (0, 1, 2, 3, 100, 101, 102, 103, 200, 201)))
    assert [picture.frame_index for picture in equally_spaced_pictures(tmp_path, 5)] == [1, 3, 101, 103, 201]


def test_of_few_pictures_all_are_taken(tmp_path):
    _put(tmp_path, "4.png", "8.png")
    assert [picture.frame_index for picture in equally_spaced_pictures(tmp_path, 5)] == [4, 8]


def test_a_picture_is_read_as_it_was_written(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "0.png"), image)
    np.testing.assert_array_equal(Picture(0, tmp_path / "0.png").read(), image)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_what_is_no_picture_is_read_as_none(tmp_path, content):
    if content is not None:
        (tmp_path / "0.png").write_bytes(content)
    assert Picture(0, tmp_path / "0.png").read() is None

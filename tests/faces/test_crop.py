"""The crop's geometry, and coordinates in it."""

import cv2
import numpy as np
import pytest

from stages.lib.faces.crop import crop_face, crop_square, to_crop


def test_crop_square_is_enlarged_about_the_centre():
    assert crop_square(np.array([100.0, 50.0, 40.0, 40.0]), 1.3) == pytest.approx([94, 44, 52])


def test_crop_maps_pixels_where_to_crop_says():
    frame = np.zeros((300, 300, 3), np.uint8)
    cv2.circle(frame, (150, 120), 4, (0, 0, 255), -1)
    square = np.array([90.0, 60.0, 112.0])
    crop = crop_face(frame, square, 224)
    ys, xs = np.nonzero(crop[..., 0] > 127)  # RGB: the red dot is in channel 0
    expected = to_crop(np.array([[150.0, 120.0]]), square, 224)[0]
    assert (xs.mean(), ys.mean()) == pytest.approx(expected, abs=1.5)
    assert crop[..., 1:].max() == 0


@pytest.mark.parametrize("square", [(-30, -20, 100), (250, 260, 100), (-50, -50, 400)])
def test_a_crop_beyond_the_frame_repeats_the_edge(square):
    crop = crop_face(np.full((300, 300, 3), 77, np.uint8), np.array(square, float), 224)
    assert crop.shape == (224, 224, 3)
    assert (crop == 77).all()

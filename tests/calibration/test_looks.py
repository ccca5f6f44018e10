"""What faces look like in three numbers."""

import math

import numpy as np
import pytest

from stages.lib.calibration.looks import looks, ranges, unlike
from stages.lib.faces.appearance import appearance
from stages.lib.records import APPEARANCE_SHAPE

CENTRE = np.linspace(60, 160, 68)
LANDMARKS = np.column_stack([CENTRE, np.roll(CENTRE, 17)])  # their hull covers the middle of a crop


def _crop(level: int, noise: float) -> np.ndarray:
    grey = level + noise * np.random.default_rng(0).standard_normal((224, 224, 1))
    return np.clip(grey.repeat(3, axis=2), 0, 255).astype(np.uint8)


def _looks(*crops: np.ndarray, widths: tuple[float, ...] = (100.0,)) -> dict:
    return dict(looks(np.array(widths), np.array([appearance(crop, LANDMARKS) for crop in crops])))


def test_the_width_is_the_median_of_those_known():
    assert looks(np.array([90.0, np.nan, 110.0, 400.0]), np.zeros((4, 54)))["face_px"] == 110


def test_without_a_known_width_it_is_not_a_number():
    assert math.isnan(looks(np.array([np.nan]), np.zeros((1, 54)))["face_px"])


def test_brightness_is_the_lightness_of_the_face():
    # CIELAB's lightness of a middle grey, 119 of 255, is 50 of 100
    assert _looks(_crop(119, 0))["brightness"] == pytest.approx(127.5, abs=1)


def test_detail_grows_with_noise():
    still, noisy = _looks(_crop(119, 4)), _looks(_crop(119, 8))
    assert noisy["detail"] == pytest.approx(2 * still["detail"], rel=0.1)


def test_detail_is_that_of_the_finest_band_inside_of_the_face():
    values = np.zeros((1, *APPEARANCE_SHAPE))
    values[0, 0, 2, 0] = math.log(3)
    assert looks(np.array([1.0]), values.reshape(1, -1))["detail"] == pytest.approx(3)


def test_ranges_are_the_least_and_the_greatest_without_what_is_not_known():
    first = {"face_px": float("nan"), "brightness": 90.0, "detail": 1.0}
    second = {"face_px": float("nan"), "brightness": 120.0, "detail": 0.5}
    assert ranges([first, second]) == {"brightness": [90.0, 120.0], "detail": [0.5, 1.0]}


REALS = {"face_px": [50.0, 150.0], "brightness": [80.0, 160.0], "detail": [0.6, 3.0]}
LIKE_THEM = {"face_px": 100.0, "brightness": 100.0, "detail": 1.0}


@pytest.mark.parametrize(
    ("measure", "inside", "outside"),
    [
        ("face_px", 34, 33),
        ("face_px", 225, 226),
        ("brightness", 60, 59.9),
        ("brightness", 180, 180.1),
        ("detail", 0.41, 0.39),
        ("detail", 4.4, 4.6),
    ],
)
def test_what_lies_clearly_outside_is_named(measure, inside, outside):
    assert unlike(LIKE_THEM | {measure: inside}, REALS) == []
    assert unlike(LIKE_THEM | {measure: outside}, REALS) == [measure]


def test_a_measure_that_the_reals_lack_or_the_video_lacks_says_nothing():
    assert unlike(LIKE_THEM | {"face_px": 9999.0}, {"detail": [0.6, 3.0]}) == []
    assert unlike(LIKE_THEM | {"face_px": float("nan")}, REALS) == []

"""Changes that keep the label: the same for a real and its fake, and of the kinds they say."""

import numpy as np
import pytest

from stages.lib.pseudo_fakes.augmentation import crop_alike, degrade_alike, flip_alike, recolour_alike

ALL = [crop_alike, degrade_alike, flip_alike, recolour_alike]


def _image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8)


@pytest.mark.parametrize("change", ALL)
def test_equal_images_stay_equal_and_draws_are_seeded(change):
    for seed in range(20):
        one, other = change([_image(), _image()], np.random.default_rng(seed))
        (again,) = change([_image()], np.random.default_rng(seed))
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, again)
        assert one.dtype == np.uint8


@pytest.mark.parametrize("change", ALL)
def test_each_changes_something_now_and_then(change):
    made = [change([_image()], np.random.default_rng(seed))[0] for seed in range(30)]
    assert sum(image.shape != (48, 48, 3) or not np.array_equal(image, _image()) for image in made) > 8


def test_flips_mirror_half_of_the_time():
    flipped = [
        np.array_equal(flip_alike([_image()], np.random.default_rng(s))[0], _image()[:, ::-1]) for s in range(200)
    ]
    assert 70 < sum(flipped) < 130


def test_crops_are_parts_of_at_least_four_fifths():
    image = np.arange(48 * 48 * 3).reshape(48, 48, 3)
    for seed in range(50):
        (part,) = crop_alike([image], np.random.default_rng(seed))
        top, left = divmod(int(part[0, 0, 0]) // 3, 48)
        assert 0.8 * 48 <= part.shape[0] == part.shape[1] <= 48
        np.testing.assert_array_equal(part, image[top : top + part.shape[0], left : left + part.shape[1]])


def test_recolouring_keeps_the_order_of_brightness():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for seed in range(30):
        (image,) = recolour_alike([ramp], np.random.default_rng(seed))
        assert (np.diff(image.astype(int), axis=1) >= 0).all()

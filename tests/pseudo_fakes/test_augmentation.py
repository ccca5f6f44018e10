"""Changes that keep the label: the same for a real and its fake, and of the kinds they say."""

import cv2
import numpy as np
import pytest

from stages.lib.pseudo_fakes.augmentation import (
    boundary_of,
    crop_alike,
    draw_degradation,
    flip_alike,
    patch_alike,
    recolour_alike,
)


def _degrade(images, rng):
    return draw_degradation(rng).apply(images, rng)


ALL = [crop_alike, flip_alike, recolour_alike, _degrade]


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


def test_a_drawn_degradation_is_now_and_then_none():
    drawn = [draw_degradation(np.random.default_rng(seed)) for seed in range(60)]
    assert any((one.blur, one.noise, one.jpeg) == (None, None, None) for one in drawn)


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


def test_recolouring_takes_colour_away_now_and_then():
    grey = [(np.ptp(recolour_alike([_image()], np.random.default_rng(s))[0], axis=2) == 0).all() for s in range(200)]
    assert 15 < sum(grey) < 50  # 15 %


@pytest.mark.parametrize(("mask", "boundary"), [(0.0, 0.0), (0.5, 1.0), (1.0, 0.0), (0.25, 0.75)])
def test_the_boundary_is_where_a_mask_is_neither_0_nor_1(mask, boundary):
    assert boundary_of(np.float32([mask]))[0] == boundary


# Patches

SIDE, PATCH = 224, 96


def _soft_disc(x: int, y: int, radius: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (x, y), radius, 255, -1)
    return cv2.GaussianBlur(mask, (0, 0), 4)


def _places(mask: np.ndarray, patch: int = PATCH, n: int = 100) -> np.ndarray:
    """Where the top left corners (x, y) of n patches lie: (n, 2)."""
    ys, xs = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)
    made = [patch_alike([xs, ys], mask, patch, 1.0, np.random.default_rng(seed)) for seed in range(n)]
    return np.array([(x[0, 0], y[0, 0]) for x, y in made])


def test_a_patch_is_the_same_part_of_each_image():
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        one, channel = patch_alike([image, image[..., 1]], _soft_disc(112, 112, 50), PATCH, 1.0, rng)
        np.testing.assert_array_equal(one[..., 1], channel)


def test_a_patch_at_scale_1_is_cut_out_as_it_is():
    ys, xs = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)
    x, y = patch_alike([xs, ys], _soft_disc(112, 112, 50), PATCH, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(
        [x, y], [xs[: x.shape[0], : x.shape[1]] + x[0, 0], ys[: x.shape[0], : x.shape[1]] + y[0, 0]]
    )


@pytest.mark.parametrize(("scale", "seen"), [(0.75, 128), (1.25, 77)])
def test_a_scaled_patch_shows_more_or_less_of_the_image(scale, seen):
    ramp = np.repeat(np.arange(SIDE, dtype=np.float32)[None], SIDE, axis=0)
    (patch,) = patch_alike([ramp], _soft_disc(112, 112, 50), PATCH, scale, np.random.default_rng(0))
    assert patch.shape == (PATCH, PATCH)
    assert np.ptp(patch) == pytest.approx(seen, abs=2)


def test_patches_lie_where_the_boundary_is():
    """A boundary around a corner of the image: patches drawn anywhere would hold it in 30 of 100."""
    mask = _soft_disc(40, 180, 30)
    boundary = boundary_of(mask / 255) > 0.5
    holding = [boundary[y : y + PATCH, x : x + PATCH].sum() > 100 for x, y in _places(mask)]
    assert np.mean(holding) > 0.95


def test_patches_without_any_change_are_from_anywhere():
    places = _places(np.zeros((SIDE, SIDE), np.uint8), n=300)
    assert np.ptp(places, axis=0).min() > 0.85 * (SIDE - PATCH)


def test_patches_of_what_is_forged_throughout_are_from_anywhere():
    places = _places(np.full((SIDE, SIDE), 255, np.uint8), n=300)
    assert np.ptp(places, axis=0).min() > 0.85 * (SIDE - PATCH)


def test_patches_are_about_the_boundary_alike_on_all_sides():
    """Of a ring in the middle, the middles of patches average to its middle."""
    places = _places(_soft_disc(112, 112, 50), patch=64, n=600) + 32
    np.testing.assert_allclose(places.mean(axis=0), (112, 112), atol=4)


@pytest.mark.parametrize("patch", [SIDE, SIDE - 4, 2 * SIDE])
def test_a_patch_as_large_as_the_image_is_the_image(patch):
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    (made,) = patch_alike([image], _soft_disc(112, 112, 50), patch, 1.0, np.random.default_rng(0))
    assert made.shape == (patch, patch, 3)


@pytest.mark.parametrize("side", [100, 56])
def test_images_of_any_size_have_patches(side):
    mask = cv2.resize(_soft_disc(180, 40, 30), (side, side))
    ys, xs = np.mgrid[0:side, 0:side].astype(np.int32)
    x, y = patch_alike([xs, ys], mask, 32, 1.0, np.random.default_rng(0))
    assert (mask[y, x] > 60).any()

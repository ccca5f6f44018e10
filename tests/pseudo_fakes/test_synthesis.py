"""Deformed masks, transformations and blending against references and the ranges of section 4.1."""

import cv2
import numpy as np
import pytest

from stages.lib.faces.landmarks import canonical_face
from stages.lib.images import hull_mask
from stages.lib.pseudo_fakes import synthesis
from stages.lib.pseudo_fakes.synthesis import (
    Donor,
    Forgery,
    align_donor,
    blend,
    blended,
    deform_mask,
    downscale,
    jitter_affine,
    match_colour,
    sharpen,
    shift_colour,
)

LANDMARKS = canonical_face() * 60 + (112, 90)


def _face(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (14, 14, 3), np.uint8)
    return cv2.resize(noise, (224, 224), interpolation=cv2.INTER_CUBIC)


MASK = hull_mask(LANDMARKS, 224)


def _blended(seed: int) -> Forgery:
    return blended(_face(), LANDMARKS, MASK, np.random.default_rng(seed), None)


def test_deformed_masks_vary_and_stay_between_0_and_1():
    mask, rng = MASK, np.random.default_rng(0)
    made = [deform_mask(mask, rng) for _ in range(20)]
    for deformed in made:
        assert deformed.dtype == np.float32
        assert deformed.shape == mask.shape
        assert deformed.min() >= 0
        assert 0.9 < deformed.max() <= 1
        assert 0.6 < deformed.sum() / mask.sum() < 1.4
        assert np.any((deformed > 0.1) & (deformed < 0.9))  # smoothed
    assert len({float(deformed.sum()) for deformed in made}) == 20


def test_blend_is_equation_1():
    rng = np.random.default_rng(0)
    source, target, mask = _face(1), _face(2), rng.random((224, 224), np.float32)
    expected = source * mask[..., None] + target * (1 - mask[..., None])
    assert np.abs(blend(source, target, mask) - expected).max() <= 1


def test_jitter_stays_within_3_and_5_percent():
    rng, corners = np.random.default_rng(0), np.array([[12, 12], [211, 12], [12, 211]])
    scales, shifts = [], []
    for _ in range(300):
        image = np.zeros((224, 224, 3), np.uint8)
        for channel, (x, y) in enumerate(corners):
            cv2.circle(image, (int(x), int(y)), 5, tuple(255.0 * (channel == c) for c in range(3)), -1)
        moved = jitter_affine(image, rng).astype(float)
        ys, xs = np.mgrid[0:224, 0:224]
        found = np.array([[(moved[..., c] * g).sum() / moved[..., c].sum() for g in (xs, ys)] for c in range(3)])
        scale = (found[1, 0] - found[0, 0]) / 199, (found[2, 1] - found[0, 1]) / 199
        scales += scale
        shifts += [(found[0, k] - 112 - (12 - 112) * scale[k]) / 224 for k in range(2)]
    assert 0.945 < min(scales) < 0.96
    assert 1.04 < max(scales) < 1.055
    assert -0.033 < min(shifts) < -0.025
    assert 0.025 < max(shifts) < 0.033


def test_downscale_keeps_the_mean_and_loses_detail():
    face = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    for factor in synthesis.DOWNSCALE:
        small = downscale(face, factor)
        assert small.shape == face.shape
        assert abs(small.mean() - face.mean()) < 1
        assert small.std() < 0.6 * face.std()


def test_sharpen_keeps_flat_areas_and_amplifies_edges():
    flat = np.full((32, 32, 3), 90, np.uint8)
    np.testing.assert_array_equal(sharpen(flat, 0.4), flat)
    edge = flat.copy()
    edge[:, 16:] = 110
    assert np.ptp(sharpen(edge, 0.4).astype(int)) > 20
    np.testing.assert_array_equal(sharpen(edge, 0.0), edge)


def test_colour_shifts_of_grey_stay_in_the_papers_ranges():
    grey, rng = np.full((4, 4, 3), 128, np.uint8), np.random.default_rng(0)
    values = np.array([shift_colour(grey, rng)[0, 0] for _ in range(500)], float)
    # RGB +-20, then contrast and brightness +-0.3, then value +-0.3 of full scale at most
    assert values.min() >= (108 * 0.7 - 76.5) - 77 - 1
    assert values.max() <= 255
    assert len(np.unique(values, axis=0)) > 300


def test_the_mask_is_as_strong_as_the_blend():
    for seed in range(20):
        made = _blended(seed)
        assert made.mask.max() == pytest.approx(made.blend_ratio, abs=0.1)


def test_every_strength_is_drawn():
    assert {_blended(seed).blend_ratio for seed in range(60)} == {0.25, 0.5, 0.75, 1.0}


def test_source_and_target_are_transformed():
    assert {_blended(seed).transformed for seed in range(20)} == {"source", "target"}


def test_a_transformed_source_leaves_the_real_face_as_it_was():
    sources = [made for made in map(_blended, range(20)) if made.transformed == "source"]
    assert all(np.array_equal(made.real, _face()) for made in sources)


def test_a_donors_landmarks_are_laid_on_the_targets():
    face, turn = _face(3), cv2.getRotationMatrix2D((100, 120), 12, 0.9)
    turned = LANDMARKS @ turn[:, :2].T + turn[:, 2]
    donor = Donor(cv2.warpAffine(face, turn, (224, 224)), turned)
    aligned = align_donor(donor, LANDMARKS, 224)
    inside = MASK > 0
    assert np.abs(aligned[inside].astype(int) - face[inside]).mean() < 3


def test_matched_colour_has_the_targets_mean_and_deviation_in_the_mask():
    rng, mask = np.random.default_rng(0), MASK
    source, target = (
        rng.normal(mean, spread, (224, 224, 3)).clip(0, 255).astype(np.uint8) for mean, spread in ((90, 9), (150, 15))
    )
    matched = match_colour(source, target, mask)
    lab = [cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[mask > 0.5].astype(float) for image in (matched, target)]
    np.testing.assert_allclose(lab[0].mean(axis=0), lab[1].mean(axis=0), atol=1.5)
    np.testing.assert_allclose(lab[0].std(axis=0), lab[1].std(axis=0), rtol=0.15)


def test_with_a_donor_the_fake_holds_the_donors_face():
    donor = Donor(np.full((224, 224, 3), (250, 20, 20), np.uint8), LANDMARKS)
    face = np.full((224, 224, 3), 100, np.uint8)
    redder = 0
    for seed in range(40):
        made = blended(face, LANDMARKS, MASK, np.random.default_rng(seed), donor)
        excess = [image[112, 112, 0].astype(int) - image[112, 112, 1] for image in (made.real, made.fake)]
        redder += excess[1] > excess[0] + 20
    assert redder >= 12  # colour is matched half of the time

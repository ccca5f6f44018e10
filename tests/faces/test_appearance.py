"""Appearance by region: against values worked out on pictures whose colour and detail are known."""

import cv2
import numpy as np
import pytest

from stages.lib.faces.appearance import SCALES, appearance, face_regions
from stages.lib.faces.landmarks import canonical_face
from stages.lib.records import N_APPEARANCE
from tests.helpers.videos import portrait

LANDMARKS = canonical_face() * 60 + (112, 100)
REGIONS = face_regions(LANDMARKS, 224) > 0


def _parts(face: np.ndarray) -> np.ndarray:
    """(region, number, channel): mean, deviation, four bands from fine to coarse."""
    return appearance(face, LANDMARKS).reshape(3, 6, 3)


def test_regions_part_the_crop_from_the_inside_out():
    assert (REGIONS.sum(axis=0) == 1).all()
    assert REGIONS.any(axis=(1, 2)).all()
    centre = LANDMARKS.mean(axis=0).astype(int)
    assert REGIONS[0, centre[1], centre[0]]
    assert REGIONS[2, 2, 2]
    chin = np.round(LANDMARKS[8]).astype(int)
    assert REGIONS[1, chin[1], chin[0]]


def test_a_region_that_is_not_in_the_crop_is_the_whole_crop():
    regions = face_regions(canonical_face() * 600 + 112, 224)  # the face fills the crop and more
    assert (regions[2] == 255).all()


def test_flat_colours_are_their_means_and_have_no_detail():
    face = np.zeros((224, 224, 3), np.uint8)
    colours = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200]], np.uint8)
    for region, colour in zip(REGIONS, colours, strict=True):
        face[region] = colour
    lab = cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0] / 20
    parts = _parts(face)
    np.testing.assert_allclose(parts[:, 0], lab, atol=1e-4)
    np.testing.assert_allclose(parts[:, 1], np.log(0.1), atol=1e-3)
    flat = appearance(np.full((224, 224, 3), 90, np.uint8), LANDMARKS).reshape(3, 6, 3)
    np.testing.assert_allclose(flat[:, 2:], np.log(0.01), atol=0.01)


@pytest.mark.parametrize(("period", "band"), [(3, 0), (6, 1), (12, 2), (24, 3)])
def test_detail_lies_in_the_band_of_its_size(period, band):
    wave = np.round(128 + 60 * np.sin(2 * np.pi * np.arange(224) / period)).astype(np.uint8)
    face = np.repeat(np.tile(wave, (224, 1))[..., None], 3, axis=2)
    assert (np.argmax(_parts(face)[:, 2:, 0], axis=1) == band).all()


def test_blur_in_the_face_changes_the_face_and_not_its_surround():
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    blurred = noise.copy()
    blurred[REGIONS[0]] = cv2.GaussianBlur(noise, (0, 0), 3)[REGIONS[0]]
    change = np.abs(_parts(blurred) - _parts(noise))
    assert change[0, 2].min() > 1
    assert change[2].max() < 0.02


def test_it_has_the_size_the_table_declares():
    values = appearance(np.zeros((224, 224, 3), np.uint8), LANDMARKS)
    assert values.shape == (N_APPEARANCE,)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def _at_full_size(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The bands of detail by their definition, each scale a blur of the whole picture: (region, band, channel)."""
    lab = cv2.cvtColor(face, cv2.COLOR_RGB2LAB).astype(np.float32)
    blurs = [lab, *(cv2.GaussianBlur(lab, (0, 0), scale * len(face) / 224) for scale in SCALES)]
    bands = [np.abs(fine - coarse) for fine, coarse in zip(blurs, blurs[1:], strict=False)]
    regions = face_regions(landmarks, len(face)) > 0
    return np.array([[np.log(band[region].mean(axis=0) + 0.01) for band in bands] for region in regions])


@pytest.mark.parametrize("side", [64, 224, 320])
def test_coarse_detail_measured_at_half_size_is_what_it_is_at_full_size(side, portrait_landmarks):
    size = np.array([96, 0, 256])
    face = cv2.resize(portrait()[:256, 96:352, ::-1], (side, side), interpolation=cv2.INTER_AREA)
    landmarks = (portrait_landmarks - size[:2]) * side / size[2]
    found = appearance(face, landmarks).reshape(3, 6, 3)[:, 2:]
    np.testing.assert_allclose(found, _at_full_size(face, landmarks), atol=0.1)

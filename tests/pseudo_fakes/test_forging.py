"""The steps of a forgery against references: alignment, masks, resynthesis, colour."""

import cv2
import numpy as np
import pytest
import scipy.ndimage
from scipy.spatial import Delaunay

from stages.lib.faces.landmarks import canonical_face
from stages.lib.pseudo_fakes.forgery import Donor
from stages.lib.pseudo_fakes.forging import (
    face_height,
    match_shading,
    outline,
    paste,
    recolour,
    resample,
    resynthesize,
    soft_mask,
    unsharp,
    warp_onto,
)

SIDE = 224
LANDMARKS = canonical_face() * 60 + (112, 90)


def _face(seed: int = 0, cells: int = 14) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), np.uint8)
    return cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def _inside(points: np.ndarray) -> np.ndarray:
    """The pixels in the convex hull of points, bool (SIDE, SIDE)."""
    ys, xs = np.mgrid[0:SIDE, 0:SIDE]
    found: np.ndarray = Delaunay(points).find_simplex(np.column_stack([xs.ravel(), ys.ravel()])) >= 0
    return found.reshape(SIDE, SIDE)


def _dots(points: np.ndarray, side: int) -> np.ndarray:
    """A picture, black but for a small bright blob at each point (x, y)."""
    ys, xs = np.mgrid[0:side, 0:side]
    blobs = [255 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 1.5**2)) for x, y in points]
    return np.repeat(np.max(blobs, axis=0).round().astype(np.uint8)[..., None], 3, axis=2)


def _blob_near(picture: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The centre of gravity (x, y) of what is within 6 px of a point."""
    ys, xs = np.mgrid[0 : picture.shape[0], 0 : picture.shape[0]]
    weight = picture[..., 0] * (np.hypot(xs - point[0], ys - point[1]) < 6.0)
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


def _bent(points: np.ndarray) -> np.ndarray:
    """A smooth warp of the plane that is no affine one."""
    x, y = points.T
    return np.column_stack([x + 6 * np.sin(y / 60), y + 0.0015 * (x - 112) ** 2])


AFFINE = np.array([[0.85, 0.12, 10.0], [-0.1, 0.9, 25.0]])
WARPS = {
    "itself": lambda points: points,
    "affine": lambda points: points @ AFFINE[:, :2].T + AFFINE[:, 2],
    "bent": _bent,
}
FAR = [0, 8, 16, 17, 26, 30, 48, 54]  # landmarks that lie apart from each other


@pytest.mark.parametrize("warp", WARPS)
def test_a_donors_landmarks_are_laid_on_the_targets(warp):
    theirs = WARPS[warp](LANDMARKS)
    laid = warp_onto(Donor(_dots(theirs[FAR], SIDE), theirs), LANDMARKS, SIDE)
    off = [np.linalg.norm(_blob_near(laid, point) - point) for point in LANDMARKS[FAR]]
    assert max(off) < 0.5


def test_an_affine_warp_is_met_everywhere():
    face, theirs = _face(), WARPS["affine"](LANDMARKS)
    donor = Donor(cv2.warpAffine(face, AFFINE, (SIDE, SIDE)), theirs)
    inside = _inside(LANDMARKS)
    assert np.abs(warp_onto(donor, LANDMARKS, SIDE)[inside].astype(int) - face[inside]).mean() < 3


def test_a_donor_whose_landmarks_are_the_targets_stays_as_it_is():
    face = _face(cells=56)
    laid = warp_onto(Donor(face, LANDMARKS), LANDMARKS, SIDE)
    assert np.abs(laid[20:200, 20:200].astype(int) - face[20:200, 20:200]).max() <= 3


def test_a_donor_of_another_size_is_brought_to_the_targets():
    theirs = LANDMARKS * 320 / SIDE
    laid = warp_onto(Donor(_dots(theirs[FAR], 320), theirs), LANDMARKS, SIDE)
    off = [np.linalg.norm(_blob_near(laid, point) - point) for point in LANDMARKS[FAR]]
    assert max(off) < 0.7


def test_face_height_is_from_the_root_of_the_nose_to_the_chin():
    assert face_height(LANDMARKS) == pytest.approx(np.hypot(*(LANDMARKS[27] - LANDMARKS[8])))


def test_an_outline_holds_the_landmarks():
    np.testing.assert_array_equal(outline(LANDMARKS, 0.4)[:68], LANDMARKS)


def test_an_outline_rises_above_the_brows_by_the_forehead():
    rise = LANDMARKS[17:27] - outline(LANDMARKS, 0.4)[68:]
    np.testing.assert_allclose(np.linalg.norm(rise, axis=1), 0.4 * face_height(LANDMARKS))


def _mask(seed: int, softness: float = 0.05, growth: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return soft_mask(LANDMARKS, face_height(LANDMARKS), SIDE, rng, (softness, softness), (growth, growth))


@pytest.mark.parametrize("seed", range(5))
def test_soft_masks_lie_between_0_and_1(seed):
    mask = _mask(seed)
    assert 0 == mask.min() < mask.max() <= 1


def test_soft_masks_are_float32():
    assert _mask(0).dtype == np.float32


def test_a_soft_mask_is_about_the_hull_of_its_points():
    assert np.mean((_mask(0) > 0.5) != _inside(LANDMARKS)) < 0.03


@pytest.mark.parametrize("growth", [-0.1, 0.1])
def test_a_mask_is_shrunk_or_grown_by_parts_of_the_faces_height(growth):
    """A disc, so that the outline moves as far everywhere."""
    angles, height = np.linspace(0, 2 * np.pi, 100), 100.0
    disc = 112 + 60 * np.column_stack([np.cos(angles), np.sin(angles)])
    areas = [
        (soft_mask(disc, height, SIDE, np.random.default_rng(0), (0.02, 0.02), (by, by)) > 0.5).sum()
        for by in (0.0, growth)
    ]
    radius = np.sqrt(np.array(areas) / np.pi)
    assert radius[1] - radius[0] == pytest.approx(growth * height, abs=1)


def test_a_softer_mask_has_a_wider_border():
    widths = [((mask > 0.1) & (mask < 0.9)).sum() for mask in (_mask(0, 0.03), _mask(0, 0.12))]
    assert widths[1] > 2 * widths[0]


def test_masks_are_drawn():
    assert not np.array_equal(_mask(0), _mask(1))


def test_resampling_is_shrinking_and_enlarging():
    face = _face(cells=112)
    small = face.reshape(112, 2, 112, 2, 3).mean(axis=(1, 3))  # by area
    expected = np.stack(
        [scipy.ndimage.zoom(small[..., c], 2, order=1, grid_mode=True, mode="nearest") for c in range(3)], 2
    )
    found = resample(face, 0.5, cv2.INTER_AREA, cv2.INTER_LINEAR)
    assert np.abs(found - expected).max() <= 2


def test_resampling_by_1_changes_nothing():
    np.testing.assert_array_equal(resample(_face(), 1.0, cv2.INTER_AREA, cv2.INTER_CUBIC), _face())


def test_unsharp_adds_what_a_blur_takes_away():
    face = _face().astype(float) * 0.5 + 60  # far from black and white
    pixels = face.round().astype(np.uint8)
    blurred = scipy.ndimage.gaussian_filter(pixels.astype(float), (1.5, 1.5, 0), mode="mirror")
    expected = pixels + 0.7 * (pixels - blurred)
    assert np.abs(unsharp(pixels, 0.7, 1.5) - expected).max() <= 2


def test_matched_shading_is_the_targets_coarse_light():
    source, target = _face(1, 56) // 3 + 40, np.full((SIDE, SIDE, 3), 90, np.uint8)
    target[:, 112:] = 150
    matched = match_shading(source, target, 24)
    coarse = [scipy.ndimage.gaussian_filter(one.astype(float), (24, 24, 0)) for one in (matched, target)]
    assert np.abs(coarse[0] - coarse[1])[48:-48, 48:-48].mean() < 4


def test_matched_shading_keeps_the_sources_detail():
    source = _face(1, 56) // 3 + 60
    matched = match_shading(source, np.full((SIDE, SIDE, 3), 120, np.uint8), 24)
    detail = [one - scipy.ndimage.gaussian_filter(one.astype(float), (4, 4, 0)) for one in (source, matched)]
    assert np.corrcoef(detail[0].ravel(), detail[1].ravel())[0, 1] > 0.95


def test_matched_shading_of_the_target_is_itself():
    face = _face()
    assert np.abs(match_shading(face, face, 20).astype(int) - face).max() <= 1


def test_recolouring_without_strength_changes_nothing():
    assert np.abs(recolour(_face(), 0.0, np.random.default_rng(0)).astype(int) - _face()).max() <= 1


def test_recolouring_goes_either_way_about_the_face_as_it_was():
    grey = np.full((8, 8, 3), 120, np.uint8)
    means = [recolour(grey, 1.0, np.random.default_rng(seed)).mean() for seed in range(400)]
    assert np.mean(means) == pytest.approx(120, abs=1)


def test_resynthesis_mostly_loses_detail():
    face = _face(cells=112)

    def detail(image: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(image.astype(np.float32), cv2.CV_32F)).mean())

    losses = [detail(resynthesize(face, np.random.default_rng(seed))) < detail(face) for seed in range(40)]
    assert sum(losses) > 20


def test_a_paste_is_the_source_under_the_mask_and_the_face_elsewhere():
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:112] = 1
    made = paste(_face(1), _face(0), mask)
    np.testing.assert_array_equal(made.fake, np.concatenate([_face(1)[:112], _face(0)[112:]]))


def test_an_opacity_is_the_masks_greatest_value():
    made = paste(_face(1), _face(0), np.ones((SIDE, SIDE), np.float32), 0.7)
    assert made.mask.max() == pytest.approx(0.7)

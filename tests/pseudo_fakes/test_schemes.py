"""The schemes: the paper's are hulls of the landmarks that it names, and each forges under its mask alone."""

import cv2
import numpy as np
import pytest
from scipy.spatial import Delaunay

from stages.lib.faces.landmarks import canonical_face
from stages.lib.pseudo_fakes import synthesis
from stages.lib.pseudo_fakes.forgery import Donor
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.records import FAMILIES

LANDMARKS = canonical_face() * 60 + (112, 90)


# By iBUG's numbering: jaw 0-16, brows 17-26, nose bridge and tip 27-30, nostrils 31-35, eyes 36-47, mouth 48-67.
POINTS = {
    "global": range(68),
    "eyes": [*range(17, 29), *range(36, 48)],
    "mouth": [*range(4, 13), 30, *range(31, 36), *range(48, 68)],
    "jawline": [*range(17), 30, 33],
}


def _face(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (56, 56, 3), np.uint8)
    return cv2.resize(noise, (224, 224), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def mask_of(monkeypatch):
    """The mask of a scheme of the paper's as it is before it is deformed."""
    monkeypatch.setattr(synthesis, "deform_mask", lambda mask, rng: mask)
    monkeypatch.setattr(synthesis, "BLEND_RATIOS", (1.0,))
    return lambda scheme: SCHEMES[scheme].forge(_face(), LANDMARKS, np.random.default_rng(0), None).mask


@pytest.mark.parametrize("scheme", POINTS)
def test_mask_is_the_convex_hull_of_its_landmarks(mask_of, scheme):
    ys, xs = np.mgrid[0:224, 0:224]
    inside = Delaunay(LANDMARKS[list(POINTS[scheme])]).find_simplex(np.column_stack([xs.ravel(), ys.ravel()])) >= 0
    assert np.mean(mask_of(scheme).ravel() != inside) < 0.01  # they differ on the outline's pixels alone


@pytest.mark.parametrize(
    ("scheme", "covered", "spared"),
    [
        ("global", (0, 8, 16, 19, 30, 37, 57), ()),
        ("eyes", (37, 43, 19, 27), (8, 33, 57, 3)),
        ("mouth", (30, 33, 57, 8), (37, 43, 19, 27, 0, 16)),
        ("jawline", (0, 8, 16, 33, 57), (19, 24)),
    ],
)
def test_schemes_cover_the_parts_the_paper_names(mask_of, scheme, covered, spared):
    mask = cv2.dilate(mask_of(scheme), np.ones((5, 5)))
    at = np.round(LANDMARKS).astype(int)
    assert all(mask[at[i][1], at[i][0]] == 1 for i in covered)
    assert all(mask[at[i][1], at[i][0]] == 0 for i in spared)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_stands_for_a_family(scheme):
    assert SCHEMES[scheme].family in FAMILIES


def _forged(scheme: str, seed: int, donor: Donor | None = None) -> synthesis.Forgery:
    return SCHEMES[scheme].forge(_face(), LANDMARKS, np.random.default_rng(seed), donor)


DONORS = {"itself": None, "donor": Donor(_face(1), LANDMARKS * 0.9 + 8)}


@pytest.mark.parametrize("donor", DONORS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_real_differs_from_the_fake_only_under_the_mask(scheme, donor):
    for seed in range(12):
        made = _forged(scheme, seed, DONORS[donor])
        difference = np.abs(made.real.astype(int) - made.fake).max(axis=2)
        assert difference[made.mask == 0].max(initial=0) <= 1


@pytest.mark.parametrize("donor", DONORS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_fake_differs_from_the_real_under_the_mask(scheme, donor):
    differences = []
    for seed in range(12):
        made = _forged(scheme, seed, DONORS[donor])
        differences.append(np.abs(made.real.astype(int) - made.fake)[made.mask > 0.2].mean())
    assert np.median(differences) > 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_equal_draws_forge_alike(scheme):
    np.testing.assert_array_equal(_forged(scheme, 3).fake, _forged(scheme, 3).fake)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_drawn_does_not_depend_on_the_face(scheme):
    """Else frames of a video would not be forged alike."""
    states = []
    for face, landmarks in ((_face(), LANDMARKS), (_face(2) // 3, LANDMARKS * 0.8 + 20)):
        rng = np.random.default_rng(0)
        SCHEMES[scheme].forge(face, landmarks, rng, None)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


@pytest.mark.parametrize("scheme", ["swap", "lips", "animated"])
def test_what_the_tools_of_today_paste_in_leaves_the_real_face_as_it_was(scheme):
    np.testing.assert_array_equal(_forged(scheme, 0).real, _face())


def test_an_animated_picture_is_redrawn_whole_or_the_head_alone():
    whole = [(_forged("animated", seed).mask == 1).all() for seed in range(60)]
    assert 20 < sum(whole) < 50  # 60 %


def test_an_animated_face_takes_nothing_of_a_donor():
    np.testing.assert_array_equal(_forged("animated", 1).fake, _forged("animated", 1, DONORS["donor"]).fake)


def test_lips_leave_the_eyes_alone():
    at = np.round(LANDMARKS[36:48]).astype(int)
    masks = [_forged("lips", seed).mask for seed in range(20)]
    assert max(mask[at[:, 1], at[:, 0]].max() for mask in masks) == 0


def test_a_swap_is_now_and_then_without_the_forehead():
    up = LANDMARKS[19] + (LANDMARKS[19] - LANDMARKS[8]) * 0.2
    covered = [_forged("swap", seed).mask[int(up[1]), int(up[0])] > 0.1 for seed in range(40)]
    assert 0 < sum(covered) < 40

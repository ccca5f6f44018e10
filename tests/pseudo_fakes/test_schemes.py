"""The mask schemes: hulls of the landmarks that the paper names."""

import cv2
import numpy as np
import pytest
from scipy.spatial import Delaunay

from stages.lib.faces.landmarks import canonical_face
from stages.lib.pseudo_fakes.schemes import SCHEMES

LANDMARKS = canonical_face() * 60 + (112, 90)


# By iBUG's numbering: jaw 0-16, brows 17-26, nose bridge and tip 27-30, nostrils 31-35, eyes 36-47, mouth 48-67.
POINTS = {
    "global": range(68),
    "eyes": [*range(17, 29), *range(36, 48)],
    "mouth": [*range(4, 13), 30, *range(31, 36), *range(48, 68)],
    "jawline": [*range(17), 30, 33],
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mask_is_the_convex_hull_of_its_landmarks(scheme):
    mask = SCHEMES[scheme].mask(LANDMARKS, 224)
    ys, xs = np.mgrid[0:224, 0:224]
    inside = Delaunay(LANDMARKS[list(POINTS[scheme])]).find_simplex(np.column_stack([xs.ravel(), ys.ravel()])) >= 0
    assert set(np.unique(mask)) == {0, 1}
    assert np.mean(mask.ravel() != inside) < 0.01  # they differ on the outline's pixels alone


@pytest.mark.parametrize(
    ("scheme", "covered", "spared"),
    [
        ("global", (0, 8, 16, 19, 30, 37, 57), ()),
        ("eyes", (37, 43, 19, 27), (8, 33, 57, 3)),
        ("mouth", (30, 33, 57, 8), (37, 43, 19, 27, 0, 16)),
        ("jawline", (0, 8, 16, 33, 57), (19, 24)),
    ],
)
def test_schemes_cover_the_parts_the_paper_names(scheme, covered, spared):
    mask = cv2.dilate(SCHEMES[scheme].mask(LANDMARKS, 224), np.ones((5, 5)))
    at = np.round(LANDMARKS).astype(int)
    assert all(mask[at[i][1], at[i][0]] == 1 for i in covered)
    assert all(mask[at[i][1], at[i][0]] == 0 for i in spared)

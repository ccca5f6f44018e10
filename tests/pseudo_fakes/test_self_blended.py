"""Self-blended images: their masks, and what is changed of the face that is laid over itself."""

import numpy as np
import pytest

from stages.lib.faces.landmarks import canonical_face
from stages.lib.pseudo_fakes import self_blended as module
from stages.lib.pseudo_fakes.self_blended import MASKS, face_mask, self_blended

LANDMARKS = canonical_face() * 60 + (112, 90)
FACE = np.random.default_rng(0).integers(60, 190, (224, 224, 3), np.uint8)


def _inside(kind: str) -> set[int]:
    """Which landmarks, moved a little towards the middle of the face, a mask covers."""
    middle = LANDMARKS.mean(axis=0)
    at = np.round(LANDMARKS + (middle - LANDMARKS) * 0.05).astype(int)
    mask = face_mask(LANDMARKS, kind, 224)
    return {number for number, (x, y) in enumerate(at) if mask[y, x]}


@pytest.mark.parametrize("kind", ["face", "forehead"])
def test_the_whole_face_is_under_the_mask(kind):
    assert _inside(kind) == set(range(68))


def test_the_forehead_is_more_than_the_face():
    face, forehead = (face_mask(LANDMARKS, kind, 224) for kind in ("face", "forehead"))
    assert (forehead >= face).all() and forehead.sum() > 1.1 * face.sum()


def test_the_features_leave_the_jaw_alone():
    assert not _inside("features") & set(range(17)) and {30, 37, 44, 62} <= _inside("features")


def test_the_lower_face_leaves_the_eyes_alone():
    assert not _inside("lower") & set(range(36, 48)) and {57, 33} <= _inside("lower")


def test_each_mask_is_drawn(monkeypatch):
    drawn = set()
    monkeypatch.setattr(
        module, "face_mask", lambda landmarks, kind, side: drawn.add(kind) or np.zeros((side, side), np.float32)
    )
    for seed in range(40):
        self_blended(FACE, LANDMARKS, np.random.default_rng(seed), None)
    assert drawn == set(MASKS)


def test_one_of_the_two_is_the_face_as_it_was():
    made = [self_blended(FACE, LANDMARKS, np.random.default_rng(seed), None) for seed in range(30)]
    as_it_was = [np.array_equal(one.real, FACE) for one in made]
    assert as_it_was == [one.transformed == "source" for one in made] and 5 < sum(as_it_was) < 25


def test_the_source_is_moved_by_no_more_than_its_range():
    """A lone bright point of the face is found in the source no further away than shift and scale can bring it."""
    face = np.zeros((224, 224, 3), np.uint8)
    face[110:115, 110:115] = 255
    for seed in range(30):
        made = self_blended(face, LANDMARKS, np.random.default_rng(seed), None)
        row, column = np.unravel_index(made.source[..., 1].argmax(), (224, 224))
        assert abs(row - 112) <= 224 * 0.015 + 8 and abs(column - 112) <= 224 * 0.03 + 8


def test_nothing_of_a_donor_is_used():
    first, second = (self_blended(FACE, LANDMARKS, np.random.default_rng(1), donor) for donor in (None, object()))
    np.testing.assert_array_equal(first.fake, second.fake)

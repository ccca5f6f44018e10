"""Which faces an epoch shows, and how a batch is made of them."""

import numpy as np
import pytest

from stages.lib.backbone.batches import fresh_variants, shown_faces, training_batch
from tests.helpers.banks import bank_of
from tests.helpers.params import training_settings


def test_no_variant_comes_again_before_all_have_been_shown():
    shown = np.array([fresh_variants(50, 4, epoch, seed=0) for epoch in range(8)])
    for cycle in (shown[:4], shown[4:]):
        assert (np.sort(cycle, axis=0) == np.arange(4)[:, None]).all()
    assert (shown[:4] != shown[4:]).any()
    assert (shown[0] != shown[0, 0]).any()


def _kinds(bank, share: float) -> tuple[int, int]:
    """How many faces of videos and of photos an epoch shows."""
    shown = shown_faces(bank, share, np.random.default_rng(0))
    return int(bank.is_video[shown].sum()), int((~bank.is_video[shown]).sum())


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, (12, 0)), (0.25, (12, 4)), (0.5, (12, 12)), (0.8, (12, 48)), (1.0, (0, 18))]
)
def test_photos_are_shown_in_their_share(tmp_path, share, expected):
    assert _kinds(bank_of(tmp_path, "train", n_photos=3), share) == expected


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_without_photos_an_epoch_shows_the_videos(tmp_path, share):
    assert _kinds(bank_of(tmp_path, "train"), share) == (12, 0)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_without_videos_an_epoch_shows_the_photos(tmp_path, share):
    assert _kinds(bank_of(tmp_path, "train", n_videos=0, n_photos=2), share) == (0, 12)


def test_every_face_of_a_video_is_shown_once(tmp_path):
    bank = bank_of(tmp_path, "train", n_photos=3)
    shown = shown_faces(bank, 0.5, np.random.default_rng(0))
    assert sorted(shown[bank.is_video[shown]]) == sorted(np.flatnonzero(bank.is_video))


def test_no_photo_is_shown_twice_while_there_are_others(tmp_path):
    bank = bank_of(tmp_path, "train", n_photos=3)
    shown = shown_faces(bank, 0.5, np.random.default_rng(0))
    photos = shown[~bank.is_video[shown]]
    assert len(set(photos)) == len(photos)


def test_photos_are_shown_as_often_as_others_where_they_are_few(tmp_path):
    bank = bank_of(tmp_path, "train", n_photos=1)
    shown = shown_faces(bank, 0.6, np.random.default_rng(0))
    assert np.bincount(shown)[np.flatnonzero(~bank.is_video)].tolist() == [3] * 6


def _batch(folder, augment: bool = True, **changes):
    bank = bank_of(folder, "train")
    faces = np.arange(4)
    settings = training_settings(**changes)
    return training_batch(bank, faces, np.zeros(4, int), settings, 32, np.random.default_rng(0), augment), bank


def test_a_batch_is_real_faces_then_their_pseudo_fakes(tmp_path):
    batch, bank = _batch(tmp_path, augment=False)
    stored = np.stack([bank.face(face, 0) for face in range(4)])
    np.testing.assert_array_equal(batch.images, np.concatenate([stored[..., :3], stored[..., 3:6]]))


def test_a_batch_says_where_the_pseudo_fakes_have_a_boundary(tmp_path):
    batch, bank = _batch(tmp_path, augment=False)
    mask = bank.face(0, 0)[..., 6] / 255
    np.testing.assert_allclose(batch.boundary[0], 4 * mask * (1 - mask), atol=1e-6)


def test_a_half_transparent_pseudo_fake_has_its_boundary_where_it_ends(tmp_path):
    bank = bank_of(tmp_path, "train")
    opaque = bank.face(0, 0)
    bank.face = lambda face, variant: np.concatenate([opaque[..., :6], opaque[..., 6:] // 2], axis=-1)
    batch = training_batch(bank, np.zeros(1, int), [0], training_settings(), 32, np.random.default_rng(0), False)
    assert (batch.boundary[0, 10:20, 10:20].max(), batch.boundary[0, 9, 9]) == pytest.approx((0.0, 1.0), abs=0.02)


@pytest.mark.parametrize("change", [{}, {"augment": True}, {"patch": 32, "augment": True}])
def test_a_pair_and_its_boundary_are_changed_alike(tmp_path, change):
    """The bright square of the pseudo-fake ends where its boundary lies."""
    batch, _ = _batch(tmp_path, **change)
    for real, fake, boundary in zip(batch.images[:4], batch.images[4:], batch.boundary, strict=True):
        difference = np.abs(real.astype(int) - fake).max(axis=2)
        edge = np.abs(np.gradient(difference.astype(float))).max(axis=0)
        assert edge[boundary > 0.5].mean() > 5 * edge[boundary == 0].mean()


def test_patches_are_of_the_size_that_is_set(tmp_path):
    batch, _ = _batch(tmp_path, patch=64)
    assert {image.shape for image in batch.images} == {(64, 64, 3)}


# Shares of a batch


@pytest.mark.parametrize("change", [{}, {"patch": 32}, {"patch": 64}])
@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.parametrize("augment", [True, False])
def test_shares_are_the_whole_batch(tmp_path, change, augmented, augment):
    """Whatever draws it takes: of videos and photos, more of them than there are processes, and unequal shares."""
    bank, settings = bank_of(tmp_path, "train", n_photos=1), training_settings(augment=augmented, **change)
    rngs = [np.random.default_rng(0) for _ in range(4)]
    faces, variants = np.random.default_rng(1).permutation(len(bank)), np.arange(len(bank)) % 2

    def batch(rng, share=None):
        return training_batch(bank, faces, variants, settings, 48, rng, augment, share)

    whole = batch(rngs[0])
    shares = [batch(rng, share) for rng, share in zip(rngs[1:], (slice(5), slice(5, 11), slice(11, 18)), strict=True)]
    reals, fakes = zip(*(np.split(np.array(share.images), 2) for share in shares), strict=True)
    np.testing.assert_array_equal(np.concatenate([*reals, *fakes]), whole.images)
    np.testing.assert_array_equal(np.concatenate([share.boundary for share in shares]), whole.boundary)
    assert [share.share for share in shares] == [5 / 18, 6 / 18, 7 / 18]
    assert [rng.bit_generator.state for rng in rngs[1:]] == [rngs[0].bit_generator.state] * 3


def test_what_is_of_another_share_is_not_read(tmp_path):
    bank, read = bank_of(tmp_path, "train"), []
    face = bank.face
    bank.face = lambda number, variant: read.append(number) or face(number, variant)
    shown = np.arange(12)
    training_batch(bank, shown, 0 * shown, training_settings(), 32, np.random.default_rng(0), share=slice(3, 5))
    assert read == [3, 4]


# What was pasted


@pytest.mark.parametrize("change", [{}, {"augment": True}, {"patch": 32, "augment": True}])
def test_the_batch_is_the_same_with_its_sources(tmp_path, change):
    bank, settings = bank_of(tmp_path, "train"), training_settings(**change)
    batches = []
    for with_sources in (False, True):
        rng = np.random.default_rng(0)
        batch = training_batch(bank, np.arange(4), np.zeros(4, int), settings, 32, rng, with_sources=with_sources)
        batches.append((np.array(batch.images).tobytes(), batch.boundary.tobytes(), rng.bit_generator.state))
    assert batches[0] == batches[1]


def test_a_batch_has_no_sources_unless_asked(tmp_path):
    assert _batch(tmp_path)[0].sources == []


def test_sources_are_the_banks(tmp_path):
    bank, settings = bank_of(tmp_path, "train"), training_settings()
    faces, variants, rng = np.arange(4), np.array([0, 1, 0, 1]), np.random.default_rng(0)
    batch = training_batch(bank, faces, variants, settings, 32, rng, augment=False, with_sources=True)
    stored = [bank.pasted(face, variant) for face, variant in zip(faces, variants, strict=True)]
    np.testing.assert_array_equal(batch.sources, stored)


@pytest.mark.parametrize("change", [{}, {"augment": True}, {"patch": 32, "augment": True}])
def test_sources_are_changed_as_their_pseudo_fakes_are(tmp_path, change):
    """A source that is the pseudo-fake itself stays so."""
    bank, settings = bank_of(tmp_path, "train"), training_settings(**change)
    bank.pasted = lambda face, variant: np.ascontiguousarray(bank.face(face, variant)[..., 3:6])
    rng = np.random.default_rng(0)
    batch = training_batch(bank, np.arange(6), np.zeros(6, int), settings, 32, rng, with_sources=True)
    np.testing.assert_array_equal(batch.sources, batch.images[6:])


def test_a_share_has_the_sources_of_its_pseudo_fakes(tmp_path):
    bank, settings = bank_of(tmp_path, "train"), training_settings(augment=True)
    whole, share = (
        training_batch(
            bank, np.arange(6), np.zeros(6, int), settings, 32, np.random.default_rng(0), share=part, with_sources=True
        )
        for part in (None, slice(2, 5))
    )
    np.testing.assert_array_equal(share.sources, whole.sources[2:5])

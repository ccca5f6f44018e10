"""What a step of training is shown: real faces of a bank with their pseudo-fakes, cut and changed alike."""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.lib.backbone.settings import TrainingSettings
from stages.lib.images import resize
from stages.lib.pseudo_fakes.augmentation import boundary_of, crop_alike, flip_alike, patch_alike, recolour_alike
from stages.lib.pseudo_fakes.bank import FakeBank

SCALES = (0.75, 1.25)  # at which patches of videos are seen
PHOTO_SCALES = (0.62, 1.0)  # and of photos, which are mostly enlarged to a crop's size and have no finer detail


def fresh_variants(n_faces: int, n_variants: int, epoch: int, seed: int) -> np.ndarray:
    """Which pseudo-fake of each face an epoch shows, int64 (n_faces,): none again before all have been shown."""
    rng = np.random.default_rng([seed, 2, epoch // n_variants])
    order = rng.permuted(np.tile(np.arange(n_variants), (n_faces, 1)), axis=1)
    return order[:, epoch % n_variants]


def shown_faces(bank: FakeBank, photo_share: float, rng: np.random.Generator) -> np.ndarray:
    """The faces of an epoch in random order: every video's once, and as many photos as make up their share.

    Photos are drawn without repetition as far as there are enough. A share of 1 is all photos, once and alone; a bank
    without videos or without photos gives what it has.
    """
    videos, photos = np.flatnonzero(bank.is_video), np.flatnonzero(~bank.is_video)
    if not len(videos) or not len(photos):
        return rng.permutation(len(bank))
    if photo_share in (0, 1):
        return rng.permutation(photos if photo_share else videos)
    wanted = round(len(videos) * photo_share / (1 - photo_share))
    times = -(-wanted // len(photos))
    drawn = np.concatenate([rng.permutation(photos) for _ in range(times)])[:wanted]
    return rng.permutation(np.concatenate([videos, drawn]))


@dataclass(frozen=True)
class Batch:
    """n real faces, then their pseudo-fakes in the same order: all of a step, or one process's share of them.

    ``images``: 2n arrays, RGB uint8 (s, s, 3); ``boundary``: float32 (n, s, s) in [0, 1], where each pseudo-fake has a
    boundary (:func:`boundary_of`); ``mask``: the same of where it is forged; ``share``: n as a part of the whole
    step's, in [0, 1]; ``sources``: n arrays like ``images``, what was pasted into each pseudo-fake; none where they
    weren't asked for; ``genuine``: bool (n,), which fakes aren't pseudo-fakes.
    """

    images: list[np.ndarray]
    boundary: np.ndarray
    mask: np.ndarray
    share: float
    sources: list[np.ndarray]
    genuine: np.ndarray


def training_batch(
    bank: FakeBank,
    faces: np.ndarray,
    variants: np.ndarray,
    settings: TrainingSettings,
    input_size: int,
    rng: np.random.Generator,
    augment: bool = True,
    share: slice | None = None,
    with_sources: bool = False,
) -> Batch:
    """The faces with a pseudo-fake each, ``input_size`` px, or patches of ``train.patch`` px; a pair is changed alike.

    Patches are cut in any case, and images flipped with ``augment`` (training, not validation). ``train.augment`` also
    cuts whole faces, scales patches and recolours. ``share``: the pairs to make, None for all. The others are drawn for
    but not read, so that shares are the very images of the whole, and leave ``rng`` where it would. ``with_sources``:
    read what was pasted as well, which changes no draw.
    """
    reals, fakes, sources, masks = [], [], [], []
    mine = range(len(faces))[share or slice(None)]
    for at, (face, variant) in enumerate(zip(faces, variants, strict=True)):
        # How much is drawn depends on sizes, never on pixels: an empty mask takes the draws of a pair.
        stored = [np.zeros((input_size, input_size), np.uint8)]
        if at in mine:
            stored = _parts(bank.face(face, variant))
            stored[2:2] = [bank.pasted(face, variant)] if with_sources else []
        parts = [resize(part, input_size) for part in stored]
        changed = augment and settings.augment
        if settings.patch:
            scales = SCALES if bank.is_video[face] else PHOTO_SCALES
            parts = patch_alike(parts, parts[-1], settings.patch, rng.uniform(*scales) if changed else 1.0, rng)
        elif changed:
            parts = [resize(np.ascontiguousarray(part), input_size) for part in crop_alike(parts, rng)]
        *pictures, mask = flip_alike(parts, rng) if augment else parts
        pictures = recolour_alike(pictures, rng) if changed else pictures
        if at in mine:
            reals.append(pictures[0])
            fakes.append(pictures[1])
            sources += pictures[2:]
            masks.append(mask.astype(np.float32) / 255)
    forged, genuine = np.array(masks), bank.is_genuine[faces[share or slice(None)]]
    return Batch(reals + fakes, boundary_of(forged), forged, len(mine) / len(faces), sources, genuine)


def _parts(stored: np.ndarray) -> list[np.ndarray]:
    """The real face, its pseudo-fake and the mask of an entry of a bank."""
    return [np.ascontiguousarray(part) for part in (stored[..., :3], stored[..., 3:6], _whole(stored[..., 6]))]


def _whole(mask: np.ndarray) -> np.ndarray:
    """A mask, uint8, as if the forgery were opaque: where it is, not how strongly. A boundary is then where it ends,
    and not the whole inside of what is half transparent.
    """
    peak = int(mask.max())
    return mask if peak in (0, 255) else cv2.convertScaleAbs(mask, alpha=255 / peak)

"""A picture of pseudo-fakes, for people who look before they read numbers (the paper's figure 3)."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.lib.figures import plt, save_png
from stages.lib.pseudo_fakes.forgery import Donor
from stages.lib.pseudo_fakes.genuine import GenuineFake, genuine_images
from stages.lib.pseudo_fakes.making import Source, choose_donor, forge_run
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.seeding import video_rng


def _with_landmarks(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    face = face.copy()
    for x, y in landmarks:
        cv2.circle(face, (int(x), int(y)), 2, (0, 255, 0), -1, cv2.LINE_AA)
    return face


def _face(source: Source, row: int) -> Donor:
    return Donor(np.array(np.load(source.faces, mmap_mode="r")[row]), source.landmarks[row])


def fakes_sheet(
    path: Path, sources: list[Source], settings: SynthesisSettings, seed: int, genuine: Sequence[GenuineFake] = ()
) -> None:
    """The paper's figure 3 from this dataset: a row per scheme with face, landmarks, mask, real and pseudo-fake.

    A donor of the face gives one more column; faces are taken across people. Of genuine fakes each method has a row,
    with mask, real and fake.
    """
    titles = ["face", "landmarks"] if sources else []
    first = len(titles)  # of the columns of genuine fakes
    titles += ["mask", "real, as trained on", "pseudo-fake" if sources else "fake"]
    titles += ["with a donor's face"] if any(source.donors for source in sources) else []
    schemes = list(settings.schemes) if sources else []
    of_method = {fake.method: fake for fake in reversed(genuine)}
    shape = len(schemes) + len(of_method), len(titles)
    figure, axes = plt.subplots(*shape, figsize=(2.2 * shape[1], 2.3 * shape[0]), layout="constrained", squeeze=False)
    rng = video_rng(seed, "", "sheet")
    for row, scheme in enumerate(schemes):
        source = sources[row * len(sources) // len(schemes)]
        middle = len(source.landmarks) // 2
        face, only = _face(source, middle), settings.model_copy(update={"schemes": {scheme: 1.0}})

        def forged(donor: Donor | None, face: Donor = face, only: SynthesisSettings = only) -> np.ndarray:
            run = forge_run(face.face[None], face.landmarks[None], only, rng, [donor], is_video=False)
            image: np.ndarray = run.images[0]
            return image

        made = forged(None)
        images = [face.face, _with_landmarks(face.face, face.landmarks), made[..., 6], made[..., :3], made[..., 3:6]]
        chosen = choose_donor(face.landmarks[None], source.people[middle], source.donors, rng)
        if chosen is not None and not SCHEMES[scheme].own_face:
            whose, rows = chosen
            images.append(forged(_face(source.donors[whose], rows[0]))[..., 3:6])
        for axis, image in zip(axes[row], images, strict=False):  # not each has a donor
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes[row, 0].set_ylabel(scheme)
    for row, (method, fake) in enumerate(sorted(of_method.items()), start=len(schemes)):
        made = genuine_images(fake)[len(fake.real_rows) // 2]
        for axis, image in zip(
            axes[row, first : first + 3], (made[..., 6], made[..., :3], made[..., 3:6]), strict=True
        ):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes[row, 0].set_ylabel(f"{method} (genuine)")
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title)
    save_png(figure, path, dpi=60)

"""Pictures for people who look before they read numbers."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np

from stages.lib.config import Synthesis
from stages.lib.files import atomic_path
from stages.lib.seeding import video_rng
from stages.lib.synthesis import synthesize

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)


def _with_landmarks(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    face = face.copy()
    for x, y in landmarks:
        cv2.circle(face, (int(x), int(y)), 2, (0, 255, 0), -1, cv2.LINE_AA)
    return face


def fakes_sheet(path: Path, faces_folder: Path, videos: list[dict], settings: Synthesis, seed: int) -> None:
    """The paper's figure 3 from this dataset: a row per mask scheme with face, landmarks, mask, real and pseudo-fake.

    ``videos``: dicts of video_id and landmarks (n, 68, 2) in crop pixels; faces are taken across people.
    """
    titles = ("face", "landmarks", "mask", "real, as trained on", "pseudo-fake")
    figure, axes = plt.subplots(
        len(settings.schemes),
        len(titles),
        figsize=(2.2 * len(titles), 2.3 * len(settings.schemes)),
        layout="constrained",
        squeeze=False,
    )
    rng = video_rng(seed, "", "sheet")
    for row, scheme in enumerate(settings.schemes):
        video = videos[row * len(videos) // len(settings.schemes)]
        faces = np.load(faces_folder / f"{video['video_id']}.npy", mmap_mode="r")
        middle = len(faces) // 2
        face, landmarks = np.asarray(faces[middle]), video["landmarks"][middle]
        made = synthesize(face, landmarks, rng, {scheme: 1.0}, settings.degrade)
        for axis, image, title in zip(
            axes[row], (face, _with_landmarks(face, landmarks), made.mask, made.real, made.fake), titles, strict=True
        ):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1 if image.ndim == 2 else 255)
            axis.set_xticks([]), axis.set_yticks([])
            if row == 0:
                axis.set_title(title)
        axes[row, 0].set_ylabel(scheme)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=80, metadata={"Software": None})
    plt.close(figure)

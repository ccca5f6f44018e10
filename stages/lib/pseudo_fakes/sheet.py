"""A picture of pseudo-fakes, for people who look before they read numbers (the paper's figure 3)."""

from pathlib import Path

import cv2
import numpy as np

from stages.lib.figures import plt, save_png
from stages.lib.files import faces_file
from stages.lib.pseudo_fakes.making import TrainingVideo
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.pseudo_fakes.synthesis import Donor, synthesize
from stages.lib.seeding import video_rng


def _with_landmarks(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    face = face.copy()
    for x, y in landmarks:
        cv2.circle(face, (int(x), int(y)), 2, (0, 255, 0), -1, cv2.LINE_AA)
    return face


def _middle_face(folder: Path, video: TrainingVideo) -> tuple[np.ndarray, np.ndarray]:
    middle = len(video.landmarks) // 2
    return np.array(np.load(faces_file(folder, video.video_id), mmap_mode="r")[middle]), video.landmarks[middle]


def fakes_sheet(
    path: Path, faces_folder: Path, videos: list[TrainingVideo], settings: SynthesisSettings, seed: int
) -> None:
    """The paper's figure 3 from this dataset: a row per mask scheme with face, landmarks, mask, real and pseudo-fake.

    The first donor of a video gives one more column; faces are taken across people.
    """
    titles = ["face", "landmarks", "mask", "real, as trained on", "pseudo-fake"]
    titles += ["with a donor's face"] if any(video.donors for video in videos) else []
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
        face, landmarks = _middle_face(faces_folder, video)
        made = synthesize(face, landmarks, rng, {scheme: 1.0}, settings.degrade)
        images = [face, _with_landmarks(face, landmarks), made.mask, made.real, made.fake]
        if video.donors:
            donor = Donor(*_middle_face(faces_folder, video.donors[0]))
            images.append(synthesize(face, landmarks, rng, {scheme: 1.0}, settings.degrade, donor).fake)
        for axis, title in zip(axes[row], titles, strict=True):
            axis.set_xticks([])
            axis.set_yticks([])
            if row == 0:
                axis.set_title(title)
        for axis, image in zip(axes[row], images, strict=False):  # a lone person has no donor
            axis.imshow(image, cmap="gray", vmin=0, vmax=1 if image.ndim == 2 else 255)
        axes[row, 0].set_ylabel(scheme)
    save_png(figure, path, dpi=60)

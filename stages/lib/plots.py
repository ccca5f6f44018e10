"""Pictures for people who look before they read numbers."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np

from stages.lib.config import Synthesis
from stages.lib.files import atomic_path
from stages.lib.seeding import video_rng
from stages.lib.synthesis import Donor, synthesize

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)


def _with_landmarks(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    face = face.copy()
    for x, y in landmarks:
        cv2.circle(face, (int(x), int(y)), 2, (0, 255, 0), -1, cv2.LINE_AA)
    return face


def _middle_face(folder: Path, video_id: str, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = len(landmarks) // 2
    return np.array(np.load(folder / f"{video_id}.npy", mmap_mode="r")[middle]), landmarks[middle]


def fakes_sheet(path: Path, faces_folder: Path, videos: list[dict], settings: Synthesis, seed: int) -> None:
    """The paper's figure 3 from this dataset: a row per mask scheme with face, landmarks, mask, real and pseudo-fake.

    ``videos``: dicts of video_id, landmarks (n, 68, 2) in crop pixels, and donors [(video_id, landmarks)], of which the
    first gives one more column; faces are taken across people.
    """
    titles = ["face", "landmarks", "mask", "real, as trained on", "pseudo-fake"]
    titles += ["with a donor's face"] if any(video["donors"] for video in videos) else []
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
        face, landmarks = _middle_face(faces_folder, video["video_id"], video["landmarks"])
        made = synthesize(face, landmarks, rng, {scheme: 1.0}, settings.degrade)
        images = [face, _with_landmarks(face, landmarks), made.mask, made.real, made.fake]
        if video["donors"]:
            donor = Donor(*_middle_face(faces_folder, *video["donors"][0]))
            images.append(synthesize(face, landmarks, rng, {scheme: 1.0}, settings.degrade, donor).fake)
        for axis, title in zip(axes[row], titles, strict=True):
            axis.set_xticks([]), axis.set_yticks([])
            if row == 0:
                axis.set_title(title)
        for axis, image in zip(axes[row], images, strict=False):  # a lone person has no donor
            axis.imshow(image, cmap="gray", vmin=0, vmax=1 if image.ndim == 2 else 255)
        axes[row, 0].set_ylabel(scheme)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=60, metadata={"Software": None})
    plt.close(figure)

"""The demo dataset: who is in which split, how the fakes are made, and how frames become video files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stages.lib.demo.face import (
    SIZE,
    Performance,
    Person,
    light_field,
    load_portraits,
    make_performance,
    make_person,
    posed_points,
    render,
    wander,
)
from stages.lib.images import hull_mask
from stages.lib.records import FAKE, REAL
from stages.lib.seeding import video_rng

FPS = 25.0
_FACE, _LOWER_FACE = [*range(68)], [*range(4, 13), *range(31, 36), *range(48, 60)]


@dataclass(frozen=True)
class DemoVideo:
    """One video to make: ``donor`` is whose face is swapped in (``swap``) or empty, ``original`` the path of the real
    video whose performance a fake shares.
    """

    path: str
    label: str
    split: str
    method: str
    identity: str
    donor: str = ""
    original: str = ""
    family: str = ""


def plan_videos(identities: dict[str, int]) -> list[DemoVideo]:
    """The demo's videos, from the number of people per split; no person is in two splits, fakes are test only.

    Every test person has a real video and one fake of each method, so that reals and fakes share people.
    """
    videos, first = [], 0
    for split, count in identities.items():
        people = [f"person{first + i:03d}" for i in range(count)]
        first += count
        original_of = {name: f"{split}/real/{name}.mp4" for name in people}
        videos += [DemoVideo(path, REAL, split, "", name) for name, path in original_of.items()]
        if split == "test":
            for i, name in enumerate(people):
                donor, original = people[(i + 1) % count], original_of[name]
                path = f"test/swap/{name}_{donor}.mp4"
                videos.append(DemoVideo(path, FAKE, split, "swap", name, donor, original, "swap"))
                path = f"test/mouth/{name}.mp4"
                videos.append(DemoVideo(path, FAKE, split, "mouth", name, "", original, "lips"))
    return videos


def _soft_hull(points: np.ndarray, grow: float, feather: float) -> np.ndarray:
    centre = points.mean(axis=0)
    mask = hull_mask(centre + (points - centre) * grow, SIZE)
    return cv2.GaussianBlur(mask, (0, 0), feather)[..., None]


def _matched_colour(face: np.ndarray, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The face with the mean and deviation that the frame has under the mask, as swapping tools do it."""
    weight = mask / mask.sum()
    (mean_a, mean_b) = ((weight * image).sum(axis=(0, 1)) for image in (face, frame))
    deviation_a, deviation_b = (
        np.sqrt((weight * (image - mean) ** 2).sum(axis=(0, 1))) for image, mean in ((face, mean_a), (frame, mean_b))
    )
    result: np.ndarray = (face - mean_a) * (deviation_b / np.maximum(deviation_a, 1e-3)) + mean_b
    return result


def _generated(image: np.ndarray, resolution: float) -> np.ndarray:
    """What a generator of limited resolution would give: detail below 1/``resolution`` px is lost."""
    small = max(int(SIZE / resolution), 8)
    return cv2.resize(
        cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC
    )


def _fake_frames(
    target: Person,
    play: Performance,
    source: Person,
    mouth: Performance | None,
    part: list[int],
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Unlit frames in which ``source`` was pasted over a part of the target, with errors that change over time.

    A generator's position, scale, colour, sharpness and mask drift from one moment to the next where a camera's would
    not: the inconsistency that the paper's figure 1 shows.
    """
    n = len(play.yaw)

    def drift(amplitude: float, channels: int) -> np.ndarray:
        return np.column_stack([wander(rng, n, FPS, amplitude, 0.8) for _ in range(channels)])

    resolution = rng.uniform(1.6, 2.4) * np.exp(drift(0.5, 1)[:, 0])
    shift, scale, colour = drift(3.0, 2), 1 + drift(0.05, 2), 1 + drift(0.10, 3)
    for t in range(n):
        landmarks, head = posed_points(target, play, t)
        frame = render(target, landmarks, head)
        wanted, _ = posed_points(target, play, t, mouth)
        centre = wanted[part].mean(axis=0)
        tracked = centre + (wanted - centre) * scale[t] + shift[t] + rng.normal(0, 0.4, 2)
        face = _generated(render(source, tracked, head), max(resolution[t], 1.0))
        mask = _soft_hull(wanted[part], rng.uniform(0.98, 1.05), rng.uniform(1.5, 3.0))
        face = _matched_colour(face, frame, mask) * colour[t].astype(np.float32)
        yield frame + rng.uniform(0.93, 1.0) * mask * (face - frame)


def _real_frames(person: Person, play: Performance) -> Iterator[np.ndarray]:
    for t in range(len(play.yaw)):
        yield render(person, *posed_points(person, play, t))


def _person(portraits: list[Person], seed: int, identity: str) -> Person:
    return make_person(portraits, video_rng(seed, identity, "person"))


def _write_video(path: Path, frames: Iterator[np.ndarray], play: Performance, rng: np.random.Generator) -> None:
    """Light the frames, pass them through a camera (blur, sensor noise) and encode them: the same for reals and
    fakes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (SIZE, SIZE))
    if not writer.isOpened():
        raise RuntimeError(
            f"{path}: OpenCV cannot encode MPEG-4; install opencv-contrib-python-headless as pinned in requirements.txt"
        )
    noise, blur = rng.uniform(0.003, 0.024), rng.uniform(0.3, 0.8)
    for t, frame in enumerate(frames):
        lit = cv2.GaussianBlur(frame * light_field(play, t), (0, 0), blur)
        lit += noise * rng.standard_normal(lit.shape, np.float32) * np.sqrt(0.3 + np.clip(lit, 0, 1))
        writer.write(np.clip(lit * 255, 0, 255).astype(np.uint8))
    writer.release()


def make_video(root: Path, video: DemoVideo, n_frames: tuple[int, int], seed: int) -> None:
    """Render one video of the plan below ``root``; its bytes depend on (seed, video) alone.

    The fakes of a person are made from that person's real performance, so length, motion and light are shared and only
    the manipulation and the camera's noise differ.
    """
    portraits = load_portraits()
    person = _person(portraits, seed, video.identity)
    rng = video_rng(seed, video.identity, "performance")
    play = make_performance(int(rng.integers(*n_frames, endpoint=True)), FPS, rng)
    rng = video_rng(seed, video.path, "fake")
    if video.method == "swap":
        donor = _person(portraits, seed, video.donor)
        # The donor's picture on the target's geometry: what a swap keeps is the other person's texture.
        frames = _fake_frames(person, play, donor, None, _FACE, rng)
    elif video.method == "mouth":
        frames = _fake_frames(person, play, person, make_performance(len(play.yaw), FPS, rng), _LOWER_FACE, rng)
    else:
        frames = _real_frames(person, play)
    _write_video(root / video.path, frames, play, video_rng(seed, video.path, "camera"))

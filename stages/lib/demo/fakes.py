"""The demo's fakes: three families, each from a careful tool (strength 1) to a careless one (strength 3).

A generator's position, scale, colour and sharpness drift from one moment to the next where a camera's would not: the
inconsistency that the paper's figure 1 shows. An animated still picture errs the other way: it drifts too little.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from stages.lib.demo.camera import FPS
from stages.lib.demo.face import Person, photograph, posed_points, render
from stages.lib.demo.performance import Performance, animate, lit, make_idling, make_performance, still_at, wander
from stages.lib.demo.warp import SIZE
from stages.lib.images import hull_mask

_FACE, _LOWER_FACE = [*range(68)], [*range(4, 13), *range(31, 36), *range(48, 60)]
_ERRORS_PERIOD = 0.8  # s: about how long an error of a paste takes to come and go


@dataclass(frozen=True)
class Scene:
    """What a person's fakes are made of: the real performance, its unlit frames, and who lends a face."""

    person: Person
    play: Performance
    frames: list[np.ndarray]  # float32 (SIZE, SIZE, 3)
    donor: Person


@dataclass(frozen=True)
class Paste:
    """How well a face is pasted into another; deviations are of errors that drift over time."""

    blur: float  # px, of the generator's picture
    focus: float  # deviation of that blur's logarithm
    border: float  # share of the finest detail that is lost where the paste fades out
    feather: float  # px, over which it does
    flicker: float  # of the paste's size, from one frame to the next
    shift: float  # px
    scale: float
    colour: float
    jitter: float  # px, from one frame to the next
    shading: float  # share of the target's coarse light and colour that the paste takes over


@dataclass(frozen=True)
class Animation:
    """How a still picture is animated."""

    kept: float  # share of the real performance's drift of pose and light
    resolution: float  # of the generator's picture, in parts of the frame's
    sharpened: float  # share of what a blur takes away that is added to hide the loss


def _blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), max(deviation, 0.1))


def _soft_hull(points: np.ndarray, grow: float, feather: float) -> np.ndarray:
    centre = points.mean(axis=0)
    return _blurred(hull_mask(centre + (points - centre) * grow, SIZE), feather)[..., None]


def _box(points: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the frame that hold points (n, 2), with room for a mask that fades out."""
    (left, top), (right, bottom) = points.min(axis=0).astype(int) - 24, points.max(axis=0).astype(int) + 24
    return slice(max(top, 0), min(bottom, SIZE)), slice(max(left, 0), min(right, SIZE))


def _coarse(image: np.ndarray) -> np.ndarray:
    (height, width), step = image.shape[:2], 8
    small = cv2.resize(image, (width // step, height // step), interpolation=cv2.INTER_AREA)
    return cv2.resize(_blurred(small, 2.0), (width, height))


def _matched_colour(face: np.ndarray, frame: np.ndarray, mask: np.ndarray, shading: float) -> np.ndarray:
    """The face with the mean and deviation that the frame has under the mask, as swapping tools do it, and with a share
    of its coarse light.
    """
    under = (mask > 0.5).astype(np.uint8)
    mean_a, deviation_a, mean_b, deviation_b = (
        value.ravel() for image in (face, frame) for value in cv2.meanStdDev(image, mask=under)
    )
    gain = (deviation_b / np.maximum(deviation_a, 1e-3)).astype(np.float32)
    matched: np.ndarray = face * gain + (mean_b - mean_a * gain).astype(np.float32)
    return matched + np.float32(shading) * _coarse(frame - matched)


def _pasted(
    errors: Paste,
    scene: Scene,
    rng: np.random.Generator,
    source: Person,
    part: list[int],
    mouth: Performance | None = None,
) -> Iterator[np.ndarray]:
    """The scene's frames with ``source`` pasted over a part of the face; ``mouth``: who moves the mouth there."""
    play, n = scene.play, len(scene.frames)

    def drift(amplitude: float, channels: int) -> np.ndarray:
        return np.column_stack([wander(rng, n, FPS, amplitude, _ERRORS_PERIOD) for _ in range(channels)])

    grow = rng.uniform(1.0, 1.06) + errors.flicker * rng.standard_normal(n)
    jitter = errors.jitter * rng.standard_normal((n, 2))
    blur = errors.blur * np.exp(drift(errors.focus, 1)[:, 0])
    shift, scale, colour = drift(errors.shift, 2), 1 + drift(errors.scale, 2), 1 + drift(errors.colour, 3)
    for t, frame in enumerate(scene.frames):
        own, head = posed_points(scene.person, play, t)
        wanted, _ = posed_points(scene.person, play, t, mouth)
        # Where the mouth moves otherwise the target's own chin must not look out from under the paste.
        covered = np.concatenate([own[part], wanted[part]])
        box = _box(covered)
        mask = _soft_hull(covered, grow[t], errors.feather)[box]
        centre = wanted[part].mean(axis=0)
        tracked = centre + (wanted - centre) * scale[t] + shift[t] + jitter[t]
        face, under = _blurred(render(source, tracked, head)[box], blur[t]), frame[box]
        if source is not scene.person:  # whose colours are right as they are
            face = _matched_colour(face, under, mask, errors.shading)
        face = face * colour[t].astype(np.float32)
        mixed = under + mask * (face - under)
        fading = np.float32(4 * errors.border) * mask * (1 - mask)
        result = frame.copy()
        result[box] = mixed + fading * (_blurred(mixed, 1.5) - mixed)
        yield result


def _relit(frames: Iterable[np.ndarray], play: Performance) -> Iterator[np.ndarray]:
    return (lit(frame, play, t) for t, frame in enumerate(frames))


def _swap(errors: Paste, scene: Scene, rng: np.random.Generator) -> Iterator[np.ndarray]:
    # The donor's picture on the target's geometry: what a swap keeps is the other person's texture.
    return _relit(_pasted(errors, scene, rng, scene.donor, _FACE), scene.play)


def _lips(errors: Paste, scene: Scene, rng: np.random.Generator) -> Iterator[np.ndarray]:
    mouth = make_performance(len(scene.frames), FPS, rng)
    return _relit(_pasted(errors, scene, rng, scene.person, _LOWER_FACE, mouth), scene.play)


def _generated(picture: np.ndarray, how: Animation) -> np.ndarray:
    """The picture as a generator of limited resolution gives it: detail lost to a smaller picture, then sharpened."""
    small = cv2.resize(picture, (round(SIZE * how.resolution),) * 2, interpolation=cv2.INTER_AREA)
    whole = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return cv2.addWeighted(whole, 1 + how.sharpened, _blurred(whole, 1.2), -how.sharpened, 0)


def _animated(how: Animation, scene: Scene, rng: np.random.Generator) -> Iterator[np.ndarray]:
    at = still_at(scene.play)
    play = animate(scene.play, at, make_idling(len(scene.frames), FPS, rng), how.kept)
    photo = photograph(scene.person, *posed_points(scene.person, scene.play, at))
    frames = (render(photo, *posed_points(scene.person, play, t)) for t in range(len(scene.frames)))
    return _relit((_generated(frame, how) for frame in frames), play)


@dataclass(frozen=True)
class Method:
    """A registered way to make fakes: ``make`` gives the lit frames, float32 (SIZE, SIZE, 3), of a scene's fake.

    Methods of a family make the same draws in the same order, so that strength alone tells them apart. ``grain`` is the
    share of the camera's noise that they show: a generator makes little of its own.
    """

    family: str
    make: Callable[[Scene, np.random.Generator], Iterator[np.ndarray]]
    description: str
    grain: float = 1.0


UNTOUCHED = Method("", lambda scene, rng: _relit(scene.frames, scene.play), "a real video")
_PASTES = {
    1: Paste(
        blur=0.25,
        focus=0.03,
        border=0.15,
        feather=4.5,
        flicker=0.0,
        shift=0.1,
        scale=0.0015,
        colour=0.002,
        jitter=0.0,
        shading=1.0,
    ),
    2: Paste(
        blur=0.5,
        focus=0.15,
        border=0.4,
        feather=3.5,
        flicker=0.006,
        shift=0.8,
        scale=0.012,
        colour=0.015,
        jitter=0.1,
        shading=0.7,
    ),
    3: Paste(
        blur=0.8,
        focus=0.3,
        border=0.8,
        feather=2.2,
        flicker=0.02,
        shift=2.0,
        scale=0.03,
        colour=0.05,
        jitter=0.3,
        shading=0.4,
    ),
}
_CARE = {
    1: "by a careful tool: hardly a trace",
    2: "a little softer, and not always quite in place",
    3: "by a careless tool: it slides, flickers and loses detail",
}
METHODS: dict[str, Method] = {
    **{
        f"swap-{k}": Method("swap", partial(_swap, paste), f"another person's face, {_CARE[k]}")
        for k, paste in _PASTES.items()
    },
    **{
        f"lips-{k}": Method("lips", partial(_lips, paste), f"the mouth re-performed, {_CARE[k]}")
        for k, paste in _PASTES.items()
    },
    "animated-1": Method(
        "animated",
        partial(_animated, Animation(kept=0.9, resolution=0.97, sharpened=0.1)),
        "a still picture animated, with nearly all of a real video's drift",
    ),
    "animated-2": Method(
        "animated",
        partial(_animated, Animation(kept=0.45, resolution=0.8, sharpened=0.3)),
        "a still picture animated, smoother and steadier than a real video",
        grain=0.95,
    ),
    "animated-3": Method(
        "animated",
        partial(_animated, Animation(kept=0.0, resolution=0.6, sharpened=0.5)),
        "a still picture animated in one light: the head keeps coming back to where it was",
        grain=0.9,
    ),
}

"""How a person moves and is lit over time."""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from stages.lib.demo.warp import SIZE


def wander(rng: np.random.Generator, n: int, fps: float, amplitude: float, period_s: float) -> np.ndarray:
    """A smooth random motion (n,): three sines about ``period_s`` with random phases."""
    t = np.arange(n) / fps
    periods = period_s * rng.uniform(0.6, 1.8, 3)
    result: np.ndarray = amplitude * np.sin(2 * np.pi * (t[:, None] / periods + rng.random(3))).sum(axis=1) / np.sqrt(3)
    return result


@dataclass(frozen=True)
class Performance:
    """Pose, expression and light over time: (n,) arrays; angles in radians, the rest in eye distances or fractions."""

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    zoom: np.ndarray
    shift: np.ndarray  # (n, 2)
    mouth_open: np.ndarray
    smile: np.ndarray
    brow: np.ndarray
    blink: np.ndarray
    light_angle: np.ndarray
    light: np.ndarray
    warmth: np.ndarray
    exposure: np.ndarray


_EXPRESSION = ("mouth_open", "smile", "brow", "blink")
_LIGHT = ("light_angle", "light", "warmth", "exposure")


def make_performance(n: int, fps: float, rng: np.random.Generator) -> Performance:
    """A random performance of ``n`` frames: head motion, speech, blinks, and light that drifts through the video."""
    blink = np.zeros(n)
    for start in np.arange(rng.uniform(0.2, 1.5), n / fps, rng.uniform(1.2, 2.5)):
        blink = np.maximum(blink, np.exp(-(((np.arange(n) / fps - start) / 0.07) ** 2)))
    return Performance(
        yaw=rng.uniform(-0.12, 0.12) + wander(rng, n, fps, 0.14, 2.5),
        pitch=wander(rng, n, fps, 0.08, 2.5),
        roll=rng.uniform(-0.05, 0.05) + wander(rng, n, fps, 0.05, 3.0),
        zoom=rng.uniform(0.94, 1.06) * (1 + wander(rng, n, fps, 0.02, 3.0)),
        shift=np.column_stack([wander(rng, n, fps, 0.10, 3.0), wander(rng, n, fps, 0.06, 3.0)]),
        mouth_open=np.abs(wander(rng, n, fps, 0.16, 0.6)),
        smile=wander(rng, n, fps, 0.07, 1.6),
        brow=wander(rng, n, fps, 0.05, 1.5),
        blink=blink,
        light_angle=rng.uniform(0, 2 * np.pi) + wander(rng, n, fps, 0.5, 4.0),
        light=rng.uniform(0.08, 0.25) + wander(rng, n, fps, 0.05, 2.0),
        warmth=rng.uniform(-0.04, 0.04) + wander(rng, n, fps, 0.015, 3.0),
        exposure=1 + wander(rng, n, fps, 0.04, 3.5),
    )


def make_idling(n: int, fps: float, rng: np.random.Generator) -> Performance:
    """A performance of ``n`` frames whose head sways a little about one place, in a light that never changes."""
    speaking = make_performance(n, fps, rng)
    sway, period_s = {"yaw": 0.04, "pitch": 0.025, "roll": 0.015, "zoom": 0.004}, 0.9
    motion = {name: wander(rng, n, fps, amplitude, period_s) for name, amplitude in sway.items()}
    motion["shift"] = np.column_stack([wander(rng, n, fps, 0.02, period_s) for _ in range(2)])
    return replace(speaking, **motion, **dict.fromkeys(_LIGHT, np.zeros(n)))


def still_at(play: Performance) -> int:
    """The frame of a performance that makes the best still picture: eyes open, mouth closed."""
    return int(np.argmin(play.blink + play.mouth_open))


def animate(play: Performance, at: int, idling: Performance, kept: float) -> Performance:
    """The still picture of frame ``at`` moved by another performance.

    ``kept`` in [0, 1] is the share of the real performance's own drift of pose and light that is kept; the rest of the
    pose idles about the still's. The expression is the other's.
    """

    def moved(name: str) -> np.ndarray:
        own, other = getattr(play, name), getattr(idling, name)
        result: np.ndarray = other if name in _EXPRESSION else own[at] + kept * (own - own[at]) + (1 - kept) * other
        return result

    return Performance(**{field.name: moved(field.name) for field in fields(Performance)})


def lit(frame: np.ndarray, play: Performance, t: int) -> np.ndarray:
    """A frame, float32 (SIZE, SIZE, 3), in the light of moment ``t``: brighter from one side, tinted, exposed."""
    axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
    slope = (play.light[t] * np.array([np.cos(play.light_angle[t]), np.sin(play.light_angle[t])])).astype(np.float32)
    shade = (1 + axis * slope[0])[None, :] + (axis * slope[1])[:, None]
    tint = play.exposure[t] * (1 + play.warmth[t] * np.array([-1.0, 0.0, 1.0]))
    return cv2.multiply(frame, cv2.merge([shade * np.float32(factor) for factor in tint]))

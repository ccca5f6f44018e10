"""The demo's people: two public-domain portraits morphed and warped into many faces, and rendered in motion.

Everything is one smooth warp. A person is a still picture with 68 landmarks; a frame is that picture warped so that the
landmarks stand where the head's pose and expression put them, then lit.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.lib.demo.performance import Performance
from stages.lib.demo.warp import SIZE, smooth_warp

_OVERSAMPLE = 1.5  # a person's still is kept this much finer than the frames rendered from it
_EYES_AT = np.array([SIZE / 2, 0.40 * SIZE])
_EYE_DISTANCE = 62.0  # px: the Haar box is then about 160 px, the crop about 210


def _points(text: str) -> np.ndarray:
    return np.array([pair.split(",") for pair in text.split()], np.float64)


# Landmarks placed by hand on the portraits, float64 (68, 2), in their pixels.
ASTRONAUT = _points(
    """182,102 182,113 183,124 183.5,135.5 186.5,147 193,158 201.5,168 213,175.5 225,178 238,175.5 248,169
255,160.5 261.5,149 265,138 268,127 269.5,115.5 270.5,104 190,91 195,89 201.5,89 208,90 213.5,92
238,93.5 243,92.5 249,92 256,92 262,94 226,102 225.5,109 225,117 224.5,123.5 215.5,129 220,130.5 225,131
229.5,130.5 233.5,129 194.5,101 199.5,98 206,98 211,102 206,104 199.5,104 238.5,103 243,100 249.5,100
255.5,104 250,106 243.5,106 203,139.5 210,139 218.5,139 223.5,140 228.5,139 236.5,140 243.5,141 238,149
230,154 223,155 215,153 208,147 205,140.5 218,143 223.5,143.5 229,143 242,141.5 230,149 223,150
216.5,148.5"""
)
HOPPER = _points(
    """178,195 180,213.5 183,232 188,250 194,268.5 201.5,290 215.5,311 235,326 264,332.5 293,328 314.5,314
328,293 337,271.5 343.5,253 348.5,232 351.5,213.5 353.5,194 185,174 197,166 212,164 227.5,166.5 241,171
282.5,169.5 296,164 313,160 328,161 342,169.5 265,189 265.5,204.5 266.5,221 267.5,236.5 246,244.5
256.5,249.5 268,251.5 279.5,249.5 290.5,243.5 206,192 215.5,186 227.5,185.5 237.5,193 227.5,196
215.5,196 290,190 299,182.5 311.5,181.5 322,188 312,193 300,193 227.5,281 240,276 255,272.5 265.5,274
276.5,272.5 294.5,275 309,278 296,286 281,291.5 267,292 252,290.5 238,286 229.5,280.5 256.5,279.5
266.5,280.5 278,279 307,278.5 278,280.5 266.5,281.5 255,280.5"""
)

# Landmark i of a face is landmark MIRROR[i] of its mirror image.
MIRROR = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        27,
        28,
        29,
        30,
        35,
        34,
        33,
        32,
        31,
        45,
        44,
        43,
        42,
        47,
        46,
        39,
        38,
        37,
        36,
        41,
        40,
    ]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)
_JAW, _BROWS, _NOSE, _MOUTH = slice(0, 17), slice(17, 27), slice(27, 36), slice(48, 68)
_EYES = (slice(36, 42), slice(42, 48))
_UPPER_LIDS, _LOWER_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
_LOWER_LIP = [55, 56, 57, 58, 59, 65, 66, 67]
_CORNERS = {48: -1.0, 60: -0.9, 54: 1.0, 64: 0.9}

# The crown and the sides of the head move with it; the picture's border stays where it is.
HEAD = _EYES_AT + _EYE_DISTANCE * np.array(
    [(-1.35, -0.1), (-1.2, -0.9), (-0.6, -1.4), (0, -1.5), (0.6, -1.4), (1.2, -0.9), (1.35, -0.1)]
)
_BORDER = np.array(
    [(x, y) for x in np.linspace(0, SIZE, 5) for y in np.linspace(0, SIZE, 5) if x in (0, SIZE) or y in (0, SIZE)]
)


@dataclass(frozen=True)
class Person:
    """A still picture of a face, BGR float32 in [0, 1], ``_OVERSAMPLE`` times SIZE a side, and where its landmarks
    (68, 2) and the head's outline (7, 2) stand in it, in frame pixels.
    """

    still: np.ndarray
    landmarks: np.ndarray
    head: np.ndarray


def load_portraits() -> list[Person]:
    """The two portraits that ship with scikit-image and Matplotlib (public domain), eyes brought to one place."""
    import matplotlib.cbook
    import skimage.data

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    hopper = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if hopper is None:
        raise RuntimeError(f"{path}: OpenCV cannot read Matplotlib's sample portrait; install it as pinned")
    portrait: np.ndarray = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    astronaut = cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR)
    portraits = []
    for image, points in ((astronaut, ASTRONAUT), (hopper, HOPPER)):
        left, right = (points[eye].mean(axis=0) for eye in _EYES)
        (ax, ay), middle = right - left, (left + right) / 2
        k = _EYE_DISTANCE / (ax**2 + ay**2)
        rotation = k * np.array([[ax, ay], [-ay, ax]])
        matrix = np.column_stack([rotation, _EYES_AT - rotation @ middle])
        side = int(SIZE * _OVERSAMPLE)
        still = cv2.warpAffine(
            image, matrix * _OVERSAMPLE, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        portraits.append(Person(still.astype(np.float32) / 255.0, points @ rotation.T + matrix[:, 2], HEAD))
    return portraits


def _mirror(person: Person) -> Person:
    points = person.landmarks[MIRROR] * (-1, 1) + (SIZE, 0)
    return Person(np.ascontiguousarray(person.still[:, ::-1]), points, HEAD)


def _reshaped(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other proportions: each part of the face scaled about its own centre and shifted, within human bounds."""
    unit, shape = _EYE_DISTANCE, points - _EYES_AT
    shape[:, 0] *= rng.uniform(0.93, 1.09)
    shape[:, 1] *= rng.uniform(0.94, 1.08)
    depth = np.clip(shape[_JAW, 1:] / (1.7 * unit), 0, 1)
    shape[_JAW] *= 1 + depth * rng.uniform((-0.10, -0.05), (0.10, 0.08))
    shape[_BROWS, 1] += unit * rng.uniform(-0.08, 0.05)
    for part, spread in ((_NOSE, (0.14, 0.08)), (_MOUTH, (0.13, 0.14))):
        centre = shape[part].mean(axis=0)
        shape[part] = (
            centre
            + (shape[part] - centre) * rng.uniform(1 - np.array(spread), 1 + np.array(spread))
            + (0, unit * rng.uniform(-0.05, 0.05))
        )
    spacing, opening = unit * rng.uniform(-0.05, 0.05), rng.uniform((0.92, 0.85), (1.10, 1.2))
    for eye, side in zip(_EYES, (-1, 1), strict=True):
        centre = shape[eye].mean(axis=0)
        shape[eye] = centre + (shape[eye] - centre) * opening + (side * spacing, 0)
    result: np.ndarray = _EYES_AT + shape
    return result


def _smooth_field(rng: np.random.Generator, cells: int, side: int, channels: int = 1) -> np.ndarray:
    field = cv2.resize(
        rng.standard_normal((cells, cells, channels)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )
    return field.reshape(side, side, channels)


def make_person(portraits: list[Person], rng: np.random.Generator) -> Person:
    """A new person: the portraits morphed by a random weight, with other proportions, tone and skin texture."""
    portraits = [_mirror(p) if rng.random() < 0.5 else p for p in portraits]
    weight = rng.uniform(0.1, 0.9)
    landmarks = _reshaped(weight * portraits[0].landmarks + (1 - weight) * portraits[1].landmarks, rng)
    # Texture leans further to one portrait than shape does: an even cross-dissolve looks like a double exposure.
    texture = np.clip(0.5 + 1.5 * (weight - 0.5), 0.05, 0.95)
    side = int(SIZE * _OVERSAMPLE)
    fixed = np.concatenate([HEAD, _BORDER])
    stills = [
        smooth_warp(p.still, np.vstack([landmarks, fixed]), np.vstack([p.landmarks, fixed]), _OVERSAMPLE, side)
        for p in portraits
    ]
    still = texture * stills[0] + (1 - texture) * stills[1]
    still = (np.clip(still, 0, 1) ** rng.uniform(0.75, 1.3)).astype(np.float32)
    hsv = cv2.cvtColor(still, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-10, 10)) % 360
    hsv[..., 1] *= rng.uniform(0.55, 1.15)
    still = cv2.cvtColor(np.clip(hsv, 0, (360, 1, 1)).astype(np.float32), cv2.COLOR_HSV2BGR)
    blotches = (
        0.05 * _smooth_field(rng, 7, side, 3)
        + 0.03 * _smooth_field(rng, 40, side)
        + 0.025 * _smooth_field(rng, 130, side)
    )
    still = still * rng.uniform(0.85, 1.12, 3) * (1 + rng.uniform(0.5, 1.5) * blotches)
    return Person(np.clip(still, 0, 1).astype(np.float32), landmarks, HEAD)


def _depth(points: np.ndarray) -> np.ndarray:
    """How far points of a frontal face stand out of the image plane: a rounded head with a nose, in pixels."""
    x, y = ((points - _EYES_AT) / _EYE_DISTANCE).T
    depth = 0.9 * np.sqrt(np.clip(1 - (x / 1.35) ** 2 - ((y - 0.4) / 2.2) ** 2, 0, 1))
    if len(points) == 68:
        depth[_NOSE] += np.array([0.0, 0.1, 0.2, 0.32, 0.12, 0.16, 0.2, 0.16, 0.12])
    result: np.ndarray = depth * _EYE_DISTANCE
    return result


def posed_points(
    person: Person, play: Performance, t: int, mouth: Performance | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where the landmarks (68, 2) and the head's outline (7, 2) stand in frame ``t``; ``mouth``: who moves the
    mouth.
    """
    mouth = mouth or play
    unit, face = _EYE_DISTANCE, person.landmarks.copy()
    face[_LOWER_LIP, 1] += unit * mouth.mouth_open[t]
    face[4:13, 1] += unit * mouth.mouth_open[t] * np.array([0.2, 0.4, 0.6, 0.75, 0.8, 0.75, 0.6, 0.4, 0.2])
    for corner, side in _CORNERS.items():
        face[corner] += unit * mouth.smile[t] * np.array([side, -0.6])
    face[_BROWS, 1] -= unit * play.brow[t]
    lids = face[_LOWER_LIDS] - face[_UPPER_LIDS]
    face[_UPPER_LIDS] += 0.6 * play.blink[t] * lids
    points = np.vstack([face, HEAD])
    depth = np.concatenate([_depth(person.landmarks), _depth(HEAD)])
    (x, y), z = (points - _EYES_AT).T, depth - 0.5 * unit  # the head turns about a point behind the eyes
    x, z = x * np.cos(play.yaw[t]) + z * np.sin(play.yaw[t]), z * np.cos(play.yaw[t]) - x * np.sin(play.yaw[t])
    y = y * np.cos(play.pitch[t]) - z * np.sin(play.pitch[t])
    c, s = np.cos(play.roll[t]) * play.zoom[t], np.sin(play.roll[t]) * play.zoom[t]
    posed = np.column_stack([c * x - s * y, s * x + c * y]) + _EYES_AT + unit * play.shift[t]
    return posed[:68], posed[68:]


def render(person: Person, landmarks: np.ndarray, head: np.ndarray) -> np.ndarray:
    """The person's still warped so that its landmarks and head stand at the given points: float32 (SIZE, SIZE, 3)."""
    return _warped(person, landmarks, head, SIZE)


def photograph(person: Person, landmarks: np.ndarray, head: np.ndarray) -> Person:
    """A still picture of the person, taken while landmarks and head stand at the given points."""
    return Person(_warped(person, landmarks, head, person.still.shape[0]), landmarks, head)


def _warped(person: Person, landmarks: np.ndarray, head: np.ndarray, side: int) -> np.ndarray:
    wanted, given = np.vstack([landmarks, head, _BORDER]), np.vstack([person.landmarks, person.head, _BORDER])
    return smooth_warp(person.still, wanted, given, _OVERSAMPLE, side)

"""BlazeFace, MediaPipe's face detector, whose faces are confirmed and placed by the face mesh.

Two of the published networks are used: for near faces (up to 2 m), and for all. A face's box is the mesh's, from the
hairline to the chin, so that it doesn't depend on which network found it.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from stages.lib.faces.mesh import FaceMesh, fit_mesh, tflite_network
from stages.lib.faces.tracking import overlap

_SCORE = 0.5  # least probability of a box
_OVERLAP = 0.3  # boxes that share more than this (intersection over union) are one face
_SAME_FACE = 0.3  # a mesh that shares less with the box in which it was sought has gone elsewhere; real ones share 0.6
_NEAR = 0.15  # of the frame's long side: the network for near faces is trusted with faces at least so wide


@dataclass(frozen=True)
class _Network:
    """One of the published networks: its file, its input's side in px, and the strides of its anchors."""

    file: str
    side: int
    strides: tuple[int, ...]


_NEAR_FACES = _Network("face_detection_short_range.tflite", 128, (8, 16, 16, 16))
_ALL_FACES = _Network("face_detection_back.tflite", 256, (16, 32, 32, 32))


@cache
def _anchors(side: int, strides: tuple[int, ...]) -> np.ndarray:
    """Centres of the anchors, in parts of the input's side: float32 (n, 2)."""
    centres = []
    for stride in sorted(set(strides)):
        cells = side // stride
        y, x = np.mgrid[:cells, :cells]
        centre = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        centres.append(np.repeat(centre, 2 * strides.count(stride), axis=0))
    return np.concatenate(centres).astype(np.float32)


def _propose(frame: np.ndarray, network: _Network) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) and centres of the eyes (n, 2, 2) in frame pixels, the largest first."""
    scale = network.side / max(frame.shape[:2])
    height, width = (max(round(scale * length), 1) for length in frame.shape[:2])
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (network.side - height) // 2, (network.side - width) // 2
    bottom, right = network.side - height - top, network.side - width - left
    square = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT)
    net = tflite_network(network.file)
    net.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True))
    anchors = _anchors(network.side, network.strides)
    outputs = [output.reshape(len(anchors), -1) for output in net.forward(net.getUnconnectedOutLayersNames())]
    logits, raw = sorted(outputs, key=np.size)
    score = 1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80)))
    likely = score > _SCORE
    # Rows of (x, y): the box's centre, its size, then the eyes, nose, mouth and ears.
    found = raw[likely].reshape(-1, 8, 2) / network.side
    found[:, [0, 2, 3]] += anchors[likely][:, None]
    merged = _merge(found[:, :4].astype(np.float64), score[likely])
    points = (merged * network.side - [[left, top], [0, 0], [left, top], [left, top]]) / scale
    points = points[np.argsort(-points[:, 1].prod(axis=1), kind="stable")]
    centre, size = points[:, 0], points[:, 1]
    return np.concatenate([centre - size / 2, size], axis=1), points[:, 2:]


def _merge(found: np.ndarray, score: np.ndarray) -> np.ndarray:
    """One row for each face: the mean, weighted by the score, of the rows (n, 4, 2) whose boxes overlap the best's."""
    low, high = found[:, 0] - found[:, 1] / 2, found[:, 0] + found[:, 1] / 2
    left, merged = np.argsort(-score, kind="stable"), []
    while len(left):
        best = left[0]
        shared = (np.minimum(high[left], high[best]) - np.maximum(low[left], low[best])).clip(0).prod(axis=1)
        together = found[left, 1].prod(axis=1) + found[best, 1].prod() - shared
        same = (shared > _OVERLAP * together) | (left == best)
        merged.append(np.average(found[left[same]], axis=0, weights=score[left[same]]))
        left = left[~same]
    return np.array(merged).reshape(-1, 4, 2)


def _confirm(frame: np.ndarray, box: np.ndarray, eyes: np.ndarray) -> FaceMesh | None:
    """The mesh of the face in a proposed box (4,); None where there is none, or its middle isn't in the frame."""
    mesh = fit_mesh(frame, box, eyes)
    if mesh is None or overlap(mesh.box, box) < _SAME_FACE:
        return None
    middle = mesh.box[:2] + mesh.box[2:] / 2
    return mesh if ((middle >= 0) & (middle < frame.shape[1::-1])).all() else None


def largest_face(frame: np.ndarray) -> FaceMesh | None:
    """The largest face of a BGR uint8 frame, or None.

    Near faces are looked for first, which takes a quarter of the time: only where there is none is the other network
    asked.
    """
    for network, least in ((_NEAR_FACES, _NEAR * max(frame.shape[:2])), (_ALL_FACES, 0.0)):
        for box, eyes in zip(*_propose(frame, network), strict=True):
            if box[2] >= least and (mesh := _confirm(frame, box, eyes)) is not None:
                return mesh
    return None


def all_faces(frame: np.ndarray) -> list[FaceMesh]:
    """All faces of a BGR uint8 frame, the largest first."""
    fitted = [_confirm(frame, box, eyes) for box, eyes in zip(*_propose(frame, _ALL_FACES), strict=True)]
    found = [mesh for mesh in fitted if mesh is not None]
    return sorted(found, key=lambda mesh: -float(mesh.box[2:].prod()))

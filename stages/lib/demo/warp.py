"""Pictures bent smoothly, so that given points come to stand where they are wanted."""

import cv2
import numpy as np

SIZE = 352  # px, side of a rendered frame
_CELLS = 44  # a side: a warp is solved at their middles and interpolated between
_STIFFNESS = 0.5  # px²: a warp may miss a point by a little


def _middles() -> np.ndarray:
    axis = (np.arange(_CELLS) + 0.5) / _CELLS
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def _kernel(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """r² log r² between points (n, 2) and centres (m, 2): float32 or float64 (n, m)."""
    (x, y), (at_x, at_y) = points.T, centres.T
    squared = (x[:, None] - at_x) ** 2 + (y[:, None] - at_y) ** 2
    result: np.ndarray = squared * np.log(squared + np.finfo(squared.dtype).tiny)
    return result


_NODES = _middles()
_NODES_AFFINE = np.column_stack([np.ones(len(_NODES)), _NODES]).astype(np.float32)


def _offsets(wanted: np.ndarray, given: np.ndarray) -> np.ndarray:
    """How far from each middle of a cell the thin-plate spline from ``wanted`` to ``given`` (n, 2) leads, in frame
    pixels: float32 (_CELLS, _CELLS, 2).
    """
    n, centres = len(wanted), wanted / SIZE
    system = np.zeros((n + 3, n + 3))
    # r² log r² is twice r² log r, which a stiffness in px² belongs to.
    system[:n, :n] = _kernel(centres, centres) + 2 * _STIFFNESS / SIZE**2 * np.eye(n)
    system[:n, n:] = np.column_stack([np.ones(n), centres])
    system[n:, :n] = system[:n, n:].T
    weights = np.linalg.solve(system, np.concatenate([given - wanted, np.zeros((3, 2))])).astype(np.float32)
    far = _kernel(_NODES.astype(np.float32), centres.astype(np.float32)) @ weights[:n] + _NODES_AFFINE @ weights[n:]
    return far.reshape(_CELLS, _CELLS, 2)


def smooth_warp(
    image: np.ndarray, points_in_output: np.ndarray, points_in_image: np.ndarray, scale: float = 1.0, output: int = SIZE
) -> np.ndarray:
    """Warp an image by the thin-plate spline that takes each output point to its point in the image.

    Points are float64 (n, 2) in frame pixels; the image has ``scale`` times, and the output (output, output), as many.
    """
    dense = cv2.resize(_offsets(points_in_output, points_in_image), (output, output), interpolation=cv2.INTER_LINEAR)
    axis = np.arange(output, dtype=np.float32) * np.float32(SIZE / output)
    x, y = (axis[None, :] + dense[..., 0]) * np.float32(scale), (axis[:, None] + dense[..., 1]) * np.float32(scale)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)

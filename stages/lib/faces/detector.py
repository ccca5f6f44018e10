"""The face detectors, by the name that ``faces.detector`` gives them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stages.lib.faces import blazeface, haar
from stages.lib.faces.mesh import FaceMesh


@dataclass(frozen=True)
class DetectedFace:
    """A face in a frame: ``box``, float64 (4,), x, y, width, height in frame pixels.

    ``haar_box``: the box (4,) that Haar's cascade draws about this face, which landmark backends want. ``landmarks``:
    float64 (68, 2) in frame pixels (iBUG order) where the detector places them itself.
    """

    box: np.ndarray
    haar_box: np.ndarray
    landmarks: np.ndarray | None = None


class FaceDetector(Protocol):
    """Finds faces in BGR uint8 frames (h, w, 3); ``description`` names it to readers of metrics."""

    description: str

    def largest(self, frame: np.ndarray) -> DetectedFace | None:
        """The face of the largest box (section 4.1), or None."""

    def all(self, frame: np.ndarray) -> list[DetectedFace]:
        """All faces, the largest first."""


class HaarDetector:
    """OpenCV's Haar cascade: boxes alone."""

    description = "OpenCV Haar cascade"

    def largest(self, frame: np.ndarray) -> DetectedFace | None:
        box = haar.detect_face(frame)
        return None if box is None else DetectedFace(box, box)

    def all(self, frame: np.ndarray) -> list[DetectedFace]:
        return [DetectedFace(box, box) for box in haar.detect_faces(frame)]


class BlazeFaceDetector:
    """BlazeFace, with the box and the landmarks of the face mesh, which also refuses what isn't a face."""

    description = "BlazeFace and face mesh"

    def largest(self, frame: np.ndarray) -> DetectedFace | None:
        mesh = blazeface.largest_face(frame)
        return None if mesh is None else _of_mesh(mesh)

    def all(self, frame: np.ndarray) -> list[DetectedFace]:
        return [_of_mesh(mesh) for mesh in blazeface.all_faces(frame)]


def _of_mesh(mesh: FaceMesh) -> DetectedFace:
    return DetectedFace(mesh.box, mesh.haar_box, mesh.landmarks)


FACE_DETECTORS: dict[str, FaceDetector] = {"blazeface": BlazeFaceDetector(), "haar": HaarDetector()}

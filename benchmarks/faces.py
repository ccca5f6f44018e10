"""Face detectors and landmark backends side by side: time, faces found, false boxes, jitter.

``python -m benchmarks.faces FOLDER… [--photos FOLDER] [--models MODEL.onnx…]``. Of each video in the folders two runs
of three consecutive frames are looked at, of the photos every tenth. A *false box* shares less than a fifth
(intersection over union) with the median box that all detectors found in the same clip; of photos, each of which shows
one face in the middle (as those of Labeled Faces in the Wild do), in all of them. *Jitter* is how far a landmark lies
from the middle between where it was a frame before and is a frame later, in distances between the eyes: median over
runs. *Fit* is the overlap of the landmarks with the box. Times are CPU times of one thread.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pandas as pd

from stages.lib.errors import InputError
from stages.lib.faces.detector import FACE_DETECTORS, DetectedFace
from stages.lib.faces.haar import detect_face
from stages.lib.faces.landmarks import Landmarker, make_landmarker
from stages.lib.faces.tracking import overlap
from stages.lib.faces.video_faces import LEAST_FIT
from stages.lib.runtime import progress

RUNS, RUN = (1 / 3, 2 / 3), 3  # where in a clip, and how many frames
EVERY_PHOTO = 10
FALSE = 0.2
R = TypeVar("R")


def _haar_at_full_size(frame: np.ndarray) -> DetectedFace | None:
    box = detect_face(frame, detection_side=10**6)
    return None if box is None else DetectedFace(box, box)


DETECTORS: dict[str, Callable[[np.ndarray], DetectedFace | None]] = {
    "blazeface": FACE_DETECTORS["blazeface"].largest,
    "haar": FACE_DETECTORS["haar"].largest,
    "haar, full size": _haar_at_full_size,
}


@dataclass
class Looked:
    """What one combination saw: of each frame its time, and box and landmarks where it found a face."""

    ms: list[float] = field(default_factory=list)
    faces: list[tuple[np.ndarray, np.ndarray] | None] = field(default_factory=list)
    fits: list[float] = field(default_factory=list)


Looks = dict[tuple[str, str], Looked]


def _timed(work: Callable[[], R]) -> tuple[R, float]:
    start = time.process_time()
    result = work()
    return result, 1000 * (time.process_time() - start)


def _look(frames: list[np.ndarray], backends: dict[str, Landmarker]) -> Looks:
    looks = {(detector, backend): Looked() for detector in DETECTORS for backend in backends}
    for frame in frames:
        for name, detect in DETECTORS.items():
            found, detecting = _timed(lambda detect=detect, frame=frame: detect(frame))  # type: ignore[misc]
            for backend, landmarks_of in backends.items():
                looked, placing = looks[name, backend], 0.0
                points = None if found is None else found.landmarks if backend == "mesh" else None
                if found is not None and points is None:
                    points, placing = _timed(lambda at=found.haar_box, of=landmarks_of, frame=frame: of(frame, at))  # type: ignore[misc]
                looked.ms.append(detecting + placing)
                looked.faces.append(None)
                if found is not None and points is not None:
                    low, high = points.min(axis=0), points.max(axis=0)
                    looked.fits.append(overlap(np.concatenate([low, high - low]), found.box))
                    if looked.fits[-1] >= LEAST_FIT:
                        looked.faces[-1] = (found.box, points)
    return looks


def _false_boxes(looks: Looks) -> dict[tuple[str, str], int]:
    """How many boxes of each combination lie apart from the median box of all."""
    boxes = {combination: [face[0] for face in looked.faces if face] for combination, looked in looks.items()}
    together = [box for found in boxes.values() for box in found]
    usual = np.median(together, axis=0) if together else np.zeros(4)
    return {combination: sum(overlap(box, usual) < FALSE for box in found) for combination, found in boxes.items()}


def _jitter(looked: Looked) -> Iterator[float]:
    for start in range(0, len(looked.faces), RUN):
        run = [face[1] for face in looked.faces[start : start + RUN] if face]
        if len(run) == RUN:
            eyes = run[1][42:48].mean(axis=0) - run[1][36:42].mean(axis=0)
            off = np.linalg.norm((run[0] + run[2]) / 2 - run[1], axis=1).mean()
            yield float(off / np.linalg.norm(eyes))


def _clip(path: Path) -> list[np.ndarray]:
    """Two runs of consecutive frames, BGR uint8."""
    capture = cv2.VideoCapture(str(path))
    n = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = {int(share * n) + at for share in RUNS for at in range(RUN)}
    frames = []
    for index in range(n):
        if not capture.grab():
            break
        if index in wanted:
            frames.append(capture.retrieve()[1])
    return frames if len(frames) == len(wanted) else []


def _table(groups: list[Looks], jitter: bool) -> pd.DataFrame:
    """A row for each combination; false boxes are counted group by group, a clip or all photos."""
    false = [_false_boxes(looks) for looks in groups]
    rows = []
    for combination in groups[0]:
        looked = [looks[combination] for looks in groups]
        faces = [face for one in looked for face in one.faces]
        fits = [fit for one in looked for fit in one.fits]
        off = [value for one in looked for value in _jitter(one)] if jitter else []
        rows.append(
            {
                "detector": combination[0],
                "landmarks": combination[1],
                "ms a frame": round(float(np.mean([ms for one in looked for ms in one.ms])), 1),
                "frames": len(faces),
                "with a face": sum(face is not None for face in faces),
                "false boxes": sum(found[combination] for found in false),
                "jitter": round(float(np.median(off)), 4) if off else "-",
                "fit, lowest 1 %": round(float(np.percentile(fits, 1)), 2) if fits else "-",
            }
        )
    return pd.DataFrame(rows)


def _haar_beside_mesh(groups: list[Looks]) -> str:
    """Where Haar draws its box of the same face, in long sides of the mesh's box."""
    sides, rises = [], []
    for looks in groups:
        pairs = zip(looks["blazeface", "mesh"].faces, looks["haar", "mesh"].faces, strict=True)
        for mesh, haar in ((one[0], other[0]) for one, other in pairs if one and other):
            long = mesh[2:].max()
            sides.append(haar[2] / long)
            rises.append((mesh[1] + mesh[3] / 2 - haar[1] - haar[3] / 2) / long)
    return f"Haar's box: {np.median(sides):.3f} long sides of the mesh's, {np.median(rises):.3f} above (medians)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="with videos (.mp4)")
    parser.add_argument("--photos", type=Path, help="folder with pictures (.jpg) of one face in the middle each")
    parser.add_argument("--models", nargs="*", default=[], help="ONNX files of 68 landmarks")
    arguments = parser.parse_args()
    videos = sorted(path for folder in arguments.folders for path in folder.rglob("*.mp4"))
    if not videos:
        raise InputError(f"{', '.join(map(str, arguments.folders))}: no .mp4 to measure with")
    cv2.setNumThreads(1)
    backends = {Path(name).name: make_landmarker(name) for name in ("mesh", "haar", *arguments.models)}
    warm_up = np.zeros((240, 320, 3), np.uint8)
    for detect in DETECTORS.values():
        detect(warm_up)
    clips = [_look(frames, backends) for video in progress(videos, "clips") if (frames := _clip(video))]
    print(f"{len(clips)} clips\n{_table(clips, jitter=True).to_string(index=False)}\n{_haar_beside_mesh(clips)}")
    if arguments.photos:
        photos = sorted(arguments.photos.rglob("*.jpg"))[::EVERY_PHOTO]
        images = [cv2.imread(str(path)) for path in photos]
        print(f"\n{len(photos)} photos\n{_table([_look(images, backends)], jitter=False).to_string(index=False)}")


if __name__ == "__main__":
    from stages.cli import run

    run(main)

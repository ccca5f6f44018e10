"""Does ``faces.select: track`` ever mix two people? Videos made of pairs of people of a ``manifest`` dataset.

``python -m benchmarks.tracking FOLDER [--detector haar]``. Of each real video and the one seven further on: side by
side, either larger in turn, and one after the other (a cut); each as filmed, and with the second's colours matched to
the first's.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from stages.lib.datasets.index import index_dataset
from stages.lib.faces.detector import FACE_DETECTORS
from stages.lib.faces.tracking import follow_person, head_colours
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import decompressed
from stages.lib.pseudo_fakes.synthesis import match_colour
from stages.lib.records import REAL
from stages.lib.runtime import progress

N_FRAMES, HEIGHT = 20, 360


def _frames(path: Path) -> list[np.ndarray]:
    frames = [frame.image for frame in decompressed(extract_frames(path, N_FRAMES).frames)]
    scale = HEIGHT / frames[0].shape[0]
    return [cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for frame in frames]


def _colours_of(frames: list[np.ndarray], model: np.ndarray) -> list[np.ndarray]:
    """The frames with the model's means and deviations of colour."""
    matched = []
    for frame in frames:
        everywhere = np.ones(frame.shape[:2], np.float32)
        target = cv2.resize(model, (frame.shape[1], frame.shape[0]), interpolation=cv2.INTER_AREA)
        matched.append(match_colour(frame[..., ::-1].copy(), target[..., ::-1].copy(), everywhere)[..., ::-1].copy())
    return matched


def _side_by_side(a: list[np.ndarray], b: list[np.ndarray]) -> list[tuple[np.ndarray, int]]:
    """Frames, and where the second person begins."""
    frames = []
    for t, (one, two) in enumerate(zip(a, b, strict=False)):
        scales = (0.6, 1.0) if t % 2 else (1.0, 0.6)
        parts = [cv2.resize(frame, None, fx=s, fy=s) for frame, s in zip((one, two), scales, strict=True)]
        frame = np.full((HEIGHT, sum(part.shape[1] for part in parts), 3), 90, np.uint8)
        frame[: parts[0].shape[0], : parts[0].shape[1]] = parts[0]
        frame[: parts[1].shape[0], parts[0].shape[1] :] = parts[1]
        frames.append((frame, parts[0].shape[1]))
    return frames


def _cut(a: list[np.ndarray], b: list[np.ndarray]) -> list[tuple[np.ndarray, int]]:
    half = len(a) // 2
    return [(frame, frame.shape[1]) for frame in a[:half]] + [(frame, 0) for frame in b[half:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", choices=FACE_DETECTORS, default="blazeface")
    arguments = parser.parse_args()
    folder = arguments.folder
    detector = FACE_DETECTORS[arguments.detector]
    videos = [_frames(folder / row["path"]) for row in index_dataset("manifest", folder) if row["label"] == REAL]
    for arrange in (_side_by_side, _cut):
        for matched in (False, True):
            mixed, largest_mixed, lost, found_of_one = 0, 0, 0, 0
            for at, a in enumerate(progress(videos, arrange.__name__)):
                b = videos[(at + 7) % len(videos)]
                frames = arrange(a, _colours_of(b, a[0]) if matched else b)
                boxes = [[face.box for face in detector.all(frame)] for frame, _ in frames]
                colours = [
                    [head_colours(frame, box) for box in found] for (frame, _), found in zip(frames, boxes, strict=True)
                ]
                who = [
                    [box[0] + box[2] / 2 > edge for box in found]
                    for (_, edge), found in zip(frames, boxes, strict=True)
                ]
                chosen = [who[t][c] for t, c in enumerate(follow_person(boxes, colours)) if c is not None]
                mixed += len(set(chosen)) > 1
                largest_mixed += len({people[0] for people in who if people}) > 1
                visible = sum(max(set(chosen), key=chosen.count) in people for people in who)
                lost, found_of_one = lost + visible - len(chosen), found_of_one + visible
            how = f"{arrange.__name__.strip('_')}, colours {'matched' if matched else 'as filmed'}"
            print(
                f"{how}: {len(videos)} videos; two people mixed in {mixed} by tracking, in {largest_mixed} by the "
                f"largest face; {lost} of {found_of_one} frames lost"
            )


if __name__ == "__main__":
    main()

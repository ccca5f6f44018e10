"""Consistency in time: following one person through a video in which several faces appear, and boxes that jump.

The paper takes the largest face of each frame (section 4.1), so a pair may show two people where two come near the
camera in turn. Frames are up to seconds apart, and shots may change between them, so where a face was says little: who
it is, is told by the colours of head and hair first, by position second.
"""

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

SAME_PERSON = 0.25  # at most, between the colours of one person's heads; docs/results.md says where it comes from
_MOVE_COST = 0.1  # of a face that moved by its own width or more, in units of the colours' distance
JUMP, SAME_PLACE = 0.25, 0.5  # intersection over union of a box and those of the frames beside it
_BINS = (4, 8, 8)
_RANGES = [0, 256, 64, 192, 64, 192]  # of L, a, b as 8 bit; skin and hair lie in the middle of a and b


def head_colours(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Histogram of the CIELAB colours of a head, float32 (256,), summing to 1.

    ``frame``: BGR uint8 (h, w, 3); ``box``: the detector's box (4,). The head is the box and the hair above it.
    """
    x, y, width, height = box
    top, bottom = int(max(y - 0.35 * height, 0)), int(y + 1.1 * height)
    left, right = int(max(x - 0.1 * width, 0)), int(x + 1.1 * width)
    lab = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2LAB)
    histogram = cv2.calcHist([lab], [0, 1, 2], None, _BINS, _RANGES).ravel()
    return histogram / max(float(histogram.sum()), 1.0)


def colour_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Bhattacharyya distance of two histograms of :func:`head_colours`, in [0, 1]."""
    return float(cv2.compareHist(a, b, cv2.HISTCMP_BHATTACHARYYA))


class _Track:
    def __init__(self, frame: int, detection: int, box: np.ndarray, colours: np.ndarray):
        self.chosen, self.box, self.colours, self.area = {frame: detection}, box, colours, float(box[2] * box[3])

    def cost(self, box: np.ndarray, colours: np.ndarray) -> float:
        """How unlike this person a face is; infinite for another's."""
        distance = colour_distance(self.colours, colours)
        if distance > SAME_PERSON:
            return np.inf
        moved = np.linalg.norm((box[:2] + box[2:] / 2) - (self.box[:2] + self.box[2:] / 2)) / max(box[2], self.box[2])
        return float(distance + _MOVE_COST * min(moved, 1.0))

    def add(self, frame: int, detection: int, box: np.ndarray, colours: np.ndarray) -> None:
        n = len(self.chosen)
        self.chosen[frame], self.box, self.colours = detection, box, (n * self.colours + colours) / (n + 1)
        self.area += float(box[2] * box[3])


def follow_person(boxes: list[list[np.ndarray]], colours: list[list[np.ndarray]]) -> list[int | None]:
    """Which face of each frame is the person who takes up most of the video, None where that person is not found.

    ``boxes``: for each frame the boxes (4,) of its faces; ``colours``: for each the :func:`head_colours`. Faces of a
    frame are assigned to the people known so far, each to one at most, at the least total cost; a face unlike all of
    them is a new person. The one with the largest sum of box areas is followed.
    """
    tracks: list[_Track] = []
    for frame, (found, heads) in enumerate(zip(boxes, colours, strict=True)):
        costs = np.array([[track.cost(*face) for face in zip(found, heads, strict=True)] for track in tracks])
        assigned = {}
        if costs.size:
            # The assignment needs finite costs; 9 is more than any sum that could be worth it.
            for track, detection in zip(*linear_sum_assignment(np.where(np.isinf(costs), 9.0, costs)), strict=True):
                if np.isfinite(costs[track, detection]):
                    assigned[detection] = tracks[track]
        for detection, face in enumerate(zip(found, heads, strict=True)):
            if detection in assigned:
                assigned[detection].add(frame, detection, *face)
            else:
                tracks.append(_Track(frame, detection, *face))
    if not tracks:
        return [None] * len(boxes)
    person = max(tracks, key=lambda track: track.area)
    return [person.chosen.get(frame) for frame in range(len(boxes))]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,), in [0, 1]."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    shared = float((high - low).clip(0).prod())
    return shared / (float(one[2:].prod() + other[2:].prod()) - shared)


def jumps(boxes: np.ndarray) -> np.ndarray:
    """Which of a video's boxes, float64 (n, 4) in the order of time, are elsewhere for one frame: bool (n,).

    Such a box shares little with those before and after it, which agree with each other: what was found in between is
    hardly the same face. A face that moves on, or a cut to another shot, isn't one.
    """
    jumped = np.zeros(len(boxes), bool)
    for at in range(1, len(boxes) - 1):
        before, box, after = boxes[at - 1 : at + 2]
        jumped[at] = max(overlap(before, box), overlap(box, after)) < JUMP < SAME_PLACE < overlap(before, after)
    return jumped

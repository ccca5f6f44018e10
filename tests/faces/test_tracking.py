"""One person is followed: through faces that grow and shrink in turn, that cross, and across cuts; boxes that jump."""

import cv2
import numpy as np
import pytest

from stages.lib.faces.haar import detect_face, detect_faces
from stages.lib.faces.tracking import colour_distance, follow_person, head_colours, jumps, overlap
from tests.helpers.videos import portrait


def _people() -> list[np.ndarray]:
    """Two heads, BGR uint8 (220, 200, 3): the astronaut and the rear admiral."""
    import matplotlib.cbook

    admiral = cv2.imread(str(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    heads = (portrait()[20:185, 150:300], admiral[0:430, 90:480])
    return [cv2.resize(head, (200, 220), interpolation=cv2.INTER_AREA) for head in heads]


def _frame(*placed: tuple[int, float, int]) -> tuple[np.ndarray, list[tuple[float, int]]]:
    """A frame (300, 560) with heads at (person, scale, left); and each head's (centre, person)."""
    frame, centres = np.full((300, 560, 3), 110, np.uint8), []
    for person, scale, left in placed:
        head = cv2.resize(_people()[person], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        frame[30 : 30 + head.shape[0], left : left + head.shape[1]] = head
        centres.append((left + head.shape[1] / 2, person))
    return frame, centres


def _in_turn(n: int) -> list:
    """Side by side; the larger one is now this, now that."""
    return [_frame((0, (0.6, 1.2)[t % 2], 20 + t), (1, (1.2, 0.6)[t % 2], 300 - t)) for t in range(n)]


def _cut(n: int) -> list:
    """One person in the first part, the other in the same place after the cut, for less long."""
    return [_frame((int(t >= 0.6 * n), 1.2, 150 + t)) for t in range(n)]


def _crossing(n: int) -> list:
    """They change sides, one hiding the other in the middle."""
    frames = []
    for t in range(n):
        left = int(20 + 300 * t / (n - 1))
        frames.append(_frame((1, 0.9, 340 - left), (0, 1.1, left)))
    return frames


def _follow(video: list) -> tuple[list[int | None], list[int | None]]:
    """Who is followed in each frame of a video, and who has the largest face; None where nobody."""

    def who(box: np.ndarray, centres: list[tuple[float, int]]) -> int:
        return min(centres, key=lambda one: abs(one[0] - (box[0] + box[2] / 2)))[1]

    boxes = [list(detect_faces(frame)) for frame, _ in video]
    colours = [[head_colours(frame, box) for box in found] for (frame, _), found in zip(video, boxes, strict=True)]
    chosen = follow_person(boxes, colours)
    followed = [
        None if at is None else who(found[at], c) for at, found, (_, c) in zip(chosen, boxes, video, strict=True)
    ]
    largest = [who(found[0], centres) if len(found) else None for found, (_, centres) in zip(boxes, video, strict=True)]
    return followed, largest


@pytest.mark.parametrize("make", [_in_turn, _cut, _crossing])
def test_the_faces_of_a_video_with_two_people_are_one_persons(make):
    video = make(20)
    followed, largest = _follow(video)
    people = [person for person in followed if person is not None]
    assert len(set(people)) == 1
    assert len(people) >= 9
    if make is not _crossing:
        assert set(largest) - {None} == {0, 1}  # the largest face would have mixed them


def test_the_person_who_takes_up_most_of_the_video_is_followed():
    assert set(_follow(_cut(20))[0]) == {0, None}


def test_a_lone_person_is_followed_in_every_frame():
    video = [_frame((1, 1.0, 40 + 15 * t)) for t in range(12)]
    assert _follow(video)[0] == [1] * 12


def test_no_faces_at_all():
    assert follow_person([[]] * 3, [[]] * 3) == [None, None, None]
    assert follow_person([], []) == []


def test_a_look_is_a_distribution_and_its_own_nearest():
    frame, _ = _frame((0, 1.0, 30), (1, 1.0, 300))
    colours = [head_colours(frame, box) for box in detect_faces(frame)]
    assert len(colours) == 2
    assert all(look.sum() == pytest.approx(1, abs=1e-5) for look in colours)
    assert colour_distance(colours[0], colours[0]) == pytest.approx(0, abs=1e-3)
    assert colour_distance(*colours) > 0.25


def test_all_faces_come_largest_first_and_the_first_is_the_largest_face():
    frame, _ = _frame((0, 0.6, 30), (1, 1.2, 280))
    boxes = detect_faces(frame)
    assert len(boxes) == 2
    assert boxes[0][2] > boxes[1][2]
    np.testing.assert_allclose(detect_face(frame), boxes[0], atol=0.15 * boxes[0][2])


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 10, 10), 50 / 150),
        ((2, 2, 5, 5), 0.25),
        ((10, 0, 10, 10), 0.0),
        ((40, 40, 10, 10), 0.0),
    ],
)
def test_overlap_is_the_shared_area_over_the_covered_one(other, shared):
    assert overlap(np.array([0.0, 0, 10, 10]), np.array(other, float)) == pytest.approx(shared)


HERE, THERE = (100.0, 100.0, 80.0, 80.0), (240.0, 60.0, 30.0, 30.0)


@pytest.mark.parametrize(
    ("boxes", "jumped"),
    [
        ([HERE, HERE, THERE, HERE], [2]),
        ([HERE, (110.0, 110.0, 20.0, 20.0), HERE], [1]),  # an eye of the face
        ([HERE, HERE, THERE, THERE], []),  # a cut
        ([HERE, THERE, HERE, THERE, HERE], [1, 2, 3]),  # nobody can tell which is the face
        ([(100.0 + 30 * t, 100.0, 80.0, 80.0) for t in range(6)], []),  # a face that moves fast
        ([(100.0 + 70 * t, 100.0, 80.0, 80.0) for t in range(6)], []),  # faster than the frames can follow
        ([THERE, HERE, HERE], []),  # before the first frame nothing is known
        ([HERE, THERE], []),
        ([], []),
    ],
)
def test_a_box_jumps_that_is_elsewhere_for_one_frame(boxes, jumped):
    assert np.flatnonzero(jumps(np.array(boxes).reshape(-1, 4))).tolist() == jumped

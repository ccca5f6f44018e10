"""The demo's people: they differ, move, and are rendered as they are."""

import cv2
import numpy as np

from stages.lib.demo.face import HEAD, load_portraits, make_person, photograph, posed_points, render
from stages.lib.demo.performance import make_performance
from stages.lib.demo.warp import SIZE
from stages.lib.faces.detector import FACE_DETECTORS


def test_people_differ_in_geometry_and_look():
    portraits = load_portraits()
    people = [make_person(portraits, np.random.default_rng(i)) for i in range(6)]
    for i, a in enumerate(people):
        for b in people[:i]:
            assert np.linalg.norm(a.landmarks - b.landmarks, axis=1).mean() > 1.0
            assert np.abs(a.still - b.still).mean() > 0.03


def test_rendering_at_rest_is_the_still():
    person = make_person(load_portraits(), np.random.default_rng(0))
    frame = render(person, person.landmarks, HEAD)
    still = cv2.resize(person.still, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert np.abs(frame - still)[50:300, 50:300].mean() < 0.02


def test_the_head_moves_and_the_face_stays_findable():
    rng = np.random.default_rng(0)
    person, play = make_person(load_portraits(), rng), make_performance(50, 25.0, rng)
    tips = np.array([posed_points(person, play, t)[0][30] for t in range(50)])
    assert np.ptp(tips, axis=0).max() > 5
    assert np.abs(np.diff(tips, axis=0)).max() < 6  # moves, without jumps
    frame = (render(person, *posed_points(person, play, 25)) * 255).clip(0, 255).astype(np.uint8)
    assert all(detector.largest(frame) is not None for detector in FACE_DETECTORS.values())


def test_a_photograph_shows_the_moment_it_was_taken():
    rng = np.random.default_rng(0)
    person, play = make_person(load_portraits(), rng), make_performance(50, 25.0, rng)
    then = posed_points(person, play, 20)
    photo = photograph(person, *then)
    assert np.abs(render(photo, *then) - render(person, *then))[10:-10, 10:-10].mean() < 0.01
    assert np.abs(render(photo, *posed_points(person, play, 5)) - render(person, *then)).mean() > 0.01

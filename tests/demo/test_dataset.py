"""The demo dataset: who is where, that fakes are made as planned, and that nothing trivial tells them apart."""

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from stages.lib.demo.dataset import DemoVideo, make_videos, plan_videos
from stages.lib.records import FAKE, REAL

PEOPLE = plan_videos({"train": 3, "val": 2, "test": 10})
PLAN = [video for person in PEOPLE for video in person]
METHODS = [
    *("swap-1", "swap-2", "swap-3", "lips-1", "lips-2", "lips-3"),
    *("animated-1", "animated-2", "animated-3"),
]


def test_people_are_disjoint_between_splits_and_only_test_has_fakes():
    people = defaultdict(set)
    for video in PLAN:
        people[video.split] |= {video.identity} | ({video.donor} - {""})
    assert not people["train"] & people["val"]
    assert not (people["train"] | people["val"]) & people["test"]
    assert {video.split for video in PLAN if video.label == FAKE} == {"test"}
    assert all(video.donor != video.identity for video in PLAN)


def test_every_test_person_has_a_real_video_and_a_fake_of_each_of_nine_methods():
    tested = [person for person in PEOPLE if person[0].split == "test"]
    assert len(tested) == 10
    assert all([video.method for video in person] == ["", *METHODS] for person in tested)
    assert all(len({video.identity for video in person}) == 1 for person in tested)


@pytest.mark.parametrize("method", METHODS)
def test_a_fake_names_the_real_video_of_its_person_and_its_family(method):
    real_of = {video.identity: video.path for video in PLAN if video.label == REAL}
    fakes = [video for video in PLAN if video.method == method]
    family = method.split("-")[0]
    assert {(video.original, video.family) for video in fakes} == {(real_of[one.identity], family) for one in fakes}


@dataclass(frozen=True)
class Measured:
    """Of a video: what one can tell without looking at its content, and the mean absolute difference from its
    original.
    """

    facts: dict[str, float]
    change: float


def _decode(path) -> tuple[np.ndarray, float]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (got := capture.read())[0]:
        frames.append(got[1])
    return np.array(frames), capture.get(cv2.CAP_PROP_FPS)


@pytest.fixture(scope="module")
def test_split(tmp_path_factory) -> dict[DemoVideo, Measured]:
    """Ten people's reals and their fakes."""
    root, measured = tmp_path_factory.mktemp("demo"), {}
    for person in PEOPLE:
        if person[0].split != "test":
            continue
        make_videos(root, person, (20, 26), seed=0)
        original, _ = _decode(root / person[0].path)
        for video in person:
            frames, fps = _decode(root / video.path)
            n, height, width, _ = frames.shape
            blue, green, red = frames.mean(axis=(0, 1, 2))
            size = (root / video.path).stat().st_size
            facts = {"file size": size, "bytes per frame": size / n, "frames": n, "fps": fps}
            facts |= {"height": height, "width": width, "brightness": (blue + green + red) / 3}
            facts |= {"blue": blue, "green": green, "red": red}
            change = np.abs(frames[::5].astype(float) - original[::5]).mean()
            measured[video] = Measured(facts, change)
    return measured


@pytest.mark.parametrize("method", METHODS)
def test_nothing_trivial_tells_reals_from_fakes(test_split, method):
    reals = [measured.facts for video, measured in test_split.items() if video.label == REAL]
    fakes = [measured.facts for video, measured in test_split.items() if video.method == method]
    for fact in reals[0]:
        real, fake = ([facts[fact] for facts in group] for group in (reals, fakes))
        u = mannwhitneyu(fake, real).statistic / (len(real) * len(fake))
        assert 0.25 < u < 0.75, f"{fact} alone has an AUC of {u:.2f}"


@pytest.mark.parametrize("family", ["swap", "lips", "animated"])
def test_the_strongest_fake_changes_its_original_more_than_the_weakest(test_split, family):
    change = {(video.method, video.identity): measured.change for video, measured in test_split.items()}
    people = {identity for _, identity in change}
    assert all(change[f"{family}-3", one] > change[f"{family}-1", one] for one in people)


@pytest.fixture(scope="module")
def drifts(tmp_path_factory) -> dict[str, np.ndarray]:
    """By method, of five people: how much further apart in mean colour, in levels, frames half a video apart are than
    neighbours.
    """
    root, found = tmp_path_factory.mktemp("drift"), defaultdict(list)
    for person in PEOPLE[5:10]:
        videos = [video for video in person if video.method in ("", "animated-1", "animated-2", "animated-3")]
        make_videos(root, videos, (44, 50), seed=0)
        for video in videos:
            colour = _decode(root / video.path)[0].mean(axis=(1, 2))
            far, near = (np.abs(colour[gap:] - colour[:-gap]).mean() for gap in (len(colour) // 2, 1))
            found[video.method].append(far - near)
    return {method: np.array(values) for method, values in found.items()}


def test_real_videos_drift_in_colour(drifts):
    assert drifts[""].min() > 1.0


@pytest.mark.parametrize(("method", "share"), [("animated-3", 0.4), ("animated-2", 0.75)])
def test_an_animated_picture_drifts_less_in_colour_than_its_original(drifts, method, share):
    assert (drifts[method] < share * drifts[""]).all()


def test_the_weakest_animated_picture_keeps_most_of_the_drift(drifts):
    assert drifts["animated-1"].mean() > 0.75 * drifts[""].mean()


@pytest.mark.parametrize("method", ["swap-3", "lips-3"])
def test_pasted_fakes_are_their_targets_outside_the_face(tmp_path, method):
    person = [video for video in PEOPLE[5] if video.method in ("", method)]
    make_videos(tmp_path, person, (4, 4), seed=0)
    real, fake = (_decode(tmp_path / video.path)[0][0].astype(float) for video in person)
    difference = cv2.GaussianBlur(np.abs(real - fake).mean(axis=2), (0, 0), 4)
    assert difference[150:250, 140:210].mean() > 2 * difference[10:60, 10:60].mean()


def test_a_videos_bytes_depend_on_seed_and_video_alone(tmp_path):
    real, swap, animated = PEOPLE[5][0], PEOPLE[5][3], PEOPLE[5][9]
    contents = {}
    for folder, runs, seed in (
        ("together", [[swap, animated, real]], 0),
        ("apart", [[animated], [swap], [real]], 0),
        ("other seed", [[real, swap, animated]], 1),
    ):
        for videos in runs:
            make_videos(tmp_path / folder, videos, (3, 4), seed)
        contents[folder] = [(tmp_path / folder / video.path).read_bytes() for video in (real, swap, animated)]
    assert contents["together"] == contents["apart"]
    assert all(a != b for a, b in zip(contents["together"], contents["other seed"], strict=True))

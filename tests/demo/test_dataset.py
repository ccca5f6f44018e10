"""The demo dataset: who is where, that fakes are made as planned, and that nothing trivial tells them apart."""

from collections import defaultdict

import cv2
import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from stages.lib.demo.dataset import DemoVideo, make_video, plan_videos
from stages.lib.records import FAKE, REAL

PLAN = plan_videos({"train": 3, "val": 2, "test": 12})


def test_people_are_disjoint_between_splits_and_only_test_has_fakes():
    people = defaultdict(set)
    for video in PLAN:
        people[video.split] |= {video.identity} | ({video.donor} - {""})
    assert not people["train"] & people["val"]
    assert not (people["train"] | people["val"]) & people["test"]
    assert {video.split for video in PLAN if video.label == FAKE} == {"test"}
    assert {video.method for video in PLAN} == {"", "swap", "mouth"}
    assert all(video.donor != video.identity for video in PLAN)


@pytest.mark.parametrize(("method", "family"), [("swap", "swap"), ("mouth", "lips")])
def test_a_fake_names_the_real_video_of_its_person_and_its_family(method, family):
    real_of = {video.identity: video.path for video in PLAN if video.label == REAL}
    fakes = [video for video in PLAN if video.method == method]
    assert {(video.original, video.family) for video in fakes} == {(real_of[one.identity], family) for one in fakes}


@pytest.fixture(scope="module")
def test_split(tmp_path_factory) -> dict[DemoVideo, dict[str, float]]:
    """What one can measure of a video without looking at its content, for 12 reals and 24 fakes."""
    root = tmp_path_factory.mktemp("demo")
    videos = [video for video in PLAN if video.split == "test"]
    for video in videos:
        make_video(root, video, (24, 36), seed=0)
    measured = {}
    for video in videos:
        capture, means, size = cv2.VideoCapture(str(root / video.path)), [], set()
        while (got := capture.read())[0]:
            means.append(got[1].mean(axis=(0, 1)))
            size.add(got[1].shape)
        blue, green, red = np.mean(means, axis=0)
        facts = {
            "file size": (root / video.path).stat().st_size,
            "frames": len(means),
            "fps": capture.get(cv2.CAP_PROP_FPS),
        }
        facts |= {
            "height": min(size)[0],
            "width": min(size)[1],
            "brightness": np.mean(means),
            "blue": blue,
            "green": green,
            "red": red,
        }
        measured[video] = {**facts, "bytes per frame": facts["file size"] / facts["frames"]}
    return measured


@pytest.mark.parametrize("method", ["swap", "mouth"])
def test_nothing_trivial_tells_reals_from_fakes(test_split, method):
    reals = [facts for video, facts in test_split.items() if video.label == REAL]
    fakes = [facts for video, facts in test_split.items() if video.method == method]
    for fact in reals[0]:
        real, fake = ([facts[fact] for facts in group] for group in (reals, fakes))
        u = mannwhitneyu(fake, real).statistic / (len(real) * len(fake))
        assert 0.25 < u < 0.75, f"{fact} alone has an AUC of {u:.2f}"


def test_fakes_are_their_targets_outside_the_face(tmp_path):
    real, fake = (next(v for v in PLAN if v.identity == "person005" and v.method == m) for m in ("", "swap"))
    frames = []
    for video in (real, fake):
        make_video(tmp_path, video, (4, 4), seed=0)
        frames.append(cv2.VideoCapture(str(tmp_path / video.path)).read()[1].astype(float))
    difference = cv2.GaussianBlur(np.abs(frames[0] - frames[1]).mean(axis=2), (0, 0), 4)
    assert difference[150:200, 140:210].mean() > 2 * difference[10:60, 10:60].mean()


def test_a_videos_bytes_depend_on_seed_and_video_alone(tmp_path):
    videos, contents = PLAN[:2], {}
    for folder, order, seed in (("a", videos, 0), ("b", videos[::-1], 0), ("c", videos, 1)):
        for video in order:
            make_video(tmp_path / folder, video, (3, 4), seed)
        contents[folder] = [(tmp_path / folder / video.path).read_bytes() for video in videos]
    assert contents["a"] == contents["b"] != contents["c"]

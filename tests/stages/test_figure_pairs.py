"""The paper's first figure, from two videos."""

import numpy as np
import pytest

import stages.figure_pairs
from stages.figure_pairs import choose
from stages.lib.detection.changes import Change
from stages.lib.detection.verdict import Pair
from stages.lib.errors import InputError
from tests.helpers.videos import face_frames, noise_frames, write_video


def _shown(score: float, motion: float = 0.0, light: float = 0.0, boundary: float = 0.0) -> tuple[Pair, Change]:
    return Pair(0, 1, score), Change(np.empty(0), motion, light, boundary)


def test_the_natural_change_is_the_largest_motion_of_typical_pairs():
    real = [_shown(0, motion=1), _shown(1, motion=2), _shown(2, motion=3), _shown(3, motion=4)]
    assert choose(real, [_shown(0), _shown(0)])["natural change"] is real[1]


def test_the_fakes_pairs_are_two_and_break_most():
    fake = [_shown(0, light=1, boundary=5), _shown(0, light=9, boundary=9), _shown(0, light=2, boundary=6)]
    chosen = choose([_shown(0)], fake)
    assert chosen["largest break of light"] is fake[1] and chosen["largest break at the boundary"] is fake[2]


def test_a_fake_with_one_pair_shows_it_twice():
    (one,) = fake = [_shown(0)]
    assert [pair for _, (pair, _) in choose([_shown(0)], fake).items()][1:] == [one[0], one[0]]


def _run(monkeypatch, ran, *arguments):
    monkeypatch.setattr("sys.argv", ["figure_pairs", *map(str, arguments), "--models", str(ran / "models")])
    stages.figure_pairs.main()


def test_two_videos_give_a_figure(monkeypatch, ran, tmp_path):
    real, fake = (write_video(tmp_path / name, face_frames(30)) for name in ("real.mp4", "fake.mp4"))
    _run(monkeypatch, ran, real, fake, "--out", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 50_000


def test_a_video_without_pairs_is_named_with_its_reason(monkeypatch, ran, tmp_path):
    real, none = write_video(tmp_path / "r.mp4", face_frames(30)), write_video(tmp_path / "n.mp4", noise_frames(20))
    with pytest.raises(InputError, match=r"n\.mp4: has no pairs to show: .*face"):
        _run(monkeypatch, ran, real, none, "--out", tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()


def test_it_writes_over_no_video(monkeypatch, ran, tmp_path):
    real = write_video(tmp_path / "r.mp4", face_frames(30))
    with pytest.raises(InputError, match="is one of the videos"):
        _run(monkeypatch, ran, real, real, "--out", real)

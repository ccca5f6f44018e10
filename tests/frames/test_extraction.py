"""Frame choice, decoding, and lossless storage."""

import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from stages.lib.frames.extraction import extract_frames, list_pictures, shrunk
from stages.lib.frames.pictures import equally_spaced
from stages.lib.frames.storage import decompress_frame, read_frames, write_frames
from stages.lib.reasons import TRUNCATED, VideoReject
from tests.helpers.videos import counting_frames, noise_frames, write_video


@pytest.mark.parametrize("n_total", [1, 2, 39, 40, 41, 79, 100, 1001])
def test_equally_spaced_takes_the_middle_of_each_part(n_total):
    n = min(n_total, 40)
    expected = [int(Fraction(2 * i + 1, 2 * n) * n_total) for i in range(n)]
    assert equally_spaced(n_total, 40).tolist() == expected
    assert len(set(expected)) == n


def test_equally_spaced_of_nothing_is_empty():
    assert equally_spaced(0, 40).tolist() == []


def test_takes_the_right_frames_in_order_with_their_times(tmp_path):
    path = write_video(tmp_path / "v.mp4", counting_frames(100))
    video = extract_frames(path, 10)
    assert [row["frame_index"] for row in video.frames] == [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]
    assert [row["time_s"] for row in video.frames] == pytest.approx([i / 25 for i in range(5, 100, 10)])
    write_frames(tmp_path / "v.parquet", video.frames)
    levels = [frame.image.mean() / 2 for frame in read_frames(tmp_path / "v.parquet")]
    assert levels == pytest.approx(range(5, 100, 10), abs=2.0)
    assert (video.n_decoded, video.n_declared, video.width, video.height) == (100, 100, 96, 64)
    assert video.note is None
    assert video.reject_reason is None


@pytest.mark.parametrize(
    ("shape", "max_side", "expected"),
    [
        ((64, 96), 48, (32, 48)),
        ((96, 64), 48, (48, 32)),
        ((64, 96), 96, (64, 96)),
        ((64, 96), 0, (64, 96)),
        ((65, 97), 50, (34, 50)),
        ((1, 400), 40, (1, 40)),
    ],
)
def test_a_frame_is_shrunk_to_its_longer_side(shape, max_side, expected):
    assert shrunk(np.zeros((*shape, 3), np.uint8), max_side).shape[:2] == expected


def test_a_pixel_of_a_shrunk_frame_is_the_mean_of_those_it_covers():
    frame = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    expected = frame.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk(frame, 6), expected, atol=0.51)


@pytest.mark.parametrize("as_folder", [False, True])
def test_kept_frames_are_shrunk_and_the_videos_size_stays_known(tmp_path, as_folder):
    path = tmp_path / "v"
    if as_folder:
        path.mkdir()
        for n, frame in enumerate(counting_frames(8)):
            cv2.imwrite(str(path / f"{n}.png"), frame)
    else:
        path = write_video(tmp_path / "v.mp4", counting_frames(8))
    video = extract_frames(path, 4, max_side=48)
    assert {(row["width"], row["height"]) for row in video.frames} == {(48, 32)}
    assert (video.width, video.height) == (96, 64)


def test_agrees_with_a_plain_read_through(tmp_path):
    path = write_video(tmp_path / "v.mp4", noise_frames(50))
    capture, plain = cv2.VideoCapture(str(path)), []
    while (got := capture.read())[0]:
        plain.append(got[1])
    write_frames(tmp_path / "v.parquet", extract_frames(path, 7).frames)
    for frame in read_frames(tmp_path / "v.parquet"):
        np.testing.assert_array_equal(frame.image, plain[frame.frame_index])


def test_a_short_video_gives_each_frame_once(tmp_path):
    video = extract_frames(write_video(tmp_path / "v.mp4", counting_frames(7)), 40)
    assert [row["frame_index"] for row in video.frames] == list(range(7))


def test_an_odd_sized_video_decodes(tmp_path):
    video = extract_frames(
        write_video(tmp_path / "v.avi", noise_frames(12, (121, 97)), codec="MJPG", backend=cv2.CAP_OPENCV_MJPEG), 5
    )
    assert (video.height, video.width, len(video.frames)) == (121, 97, 5)


def test_a_video_cut_in_the_middle_gives_equally_spaced_frames_of_what_is_there(tmp_path):
    whole = write_video(tmp_path / "whole.avi", noise_frames(80), codec="MJPG")
    data = whole.read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    video = extract_frames(cut, 10)
    assert video.note == TRUNCATED
    assert video.reject_reason is None
    assert 20 < video.n_decoded < 60
    assert [row["frame_index"] for row in video.frames] == equally_spaced(video.n_decoded, 10).tolist()


def test_an_mp4_cut_before_its_index_is_unreadable(tmp_path):
    data = write_video(tmp_path / "whole.mp4", noise_frames(40)).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    assert extract_frames(cut, 10).reject_reason == VideoReject.UNREADABLE


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, VideoReject.MISSING_FILE), (b"", VideoReject.EMPTY_FILE), (b"no video " * 99, VideoReject.UNREADABLE)],
)
def test_what_is_no_video_has_its_reason(tmp_path, content, reason):
    path = tmp_path / "v.mp4"
    if content is not None:
        path.write_bytes(content)
    video = extract_frames(path, 10)
    assert video.reject_reason == reason
    assert video.frames == []


def test_variable_frame_rate_keeps_presentation_times(tmp_path):
    # Two frame rates in one file: 10 frames at 25 fps, then 10 at 5 fps, by rewriting the MP4's table of durations.
    path = write_video(tmp_path / "v.mp4", counting_frames(20))
    data = bytearray(path.read_bytes())
    at = data.index(b"stts")
    count, n, delta = (int.from_bytes(data[at + k : at + k + 4], "big") for k in (8, 12, 16))
    assert (count, n) == (1, 20)
    mdat = data.index(b"mdat")
    assert mdat < at, "the table stands behind the pixels, so it can grow without moving them"
    grown = (2).to_bytes(4, "big") + b"".join(v.to_bytes(4, "big") for v in (10, delta, 10, 5 * delta))
    data[at + 8 : at + 20] = grown
    size_of_stts = int.from_bytes(data[at - 4 : at], "big")
    data[at - 4 : at] = (size_of_stts + 8).to_bytes(4, "big")
    for box in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        where = data.rindex(box, 0, at)
        data[where - 4 : where] = (int.from_bytes(data[where - 4 : where], "big") + 8).to_bytes(4, "big")
    data = data.replace(b"edts", b"free")  # the edit list holds the old duration
    path.write_bytes(data)
    times = [row["time_s"] for row in extract_frames(path, 20).frames]
    steps = np.diff(times)
    assert len(times) == 20
    assert steps[:9] == pytest.approx([0.04] * 9, abs=1e-3)
    assert steps[11:] == pytest.approx([0.2] * 8, abs=1e-3)


def test_decoding_leaves_no_torch_behind():
    code = "import sys, stages.lib.frames.extraction, stages.lib.faces.detector; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_of_frames_is_a_video(tmp_path):
    for n, frame in enumerate(counting_frames(20)):
        cv2.imwrite(str(tmp_path / f"{n:03d}.png"), frame)
    (tmp_path / "notes.txt").write_text("no frame")
    video = extract_frames(tmp_path, 5)
    assert [row["frame_index"] for row in video.frames] == [2, 6, 10, 14, 18]
    assert [row["time_s"] for row in video.frames] == pytest.approx([n / 25 for n in (2, 6, 10, 14, 18)])
    frames = [decompress_frame(row["zstd"], row["height"], row["width"]) for row in video.frames]
    assert [frame.mean() / 2 for frame in frames] == [2, 6, 10, 14, 18]  # PNG has no loss
    assert (video.n_decoded, video.width, video.height, video.reject_reason) == (20, 96, 64, None)


def test_a_folder_without_frames_or_with_a_broken_one_is_rejected(tmp_path):
    assert extract_frames(tmp_path, 5).reject_reason == VideoReject.NO_FRAMES
    (tmp_path / "000.png").write_bytes(b"not an image")
    video = extract_frames(tmp_path, 5)
    assert video.reject_reason == VideoReject.UNREADABLE
    assert video.frames == []


def test_progress_is_told_and_a_video_that_is_too_long_is_not_decoded(tmp_path):
    path, told = write_video(tmp_path / "v.mp4", counting_frames(110)), []
    assert len(extract_frames(path, 5, 4.5, lambda *counts: told.append(counts)).frames) == 5
    assert told == [(50, 110), (100, 110)]
    video = extract_frames(path, 5, 4.3, lambda *counts: told.append(counts))
    assert (video.reject_reason, video.n_decoded, video.n_declared, video.frames) == (VideoReject.TOO_LONG, 0, 110, [])
    assert len(told) == 2


def test_frames_whose_numbers_have_no_zeros_ahead_keep_their_order_and_their_numbers(tmp_path):
    for n, frame in enumerate(counting_frames(12)):
        cv2.imwrite(str(tmp_path / f"{n}.png"), frame)
    video = extract_frames(tmp_path, 12)
    assert [row["frame_index"] for row in video.frames] == list(range(12))
    levels = [decompress_frame(row["zstd"], row["height"], row["width"]).mean() / 2 for row in video.frames]
    assert levels == list(range(12))


def test_listing_pictures_reads_none(tmp_path):
    (tmp_path / "000.png").write_bytes(b"not an image")
    video = list_pictures(tmp_path)
    assert (video.n_decoded, video.n_declared, video.reject_reason, video.frames) == (1, 1, None, [])


@pytest.mark.parametrize(
    ("there", "reason"), [(True, VideoReject.NO_FRAMES), (False, VideoReject.MISSING_FILE)], ids=["empty", "missing"]
)
def test_a_folder_without_pictures_has_its_reason(tmp_path, there, reason):
    assert list_pictures(tmp_path if there else tmp_path / "none").reject_reason == reason

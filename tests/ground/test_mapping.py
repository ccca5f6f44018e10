"""Work over processes: what is yielded, what waits, and what becomes of a video whose process dies."""

import os
import signal
import time
from pathlib import Path

import pytest

from stages.lib.errors import InputError
from stages.lib.mapping import TRIES, Crashed, map_videos
from stages.lib.records import Video


@pytest.fixture(autouse=True)
def two_workers(monkeypatch):
    monkeypatch.setenv("DIFFFAKE_WORKERS", "2")


@pytest.fixture(params=["two processes", "this process", "Dask"])
def engine(request, monkeypatch):
    """Each of the ways to run the work."""
    if request.param == "this process":
        monkeypatch.setenv("DIFFFAKE_WORKERS", "1")
    if request.param == "Dask":
        monkeypatch.setenv("DIFFFAKE_SCHEDULER", request.getfixturevalue("dask_address"))


def die_of(number: int, folder: Path, lives: int = 10**6):
    """A function that doubles a number, but is killed by one of them, ``lives`` times at most."""

    def double(item: int) -> int:
        with (folder / f"{item}.tried").open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        if item == number and len((folder / f"{item}.tried").read_text().splitlines()) <= lives:
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * item

    return double


def test_every_item_is_yielded_with_its_result(engine):
    assert sorted(map_videos(lambda item: 2 * item, range(9), "test")) == [(n, 2 * n) for n in range(9)]


def test_a_video_whose_process_dies_each_time_is_given_up_and_the_others_are_done(tmp_path):
    found = dict(map_videos(die_of(3, tmp_path), range(9), "test"))
    assert found.pop(3) == Crashed("ended by SIGKILL")
    assert found == {n: 2 * n for n in range(9) if n != 3}


def test_only_deaths_alone_in_a_process_count(tmp_path):
    dict(map_videos(die_of(3, tmp_path), range(9), "test"))
    beside_others = 1
    assert len((tmp_path / "3.tried").read_text().splitlines()) == beside_others + TRIES


def test_a_video_that_survives_in_the_end_has_its_result(tmp_path):
    assert dict(map_videos(die_of(1, tmp_path, lives=TRIES), range(3), "test")) == {0: 0, 1: 2, 2: 4}


def test_a_process_that_a_library_ends_is_told_by_its_exit_code():
    def leave(item):
        os._exit(7)

    assert list(map_videos(leave, [0], "test")) == [(0, Crashed("ended with exit code 7"))]


def test_an_error_of_a_video_that_is_tried_alone_is_raised_and_names_it(tmp_path):
    def die_then_fail(video):
        if not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as error:
        list(map_videos(die_then_fail, [Video("clip 7.mp4", "")], "test"))
    assert "while processing clip 7.mp4" in error.value.__notes__


def test_an_error_in_a_worker_names_its_video(engine):
    def fail(item):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as error:
        list(map_videos(fail, [Video("clip 7.mp4", "")], "test"))
    assert "while processing clip 7.mp4" in error.value.__notes__


def test_no_more_begin_than_two_for_each_worker_beyond_what_is_used(engine, tmp_path):
    def begin(item):
        (tmp_path / str(item)).touch()

    results = map_videos(begin, range(20), "test")
    for used in range(1, 4):
        next(results)
        time.sleep(0.3)  # in which others could begin
        assert len(list(tmp_path.iterdir())) <= used - 1 + 2 * 2


def test_one_worker_is_this_process(monkeypatch):
    monkeypatch.setenv("DIFFFAKE_WORKERS", "1")
    assert list(map_videos(lambda item: os.getpid(), [0, 1], "test")) == [(0, os.getpid()), (1, os.getpid())]


def test_workers_that_die_although_they_only_watch_are_an_error(monkeypatch):
    parent = os.getpid()

    def kill_who_watches(item):
        watching = os.getppid()
        os.kill(os.getpid() if watching == parent else watching, signal.SIGKILL)

    with pytest.raises(InputError, match="video: 10 workers died that only watched over it"):
        list(map_videos(kill_who_watches, [Video("video", "")], "test"))

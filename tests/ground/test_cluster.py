"""A Dask cluster in the place of this machine's processes: what is compared before work, and what becomes of faults."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import dask
import distributed
import pytest

from stages.lib import cluster
from stages.lib.cluster import Shared, Site
from stages.lib.errors import InputError
from stages.lib.mapping import Crashed, map_videos


@pytest.fixture
def scheduler(monkeypatch, dask_address):
    monkeypatch.setenv("DIFFFAKE_SCHEDULER", dask_address)
    monkeypatch.delenv("DIFFFAKE_WORKERS", raising=False)
    return dask_address


def signalled_once(folder: Path, which: signal.Signals):
    """A function that gives a number back, and of whose processes the first to get 2 gets a signal."""

    def same(item: int) -> int:
        if item == 2 and not (folder / "signalled").exists():
            (folder / "signalled").touch()
            os.kill(os.getpid(), which)
        return item

    return same


def test_a_worker_that_is_killed_loses_nothing(scheduler, tmp_path):
    found = map_videos(signalled_once(tmp_path, signal.SIGKILL), range(6), "test")
    assert sorted(found) == [(n, n) for n in range(6)]


def test_a_worker_that_is_stopped_loses_nothing(monkeypatch, tmp_path):
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),  # Dask takes no less
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local,
    ):
        monkeypatch.setenv("DIFFFAKE_SCHEDULER", local.scheduler_address)
        found = map_videos(signalled_once(tmp_path, signal.SIGSTOP), range(6), "test")
        assert sorted(found) == [(n, n) for n in range(6)]


def test_a_video_that_kills_workers_is_given_up_and_the_others_are_done(scheduler):
    def die(item):
        if item == 2:
            time.sleep(0.5)  # Dask doesn't always replace a worker that dies in the moment in which it joins
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    found = dict(map_videos(die, range(6), "test"))
    assert found.pop(2) == Crashed("ended by SIGKILL")
    assert found == {n: n for n in range(6) if n != 2}


def test_a_worker_with_other_source_is_named_before_any_work(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "_source", lambda: "other")
    with pytest.raises(InputError, match=r"the Dask worker tcp://127.0.0.1:\d+: it runs other source \(stages/\)"):
        list(map_videos(lambda item: item, [0], "test"))


def test_too_few_workers_are_counted(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 2)  # the scheduler has to answer in it as well
    monkeypatch.setenv("DIFFFAKE_WORKERS", "9")
    with pytest.raises(InputError, match=r"2 Dask workers are there after 2 s, and 9 are wanted; start more"):
        list(map_videos(lambda item: item, [0], "test"))


def test_without_gpus_in_the_cluster_all_workers_take_what_uses_the_device(scheduler):
    assert list(map_videos(lambda item: item, [0], "test", uses_device=True)) == [(0, 0)]


@pytest.mark.parametrize("where", ["local:0", "local:two", "no such file"])
def test_what_names_no_scheduler_is_an_error(monkeypatch, where):
    monkeypatch.setenv("DIFFFAKE_SCHEDULER", where)
    with pytest.raises(InputError, match=f"DIFFFAKE_SCHEDULER is '{where}', expected an address such as tcp://host"):
        list(map_videos(lambda item: item, [0], "test"))


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.5)
    monkeypatch.setenv("DIFFFAKE_SCHEDULER", "tcp://127.0.0.1:9")
    with pytest.raises(InputError, match=r"'tcp://127.0.0.1:9', and no Dask scheduler answers there"):
        list(map_videos(lambda item: item, [0], "test"))


@pytest.fixture
def site(tmp_path) -> Site:
    (tmp_path / "reads").mkdir()
    (tmp_path / "probe").touch()
    return Site.here("token", Shared([tmp_path / "reads"]), str(tmp_path / "probe"))


def test_this_process_has_all_in_common_with_itself(site):
    assert site.difference() is None


def test_other_packages_are_listed(site):
    other = replace(site, packages=site.packages | {"numpy": "1.0", "python": "2.7"})
    own = site.packages
    expected = f"it has python {own['python']} (here 2.7), numpy {own['numpy']} (here 1.0); install the same there"
    assert other.difference().startswith(expected)


def test_a_working_folder_that_is_not_there_is_named(site):
    assert replace(site, folder="/nowhere").difference().startswith("there is no folder /nowhere there; give it")


def test_a_folder_with_other_files_is_named(site, tmp_path):
    (tmp_path / "reads/new.mp4").touch()
    assert site.difference().startswith(f"it sees another folder {tmp_path / 'reads'}; give it the same file system")


def test_a_folder_that_is_not_there_is_named(site, tmp_path):
    (tmp_path / "reads").rmdir()
    assert site.difference().startswith(f"it sees no folder {tmp_path / 'reads'}; give it the same file system")


def test_a_folder_that_is_written_to_elsewhere_is_named(site, tmp_path):
    Path(site.probe).unlink()
    assert site.difference().startswith(f"it doesn't see what is written to {tmp_path} here; give it")

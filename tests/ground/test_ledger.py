"""What is done again and what is not: after a change, after a kill, with a damaged ledger."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.lib.errors import InputError
from stages.lib.ledger import Ledger, imported_modules, recipe, source_files, update_folder
from stages.lib.mapping import Crashed
from stages.lib.records import Video

ROOT = Path(__file__).parents[2]


class Stage:
    """A stage that writes each video's name and what it was made from, and remembers which it computed."""

    def __init__(self, folder: Path):
        self.folder, self.computed = folder, []

    def file(self, video_id: str) -> Path:
        return self.folder / f"{video_id}.txt"

    def compute(self, videos: list[Video]):
        for video in reversed(videos):  # any order will do
            self.computed.append(video.video_id)
            self.file(video.video_id).write_text(video.made_from)
            yield video, pa.table({"video_id": [video.video_id], "value": [video.made_from]})

    def run(self, recipe: str = "r", **made_from: str) -> list[tuple[str, str]]:
        self.computed = []
        videos = [Video(video_id, source) for video_id, source in made_from.items()]
        with Ledger(self.folder / "ledgers/stage.sqlite", recipe) as ledger:
            tables = list(ledger.resume(videos, self.compute, self.file))
        return [(row["video_id"], row["value"]) for table in tables for row in table.to_pylist()]


def test_rows_come_in_the_order_of_the_videos_and_only_new_and_changed_ones_are_computed(tmp_path):
    stage = Stage(tmp_path)
    assert stage.run(a="1", b="1", c="1") == [("a", "1"), ("b", "1"), ("c", "1")]
    assert stage.run(a="1", b="1", c="1") == [("a", "1"), ("b", "1"), ("c", "1")]
    assert stage.computed == []
    assert stage.run(d="1", a="1", b="2") == [("d", "1"), ("a", "1"), ("b", "2")]
    assert sorted(stage.computed) == ["b", "d"]
    assert stage.run(c="1") == [("c", "1")]
    assert stage.computed == ["c"]  # what was removed is forgotten


def test_another_recipe_and_a_lost_or_changed_output_are_computed_again(tmp_path):
    stage = Stage(tmp_path)
    stage.run(a="1", b="1", c="1")
    stage.file("a").unlink()
    stage.file("b").write_text("something else")
    assert stage.run(a="1", b="1", c="1") == [("a", "1"), ("b", "1"), ("c", "1")]
    assert sorted(stage.computed) == ["a", "b"]
    stage.run("another recipe", a="1", b="1", c="1")
    assert len(stage.computed) == 3


def test_an_error_keeps_what_was_finished_before_it(tmp_path):
    stage, compute = Stage(tmp_path), Stage.compute

    def failing(self, videos):
        for done, result in enumerate(compute(self, videos)):
            yield result
            if done == 1:
                raise ValueError("broken video")

    Stage.compute = failing
    try:
        with pytest.raises(ValueError, match="broken video"):
            stage.run(a="1", b="1", c="1", d="1")
    finally:
        Stage.compute = compute
    assert len(stage.run(a="1", b="1", c="1", d="1")) == 4
    assert len(stage.computed) == 2


def test_a_killed_process_loses_only_the_video_in_flight(tmp_path):
    code = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.ground.test_ledger import Stage
class Slow(Stage):
    def compute(self, videos):
        for n, result in enumerate(super().compute(videos)):
            yield result
            print(n, flush=True)
            time.sleep(0.05)
Slow(Path({str(tmp_path)!r})).run(**{{f"v{{n}}": "1" for n in range(200)}})
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    for line in process.stdout:
        if line.strip() == "20":
            os.kill(process.pid, signal.SIGKILL)
            break
    finished = 21 + len(process.stdout.read().split())
    process.wait()
    stage = Stage(tmp_path)
    stage.run(**{f"v{n}": "1" for n in range(200)})
    assert 200 - finished - 1 <= len(stage.computed) <= 200 - finished


def test_a_damaged_ledger_costs_time_alone(tmp_path):
    stage = Stage(tmp_path)
    stage.run(a="1")
    (tmp_path / "ledgers/stage.sqlite").write_bytes(b"not a database at all" * 500)
    assert stage.run(a="1") == [("a", "1")]
    assert stage.computed == ["a"]


def test_a_recipe_follows_the_settings():
    assert recipe("stages/crop_faces.py", 1) == recipe("stages/crop_faces.py", 1)
    assert recipe("stages/crop_faces.py", 1) != recipe("stages/crop_faces.py", 2)


def test_a_recipe_follows_the_source_of_what_a_stage_imports():
    files = source_files("stages/crop_faces.py")
    assert {"stages/crop_faces.py", "stages/lib/faces/video_faces.py", "stages/lib/images.py"} <= files


@pytest.mark.parametrize(
    "path", ["stages/lib/runtime.py", "stages/lib/faces/settings.py", "stages/lib/pseudo_fakes/synthesis.py"]
)
def test_a_recipe_leaves_out_infrastructure_and_what_a_stage_does_not_import(path):
    assert path not in source_files("stages/crop_faces.py")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from stages.lib import files", {"stages/lib/files.py"}),
        ("from stages.lib import files as f, errors", {"stages/lib/files.py", "stages/lib/errors.py"}),
        ("from stages.lib.faces import crop", {"stages/lib/faces/crop.py"}),
        ("from stages.lib.faces.crop import crop_face", {"stages/lib/faces/crop.py"}),
        ("import stages.lib.faces.crop", {"stages/lib/faces/crop.py"}),
        ("def f():\n    from stages.lib import images", {"stages/lib/images.py"}),
        ("import json, numpy", set()),
    ],
)
def test_imports_are_followed_however_they_are_written(tmp_path, line, found):
    (tmp_path / "module.py").write_text(line)
    assert imported_modules(str(tmp_path / "module.py")) == found


def test_a_recipe_follows_imports_of_modules_from_packages(tmp_path):
    (tmp_path / "stage.py").write_text("from stages.lib.faces import crop, video_faces\n")
    files = source_files(str(tmp_path / "stage.py"))
    assert {"stages/lib/faces/crop.py", "stages/lib/faces/video_faces.py", "stages/lib/faces/detector.py"} <= files


def test_a_relative_import_is_refused(tmp_path):
    (tmp_path / "module.py").write_text("from . import files")
    with pytest.raises(ValueError, match="a relative import"):
        imported_modules(str(tmp_path / "module.py"))


def _row(video: Video, value: str) -> pa.Table:
    return pa.table({"video_id": [video.video_id], "value": [value]})


def _resume(folder: Path, outcomes: dict[str, str | Crashed], crashed=lambda video: _row(video, "crashed")):
    """The rows of videos, what becomes of each of which is told; and which were tried."""
    tried = []

    def compute(videos):
        for video in videos:
            tried.append(video.video_id)
            outcome = outcomes[video.video_id]
            yield video, outcome if isinstance(outcome, Crashed) else _row(video, outcome)

    with Ledger(folder / "ledger.sqlite", "r") as ledger:
        tables = list(ledger.resume([Video(name, "1") for name in outcomes], compute, crashed=crashed))
    return [row["value"] for table in tables for row in table.to_pylist()], tried


KILLED = Crashed("ended by SIGKILL")


def test_a_crashed_video_has_the_rows_that_it_is_given(tmp_path):
    assert _resume(tmp_path, {"a": "1", "b": KILLED})[0] == ["1", "crashed"]


def test_a_crashed_video_is_told_with_its_end(tmp_path, capsys):
    _resume(tmp_path, {"b": KILLED})
    expected = "b: given up, the process that works on it died 3 times (ended by SIGKILL); recorded as crashed\n"
    assert capsys.readouterr().out == expected


def test_a_crashed_video_is_not_tried_again(tmp_path):
    _resume(tmp_path, {"a": "1", "b": KILLED})
    assert _resume(tmp_path, {"a": "1", "b": "2"}) == (["1", "crashed"], [])


def test_a_crashed_video_is_tried_again_where_that_is_asked_for(tmp_path, monkeypatch):
    _resume(tmp_path, {"a": "1", "b": KILLED})
    monkeypatch.setenv("DIFFFAKE_RETRY", "crashed")
    assert _resume(tmp_path, {"a": "1", "b": "2"}) == (["1", "2"], ["b"])


def test_another_retry_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFFAKE_RETRY", "all")
    with pytest.raises(InputError, match="DIFFFAKE_RETRY is 'all', expected crashed; unset it"):
        _resume(tmp_path, {"a": "1"})


def test_a_crash_that_has_no_rows_is_an_error(tmp_path):
    with pytest.raises(
        InputError, match=r"b: the process that works on it died 3 times \(ended by SIGKILL\); is there"
    ):
        _resume(tmp_path, {"b": KILLED}, crashed=None)


def _update(folder: Path, **made_from: str) -> None:
    stage = Stage(folder / "out")
    stage.folder.mkdir(exist_ok=True)
    update_folder(
        folder / "out/table.parquet",
        pa.schema([("video_id", pa.string()), ("value", pa.string())]),
        [Video(video_id, source) for video_id, source in made_from.items()],
        compute=stage.compute,
        crashed=lambda video: _row(video, "nothing"),
        file_of=stage.file,
        has_file=lambda rows: rows["value"][0].as_py() != "nothing",
        ledger=folder / "ledger.sqlite",
        recipe="r",
    )


def test_a_folder_is_brought_up_to_date(tmp_path):
    _update(tmp_path, a="1", b="1", c="nothing")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "b.txt", "table.parquet"]
    _update(tmp_path, b="2", d="1")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.txt", "d.txt", "table.parquet"]
    assert pq.read_table(tmp_path / "out/table.parquet").to_pylist() == [
        {"video_id": "b", "value": "2"},
        {"video_id": "d", "value": "1"},
    ]

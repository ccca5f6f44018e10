"""What is done again and what is not: after a change, after a kill, with a damaged ledger."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from stages.lib.ledger import Ledger, recipe, source_files

ROOT = Path(__file__).parents[2]


class Stage:
    """A stage that writes each video's name and what it was made from, and remembers which it computed."""

    def __init__(self, folder: Path):
        self.folder, self.computed = folder, []

    def file(self, video_id: str) -> Path:
        return self.folder / f"{video_id}.txt"

    def compute(self, videos: list[dict]):
        for video in reversed(videos):  # any order will do
            self.computed.append(video["video_id"])
            self.file(video["video_id"]).write_text(video["made_from"])
            yield video, pa.table({"video_id": [video["video_id"]], "value": [video["made_from"]]})

    def run(self, recipe: str = "r", **made_from: str) -> list[tuple[str, str]]:
        self.computed = []
        videos = [{"video_id": video_id, "made_from": source} for video_id, source in made_from.items()]
        with Ledger(self.folder / "ledgers/stage.sqlite", recipe) as ledger:
            tables = list(ledger.resume(videos, self.compute, self.file))
        return [(row["video_id"], row["value"]) for table in tables for row in table.to_pylist()]


def test_rows_come_in_the_order_of_the_videos_and_only_new_and_changed_ones_are_computed(tmp_path):
    stage = Stage(tmp_path)
    assert stage.run(a="1", b="1", c="1") == [("a", "1"), ("b", "1"), ("c", "1")]
    assert stage.run(a="1", b="1", c="1") == [("a", "1"), ("b", "1"), ("c", "1")] and stage.computed == []
    assert stage.run(d="1", a="1", b="2") == [("d", "1"), ("a", "1"), ("b", "2")] and sorted(stage.computed) == [
        "b",
        "d",
    ]
    assert stage.run(c="1") == [("c", "1")] and stage.computed == ["c"]  # what was removed is forgotten


def test_another_recipe_and_a_lost_or_changed_output_are_computed_again(tmp_path):
    stage = Stage(tmp_path)
    stage.run(a="1", b="1", c="1")
    stage.file("a").unlink()
    stage.file("b").write_text("something else")
    assert stage.run(a="1", b="1", c="1") == [("a", "1"), ("b", "1"), ("c", "1")] and sorted(stage.computed) == [
        "a",
        "b",
    ]
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
    assert len(stage.run(a="1", b="1", c="1", d="1")) == 4 and len(stage.computed) == 2


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
    assert stage.run(a="1") == [("a", "1")] and stage.computed == ["a"]


def test_a_recipe_follows_settings_and_the_source_of_what_a_stage_imports():
    assert recipe("stages/crop_faces.py", 1) == recipe("stages/crop_faces.py", 1) != recipe("stages/crop_faces.py", 2)
    files = source_files("stages/crop_faces.py")
    assert {"stages/crop_faces.py", "stages/lib/faces.py", "stages/lib/regions.py"} <= files
    assert not {"stages/lib/runtime.py", "stages/lib/config.py", "stages/lib/synthesis.py"} & files

"""Indexing: folders that are not there or not of their layout, missing files, and what is fingerprinted again."""

import json
from pathlib import Path

import pytest

from stages.lib.datasets import index
from stages.lib.datasets.index import add_fingerprints, forget_absent_originals, index_dataset, index_summary
from stages.lib.datasets.layouts.tree import video_row
from stages.lib.errors import InputError
from stages.lib.fingerprint import MISSING
from tests.helpers import trees


def test_a_missing_file_is_kept_for_coverage(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,label\ngone.mp4,real\n")
    (row,), _ = add_fingerprints(index_dataset("manifest", tmp_path), tmp_path, trees.NO_STATES)
    assert row["fingerprint"] == MISSING


def test_a_folder_without_a_manifest_says_what_was_looked_for_found_and_known(tmp_path):
    (tmp_path / "clips").mkdir()
    with pytest.raises(
        InputError, match="looked for manifest.csv with the columns path,label .*; found clips; known layouts"
    ):
        index_dataset("manifest", tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder; correct `root`"):
        index_dataset("manifest", tmp_path / "none")


def test_an_unknown_layout_names_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="layout is 'ffpq', expected one of manifest, ffpp"):
        index_dataset("ffpq", tmp_path)


def test_more_test_videos_than_the_papers_are_an_error(tmp_path):
    pairs = [[f"{n:03d}", f"{n + 1:03d}"] for n in range(0, 142, 2)]
    trees.ffpp(tmp_path, trees.touch, pairs={"train": [["900", "901"]], "val": [["910", "911"]], "test": pairs})
    rows = add_fingerprints(index_dataset("ffpp", tmp_path), tmp_path, trees.NO_STATES)[0]
    with pytest.raises(
        InputError, match="has more than there can be: 142 of 140 reals, 568 of 560 fakes; the lists are"
    ):
        index_summary("ffpp", rows)


def test_a_known_file_is_fingerprinted_again_only_when_its_state_changes(tmp_path, monkeypatch):
    root, read = trees.tree(tmp_path, "celebdf"), []
    real_fingerprint = index.fingerprint
    monkeypatch.setattr(index, "fingerprint", lambda path: read.append(path.name) or real_fingerprint(path))
    rows, seen = add_fingerprints(index_dataset("celebdf", root), root, trees.NO_STATES)
    assert len(read) == 6
    (root / "Celeb-real/id2_0000.mp4").write_bytes(b"another video")
    (root / "YouTube-real/00007.mp4").unlink()
    trees.touch(root / "Celeb-real/id3_0000.mp4")
    read.clear()
    again, _ = add_fingerprints(index_dataset("celebdf", root), root, seen)
    assert sorted(read) == ["id2_0000.mp4", "id3_0000.mp4"]
    before, after = ({row["path"]: row["fingerprint"] for row in table} for table in (rows, again))
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {Path(path).name for path in changed} == {"id2_0000.mp4", "id3_0000.mp4", "00007.mp4"}


def test_lists_that_name_a_video_twice_are_an_error(tmp_path):
    root = trees.tree(tmp_path, "ffpp")
    (root / "train.json").write_text(json.dumps([*trees.PAIRS["train"], ["000", "003"]]))
    with pytest.raises(InputError, match="listed more than once, the first is .*000.mp4"):
        index_dataset("ffpp", root)


def test_the_summary_counts_the_fakes_that_have_their_original(tmp_path):
    root = trees.tree(tmp_path, "celebdf")
    (root / "Celeb-real/id2_0000.mp4").unlink()
    rows = forget_absent_originals(index_dataset("celebdf", root))
    said = index_summary("celebdf", add_fingerprints(rows, root, trees.NO_STATES)[0])
    assert "1 of 2 fakes have the video here that they were made from" in said


@pytest.mark.parametrize(("original", "kept"), [("real.mp4", "real.mp4"), ("left_out.mp4", ""), ("fake.mp4", "")])
def test_an_original_that_is_not_a_real_of_the_index_is_forgotten(original, kept):
    rows = [video_row("real.mp4", "real", "test"), video_row("fake.mp4", "fake", "test", original=original)]
    assert forget_absent_originals(rows)[1]["original"] == kept

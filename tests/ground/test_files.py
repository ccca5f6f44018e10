"""Outputs appear whole or not at all."""

import pytest

from stages.lib.files import atomic_folder, atomic_path, keep_only, write_json


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_what_is_not_kept_is_removed_with_the_folders_it_leaves_empty(tmp_path):
    for name in ("kept.npy", "a/kept.npy", "a/old.npy", "b/c/old.npy", "b/.kept.npy.1a2b3c4d.partial"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    keep_only(tmp_path, {tmp_path / "kept.npy", tmp_path / "a/kept.npy"})
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/kept.npy", "kept.npy"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    for content in ("one", "two"):
        with atomic_folder(tmp_path / "f") as folder:
            (folder / content).write_text(content)
            assert not (tmp_path / "f" / content).exists()
    assert [p.name for p in (tmp_path / "f").iterdir()] == ["two"]


def test_what_a_killed_run_left_behind_is_removed(tmp_path):
    (tmp_path / ".f.0123abcd.partial").mkdir()
    (tmp_path / ".other.0123abcd.partial").mkdir()
    with atomic_folder(tmp_path / "f"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.0123abcd.partial", "f"]


def test_json_refuses_nan_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "m.json", {"auc": float("nan")})
    assert not list(tmp_path.iterdir())

"""DeepfakeBench's lists: whose paths are of another machine, what they name twice, and what they leave empty."""

import json
from pathlib import Path

import pytest

from stages.lib.datasets.index import index_dataset
from stages.lib.errors import InputError
from tests.helpers import trees


def _write(root: Path, name: str, labels: dict, ahead: str = "") -> None:
    """A list of ``{label: {split: {video: folder}}}``, and a folder with pictures for each."""
    listed: dict[str, dict] = {}
    for label, splits in labels.items():
        listed[label] = {"train": {}, "val": {}, "test": {}}
        for split, videos in splits.items():
            for video, folder in videos.items():
                frames = [f"{ahead}{folder}/{n:03d}.png" for n in range(2)] if folder else []
                listed[label][split][video] = {"label": label, "frames": frames}
                if folder and not (root / folder).exists():
                    trees.touch_frames(root / folder)
    (root / f"{name}.json").write_text(json.dumps({name: listed}))


def _rows(root: Path, quality: str | None = None) -> dict[str, dict]:
    return {row["path"]: row for row in index_dataset("deepfakebench", root, quality)}


@pytest.mark.parametrize(
    "ahead", ["", "./", "/home/somebody/datasets/rgb/FaceForensics++/", "FaceForensics++/", "E:/rgb/FaceForensics++/"]
)
def test_what_paths_start_with_on_their_machine_does_not_matter(tmp_path, ahead):
    trees.deepfakebench(tmp_path, trees.touch_frames, ahead)
    assert "original_sequences/youtube/c23/frames/030" in _rows(tmp_path)
    assert len(_rows(tmp_path)) == 20


def test_the_folder_above_may_be_the_root_too(tmp_path):
    trees.deepfakebench(tmp_path / "FaceForensics++", trees.touch_frames)
    (tmp_path / "FaceForensics++/FaceForensics++.json").rename(tmp_path / "list.json")
    assert "FaceForensics++/original_sequences/youtube/c23/frames/030" in _rows(tmp_path)


def test_paths_of_windows_are_read(tmp_path):
    trees.deepfakebench(tmp_path, trees.touch_frames, "FaceForensics++/")
    path = tmp_path / "FaceForensics++.json"
    path.write_text(path.read_text().replace("/", "\\\\"))
    assert "manipulated_sequences/Deepfakes/c23/frames/030_031" in _rows(tmp_path)


CDF = {
    "CelebDFv2_real": {
        "train": {"id0_0001": "Celeb-real/frames/id0_0001", "id2_0000": "Celeb-real/frames/id2_0000"},
        "val": {"id0_0001": "Celeb-real/frames/id0_0001"},
        "test": {"id0_0001": "Celeb-real/frames/id0_0001"},
    },
    "CelebDFv2_fake": {"train": {"id0_id1_0001": "Celeb-synthesis/frames/id0_id1_0001"}},
}


def test_a_video_in_several_splits_is_a_test_video(tmp_path):
    _write(tmp_path, "Celeb-DF-v2", CDF)
    assert {path: row["split"] for path, row in _rows(tmp_path).items()} == {
        "Celeb-real/frames/id0_0001": "test",
        "Celeb-real/frames/id2_0000": "train",
        "Celeb-synthesis/frames/id0_id1_0001": "train",
    }


def test_a_video_to_train_and_validate_by_is_one_to_validate_by(tmp_path):
    in_both = {"train": {"a": "frames/a"}, "val": {"a": "frames/a"}}
    _write(tmp_path, "UADFV", {"UADFV_Real": in_both})
    assert _rows(tmp_path)["frames/a"]["split"] == "val"


def test_people_and_originals_of_celeb_df_are_those_of_its_names(tmp_path):
    _write(tmp_path, "Celeb-DF-v2", CDF)
    fake = _rows(tmp_path)["Celeb-synthesis/frames/id0_id1_0001"]
    assert (fake["identity"], fake["original"]) == ("celebdf/id0", "Celeb-real/frames/id0_0001")


@pytest.mark.parametrize(
    ("label", "method", "family"),
    [
        ("FF-F2F", "Face2Face", "animated"),
        ("FF-FS", "FaceSwap", "swap"),
        ("FF-FH", "FaceShifter", "swap"),
        ("DFD_fake", "DeepFakeDetection", "swap"),
        ("CelebDFv1_fake", "Celeb-synthesis", "swap"),
        ("DFDCP_FakeA", "method_A", "swap"),
        ("DFDC_Fake", "DFDC", "swap"),
        ("DF_fake", "end_to_end", "swap"),
        ("UADFV_Fake", "UADFV", "swap"),
        ("roop_Fake", "roop", "swap"),
    ],
)
def test_a_label_says_the_method_and_its_family(tmp_path, label, method, family):
    _write(tmp_path, "set", {label: {"test": {"a": "frames/a"}}})
    row = _rows(tmp_path)["frames/a"]
    assert (row["label"], row["method"], row["family"]) == ("fake", method, family)


@pytest.mark.parametrize("label", ["FF-real", "DFD_real", "CelebDFv1_real", "DFDCP_Real", "DF_real", "roop_Real"])
def test_a_real_has_no_method(tmp_path, label):
    _write(tmp_path, "set", {label: {"test": {"a": "frames/a"}}})
    row = _rows(tmp_path)["frames/a"]
    assert (row["label"], row["method"], row["family"]) == ("real", "", "")


def test_a_part_that_is_itself_a_video_is_one(tmp_path):
    """What their script makes of DFDC's `val`."""
    _write(tmp_path, "DFDC", {"DFDC_Real": {"test": {"a": "frames/a", "b": "frames/b"}}})
    path = tmp_path / "DFDC.json"
    content = json.loads(path.read_text())
    content["DFDC"]["DFDC_Real"]["val"] = content["DFDC"]["DFDC_Real"]["test"]["b"]
    path.write_text(json.dumps(content))
    assert {path: row["split"] for path, row in _rows(tmp_path).items()} == {"frames/a": "test", "frames/b": "test"}


def test_videos_without_frames_are_left_out_with_a_warning(tmp_path):
    _write(tmp_path, "UADFV", {"UADFV_Real": {"test": {"a": "frames/a", "b": ""}}})
    with pytest.warns(UserWarning, match="1 videos have no frames, UADFV_Real/test/b first: not indexed"):
        assert list(_rows(tmp_path)) == ["frames/a"]


def test_a_folder_that_is_not_there_keeps_its_row(tmp_path):
    _write(tmp_path, "UADFV", {"UADFV_Real": {"test": {"a": "frames/a", "b": "frames/b"}}}, "./datasets/rgb/UADFV/")
    for name in ("000", "001", "002"):
        (tmp_path / f"frames/a/{name}.png").unlink()
    (tmp_path / "frames/a").rmdir()
    assert sorted(_rows(tmp_path)) == ["frames/a", "frames/b"]


@pytest.mark.parametrize(("quality", "there"), [("c23", "c23"), ("c40", "c40")])
def test_one_of_several_compressions_is_taken(tmp_path, quality, there):
    _with_two_compressions(tmp_path)
    assert {path.split("/")[-3] for path in _rows(tmp_path, quality)} == {there}


@pytest.mark.parametrize(("quality", "wanted"), [(None, "one quality"), ("raw", "raw")])
def test_a_compression_that_is_not_there_or_not_chosen_is_an_error(tmp_path, quality, wanted):
    _with_two_compressions(tmp_path)
    with pytest.raises(InputError, match=f"looked for {wanted}, found c23, c40; set `quality`"):
        _rows(tmp_path, quality)


def _with_two_compressions(root: Path) -> None:
    trees.deepfakebench(root, trees.touch_frames)
    path = root / "FaceForensics++.json"
    content = json.loads(path.read_text())
    for splits in content["FaceForensics++"].values():
        for videos in splits.values():
            videos["c40"] = json.loads(json.dumps(videos["c23"]).replace("/c23/", "/c40/"))
    path.write_text(json.dumps(content))
    for folder in [path for path in root.rglob("c23/frames/*") if path.is_dir()]:
        trees.touch_frames(Path(folder.as_posix().replace("/c23/", "/c40/")))


def test_a_quality_of_what_has_none_is_an_error(tmp_path):
    _write(tmp_path, "Celeb-DF-v2", CDF)
    with pytest.raises(InputError, match="looked for c23, found none; set `quality` .* or remove it"):
        _rows(tmp_path, "c23")


def test_two_lists_are_an_error(tmp_path):
    for name in ("UADFV", "again"):
        _write(tmp_path, name, {"UADFV_Real": {"test": {"a": "frames/a"}}})
    with pytest.raises(InputError, match=r"2 lists \(UADFV.json, again.json\), expected one .*; link each"):
        _rows(tmp_path)


def test_pictures_that_are_nowhere_below_the_root_are_an_error(tmp_path):
    _write(tmp_path, "UADFV", {"UADFV_Real": {"test": {"a": "frames/a"}}})
    (tmp_path / "frames").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="none of its 1 folders of pictures is in .*, the first is frames/a; link"):
        _rows(tmp_path)


def test_a_folder_with_two_labels_is_an_error(tmp_path):
    both = {label: {"test": {"a": "frames/a"}} for label in ("UADFV_Real", "UADFV_Fake")}
    _write(tmp_path, "UADFV", both)
    with pytest.raises(InputError, match="frames/a is labelled UADFV_Real and UADFV_Fake"):
        _rows(tmp_path)


def test_a_list_without_any_frames_is_an_error(tmp_path):
    _write(tmp_path, "UADFV", {"UADFV_Real": {"test": {"a": ""}}})
    with pytest.warns(UserWarning, match="1 videos have no frames"), pytest.raises(InputError, match="names no frames"):
        _rows(tmp_path)

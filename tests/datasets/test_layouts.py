"""The benchmarks' layouts on miniature trees: what they index, and what they say of wrong, partial and mislabelled
trees.
"""

from collections import Counter
from pathlib import Path

import pytest

from stages.lib.datasets.index import add_fingerprints, forget_absent_originals, index_dataset, index_summary
from stages.lib.datasets.layouts.forgerynet import index_forgerynet
from stages.lib.datasets.layouts.registry import LAYOUTS
from stages.lib.datasets.roles import target_and_source
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL, SPLITS
from tests.helpers import trees


def _counts(rows: list[dict]) -> dict[tuple[str, str], int]:
    return dict(Counter((row["split"], row["method"] or row["label"]) for row in rows))


# (split, method or label) of every video of the miniature trees, counted by hand.
EXPECTED = {
    "ffpp": {("train", "real"): 4, ("val", "real"): 2, ("test", "real"): 4}
    | {(split, m): n for split, n in (("train", 4), ("val", 2), ("test", 4))
       for m in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")},
    "faceshifter": {
        (split, m): n for split, n in (("train", 4), ("val", 2), ("test", 4)) for m in ("real", "FaceShifter")
    },
    "celebdf": {
        ("train", "real"): 2, ("test", "real"): 2, ("train", "Celeb-synthesis"): 1, ("test", "Celeb-synthesis"): 1,
    },
    "dfd": {("test", "real"): 2, ("test", "DeepFakeDetection"): 2},
    "celebdf_pp": {
        ("train", "real"): 1, ("test", "real"): 2, ("train", "Celeb-DF-v2"): 1, ("test", "BlendFace"): 1,
        ("test", "LIA"): 1, ("test", "IP_LAP"): 1,
    },
    "deeperforensics": {
        (split, m): n for split, n in (("train", 1), ("val", 1), ("test", 2)) for m in ("real", "end_to_end")
    },
    "dfdc": {("train", "real"): 1, ("train", "DFDC"): 1, ("test", "real"): 1, ("test", "DFDC"): 1},
    "dfdc_preview": {("train", "real"): 1, ("test", "real"): 1, ("test", "method_A"): 1, ("test", "method_B"): 1},
    "ffiw": {("train", "real"): 1, ("train", "FFIW"): 1, ("test", "real"): 1, ("test", "FFIW"): 1},
    "fakeavceleb": {
        ("test", "real"): 2, ("test", "wav2lip"): 1, ("test", "faceswap"): 1, ("test", "fsgan-wav2lip"): 1,
    },
    "deepfake_eval_2024": {
        ("train", "Deepfake-Eval-2024"): 1, ("test", "Deepfake-Eval-2024"): 1, ("test", "real"): 1,
    },
    "diffswap": {("test", "real"): 1, ("test", "DiffSwap"): 2},
    "df40_ff": {("test", "real"): 4, ("test", "simswap"): 2, ("test", "fomm"): 2},
    "df40_cdf": {("test", "real"): 2, ("test", "simswap"): 1},
    "wilddeepfake": {
        ("train", "real"): 1, ("train", "WildDeepfake"): 1, ("test", "real"): 2, ("test", "WildDeepfake"): 2,
    },
    "deepfakebench": {("train", "real"): 4, ("val", "real"): 2, ("test", "real"): 4}
    | {(split, m): n for split, n in (("train", 2), ("val", 1), ("test", 2)) for m in ("Deepfakes", "NeuralTextures")},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*not indexed")
@pytest.mark.parametrize("name", EXPECTED)
def test_every_video_of_the_tree_is_indexed_once_with_its_label_split_and_method(tmp_path, name):
    root = trees.tree(tmp_path, name)
    rows = index_dataset(name, root)
    assert _counts(rows) == EXPECTED[name]
    assert all((root / row["path"]).exists() and row["video_id"] == row["path"] for row in rows)
    assert [row["video_id"] for row in rows] == sorted({row["video_id"] for row in rows})
    assert all((row["method"] == "") == (row["label"] == REAL) for row in rows)


# {a fake of the miniature tree: (its original, its family)}; the names are spelt out from the authors' documents.
_FFPP, _C23 = "original_sequences/youtube/raw/videos", "original_sequences/youtube/c23"
FAKES = {
    "ffpp": {
        "manipulated_sequences/Deepfakes/raw/videos/030_031.mp4": (f"{_FFPP}/030.mp4", "swap"),
        "manipulated_sequences/NeuralTextures/raw/videos/031_030.mp4": (f"{_FFPP}/031.mp4", "lips"),
        "manipulated_sequences/Face2Face/raw/videos/031_030.mp4": (f"{_FFPP}/031.mp4", "animated"),
    },
    "faceshifter": {"manipulated_sequences/FaceShifter/c23/videos/030_031.mp4": (f"{_C23}/videos/030.mp4", "swap")},
    "celebdf": {
        "Celeb-synthesis/id0_id1_0001.mp4": ("Celeb-real/id0_0001.mp4", "swap"),
        "Celeb-synthesis/id2_id0_0000.mp4": ("Celeb-real/id2_0000.mp4", "swap"),
    },
    "dfd": {
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__exit_phone_room__YVGY8LOK.mp4": (
            "original_sequences/actors/c23/videos/01__exit_phone_room.mp4",
            "swap",
        ),
        "manipulated_sequences/DeepFakeDetection/c23/videos/02_01__kitchen_still__0XUW13RW.mp4": ("", "swap"),
    },
    "celebdf_pp": {
        "Celeb-synthesis/FaceSwap/BlendFace/id0_id1_0001.mp4": ("Celeb-real/id0_0001.mp4", "swap"),
        "Celeb-synthesis/FaceSwap/Celeb-DF-v2/id2_id0_0000.mp4": ("Celeb-real/id2_0000.mp4", "swap"),
        "Celeb-synthesis/FaceReenact/LIA/id0_id1_0001.mp4": ("", "animated"),
        "Celeb-synthesis/TalkingFace/IP_LAP/id0_0001_test_00012.mp4": ("Celeb-real/id0_0001.mp4", "lips"),
    },
    "deeperforensics": {"manipulated_videos/end_to_end/030_M101.mp4": (f"{_C23}/videos/030.mp4", "swap")},
    "dfdc": {
        "dfdc_train_part_0/bbb.mp4": ("dfdc_train_part_0/aaa.mp4", "swap"),
        "test/ddd.mp4": ("", "swap"),
    },
    "dfdc_preview": {"method_A/1224068/1224068_C/643049_1224068_C_001.mp4": ("", "swap")},
    "ffiw": {"target/val/videos/003.mp4": ("", "swap")},
    "fakeavceleb": {
        "FakeVideo-RealAudio/African/men/id00076/00109_id00166_wavtolip.mp4": (
            "RealVideo-RealAudio/African/men/id00076/00109.mp4",
            "lips",
        ),
        "FakeVideo-RealAudio/African/men/id00076/00109_1.mp4": ("", "swap"),
        "FakeVideo-FakeAudio/Caucasian (American)/women/id00018/00181_id01201_Q8XWfmNiWYA_id00020_wavtolip.mp4": (
            "",
            "swap",
        ),
    },
    "deepfake_eval_2024": {"video-data/WVo7NVg4zBUj.mp4": ("", "other")},
    "diffswap": {"DiffSwap/images/1.png": ("", "swap")},
    "df40_ff": {
        "simswap/ff/frames/030_031": ("", "swap"),
        "fomm/ff/frames/030_031": ("", "animated"),
        "wav2lip/ff/frames/030": (f"FaceForensics++/{_C23}/frames/030", "lips"),
    },
    "df40_cdf": {
        "simswap/cdf/frames/id0_id1_0001": ("", "swap"),
        "wav2lip/cdf/frames/id0_0001": ("Celeb-DF-v2/Celeb-real/frames/id0_0001", "lips"),
    },
    "wilddeepfake": {"fake_test/1/fake/40": ("", "other")},
    "deepfakebench": {
        "manipulated_sequences/Deepfakes/c23/frames/030_031": (f"{_C23}/frames/030", "swap"),
        "manipulated_sequences/NeuralTextures/c23/frames/040_041": (f"{_C23}/frames/040", "lips"),
    },
}


@pytest.mark.filterwarnings("ignore:.*not indexed")
@pytest.mark.parametrize(("name", "fake"), [(name, fake) for name, fakes in FAKES.items() for fake in fakes])
def test_a_fakes_original_and_family_are_those_of_its_name(tmp_path, name, fake):
    root = trees.tree(tmp_path, name)
    if name.startswith("df40"):  # also of a method that isn't in the tree
        trees.touch_frames(root / fake)
    rows = {row["path"]: row for row in forget_absent_originals(index_dataset(name, root))}
    assert (rows[fake]["original"], rows[fake]["family"]) == FAKES[name][fake]


@pytest.mark.filterwarnings("ignore:.*not indexed")
@pytest.mark.parametrize(
    "name",
    [
        *("ffpp", "faceshifter", "dfd", "celebdf", "celebdf_pp", "deeperforensics", "dfdc", "fakeavceleb"),
        "deepfakebench",
    ],
)
def test_a_fake_with_an_original_shows_the_same_person_in_the_index(tmp_path, name):
    rows = forget_absent_originals(index_dataset(name, trees.tree(tmp_path, name)))
    identity_of = {row["path"]: row["identity"] for row in rows}
    assert [row["path"] for row in rows if row["original"] and row["identity"] != identity_of[row["original"]]] == []


@pytest.mark.filterwarnings("ignore:.*not indexed")
def test_people_of_celeb_df_have_the_same_names_in_df40(tmp_path):
    rows = index_dataset("df40_cdf", trees.tree(tmp_path, "df40_cdf"))
    people = {row["identity"] for row in rows if row["label"] == REAL}
    assert people == {"celebdf/id0", "celebdf/youtube-00005"}


@pytest.mark.filterwarnings("ignore:.*not indexed")
@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("dfd", {"dfd/01", "dfd/02"}),
        ("celebdf_pp", {"celebdf/id0", "celebdf/id2", "celebdf/youtube-00005"}),
        ("fakeavceleb", {"fakeavceleb/id00076", "fakeavceleb/id00018"}),
        ("deepfake_eval_2024", {""}),
    ],
)
def test_people_are_those_of_the_names(tmp_path, name, people):
    rows = index_dataset(name, trees.tree(tmp_path, name))
    assert {row["identity"] for row in rows if row["label"] == REAL} == people


def test_forgerynet_draws_60_of_each_method_and_as_many_reals_whatever_is_downloaded(tmp_path):
    trees.forgerynet(tmp_path, lambda path: path.parent.parent.mkdir(parents=True, exist_ok=True), per_class=70)
    rows = index_forgerynet(tmp_path)
    counts = Counter(row["method"] for row in rows)
    assert counts.pop("") == 480
    assert set(counts.values()) == {60}
    assert len(counts) == 8
    assert {row["split"] for row in rows} == {"test"}
    assert index_forgerynet(tmp_path) == rows
    lines = (tmp_path / "Validation/video_list.txt").read_text().splitlines()
    (tmp_path / "Validation/video_list.txt").write_text("\n".join(reversed(lines)))
    assert index_forgerynet(tmp_path) == rows


def test_faceforensics_at_full_size_has_the_papers_splits_and_the_matching_fakes(tmp_path):
    ids = [f"{n:03d}" for n in range(1000)]
    pairs = [list(pair) for pair in zip(ids[::2], ids[1::2], strict=True)]
    trees.ffpp(tmp_path, trees.touch, "c0", pairs={"train": pairs[:360], "val": pairs[360:430], "test": pairs[430:]})
    rows = index_dataset("ffpp", tmp_path)
    reals = {split: 720 if split == "train" else 140 for split in SPLITS}
    assert _counts(rows) == {
        (split, kind): n
        for split, n in reals.items()
        for kind in ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    }
    split_of = {row["path"][-7:-4]: row["split"] for row in rows if row["label"] == REAL}
    for row in rows:
        if row["label"] == FAKE:
            target, source = row["path"][-11:-4].split("_")
            assert row["split"] == split_of[target] == split_of[source]
            assert row["identity"] == f"ffpp/{target}"
    said = index_summary("ffpp", add_fingerprints(rows, tmp_path, trees.NO_STATES)[0])
    assert "the test split is complete" in said
    (tmp_path / "manipulated_sequences/FaceSwap/c0/videos/999_998.mp4").unlink()
    said = index_summary("ffpp", add_fingerprints(rows, tmp_path, trees.NO_STATES)[0])
    assert "the test split is incomplete: 140 of 140 reals, 559 of 560 fakes" in said
    assert "1 of 5000 videos are missing: manipulated_sequences/FaceSwap/c0/videos/999_998.mp4" in said


def test_raw_and_c0_are_one_quality_and_one_of_several_must_be_chosen(tmp_path):
    root = trees.tree(tmp_path, "ffpp")
    assert index_dataset("ffpp", root, "c0") == index_dataset("ffpp", root, "raw") == index_dataset("ffpp", root)
    trees.ffpp(root, trees.touch, "c40")
    with pytest.raises(InputError, match="looked for one of .*, found raw, c40; set `quality`"):
        index_dataset("ffpp", root)
    assert all("/c40/" in row["path"] for row in index_dataset("ffpp", root, "c40"))
    with pytest.raises(InputError, match="looked for c23/videos, found raw, c40"):
        index_dataset("ffpp", root, "c23")


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "manifest"])
def test_a_folder_of_something_else_says_what_was_looked_for_found_and_known(tmp_path, name):
    trees.touch(tmp_path / "holidays/beach.mp4")
    with pytest.raises(InputError) as error:
        index_dataset(name, tmp_path)
    message = str(error.value)
    assert "looked for" in message
    assert "found holidays" in message
    assert all(known in message for known in LAYOUTS)
    assert str(tmp_path) in message
    assert "correct `layout` or `root`" in message


def _replace(path: str, old: str, new: str):
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))

    return change


def _remove(path: str):
    return lambda root: (root / path).unlink()


def _rename(path: str, new: str):
    def change(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / new)

    return change


def _add(path: str):
    return lambda root: trees.touch(root / path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("ffpp", _remove("val.json"), "no val.json, nor splits/val.json; the lists are in github.com/ondyari"),
        ("ffpp", _replace("test.json", '"041"', '"000"'), "id 000 is also in train.json"),
        ("ffpp", _replace("test.json", '["030", "031"]', '["030"]'), r"expected pairs of ids .* found \['030'\]"),
        ("ffpp", _replace("test.json", "[[", "{[["), "test.json: not a readable JSON file"),
        ("ffpp", _replace("test.json", '[["030", "031"], ', '["030", '), "test.json: not a JSON list of lists"),
        ("dfdc_preview", _replace("dataset.json", '{"label": "real", "set": '
            '"train"}', '"real"'), "not a JSON dict of dicts"),
        ("ffpp", _add("original_sequences/youtube/raw/videos/555.mp4"), "1 videos are in none of the dataset's lists"),
        ("ffpp", _add("manipulated_sequences/FaceSwap/raw/videos/000_010.mp4"), "FaceSwap/raw/videos/000_010.mp4"),
        ("celebdf", _replace("List_of_testing_videos.txt", "0 Celeb-syn", "1 "
            "Celeb-syn"), "line 3: .* is labelled 1, but 1 is real"),
        ("celebdf", _replace("List_of_testing_videos.txt", "YouTube-real/", "Vimeo/"), "line 2: found '1 "
            "Vimeo/00005.mp4', expected"),
        ("dfd", _add("original_sequences/actors/c23/videos/03_exit.mp4"), "1 videos are not called "
            "<actor>__<scene>.mp4, the first is original_sequences/actors/c23/videos/03_exit.mp4; correct their names"),
        ("dfd", _add("manipulated_sequences/DeepFakeDetection/c23/videos/01__hall.mp4"), "are not called <target "
            "actor>_<source actor>__<scene>__<experiment>.mp4, .*01__hall.mp4"),
        ("celebdf_pp", _replace("List_of_testing_videos.txt", "0 Celeb-synthesis/FaceR", "1 Celeb-synthesis/FaceR"),
            "line 4: Celeb-synthesis/FaceReenact.* is labelled 1, as a real is above"),
        ("celebdf_pp", _replace("List_of_testing_videos.txt", "FaceSwap/", ""), "line 3: found '0 "
            "Celeb-synthesis/BlendFace.*', expected a label, 0 or 1, and a path"),
        ("celebdf_pp", _replace("List_of_testing_videos.txt", "1 YouTube-real/00005.mp4", "1"), "line 2: found '1', "
            "expected a label"),
        ("celebdf_pp", _replace("List_of_testing_videos.txt", "YouTube-real/00005", "Celeb-real/id0_0001"), "line 2: "
            ".*id0_0001.mp4 is listed twice"),
        ("fakeavceleb", _replace("meta_data.csv", "real,A", "wav2lip,A"), "line 2: type is 'RealVideo-RealAudio', "
            "method 'wav2lip', .* expected one of RealVideo-RealAudio"),
        ("fakeavceleb", _replace("meta_data.csv", ",faceswap,C,FakeVideo", ",faceswap,C,Video"), "line 6: type is "
            "'Video-RealAudio'"),
        ("fakeavceleb", lambda root: (root / "meta_data.csv").write_bytes(b"\xff\xfe"), "meta_data.csv: not a readable "
            "CSV file .*; download it again"),
        ("fakeavceleb", _replace("meta_data.csv", "method", "how"), "column 'method' is missing, found source,"),
        ("fakeavceleb", _add("FakeVideo-FakeAudio/African/men/id00076/00109_2.mp4"), "1 videos are in none of "
            ".*meta_data.csv"),
        ("deepfake_eval_2024", _replace("video-metadata-publish.csv", "Real,Fake", "Genuine,Fake"), "line 4: Video "
            "Ground Truth is 'Genuine' and Finetuning Set 'test', expected Real, Fake or Unknown"),
        ("deepfake_eval_2024", _replace("video-metadata-publish.csv", ",train", ",dev"), "line 2: .*Set 'dev'"),
        ("deepfake_eval_2024", _add("video-data/zzz.mp4"), "1 videos are in none of .*video-metadata-publish.csv"),
        ("diffswap", _remove("Real/27000.jpg"), "Real: no pictures in it or below; unpack Real.tar again"),
        ("deeperforensics", _replace("lists/splits/test.txt", "030_M101", "000_M101"), "test.txt, line 1: 000 is also "
            "in train.txt"),
        ("deeperforensics", _replace("lists/splits/test.txt", "030_M101", "M101"), "found 'M101.mp4', expected "
            "<target>_<actor>"),
        ("deeperforensics", _add("manipulated_videos/end_to_end/777_M101.mp4"), "in none of the dataset's lists"),
        ("forgerynet", _replace("Validation/video_list.txt", "1 1 3", "0 1 3"), "binary label 0 contradicts 16-way "
            "label 3"),
        ("forgerynet", _replace("Validation/video_list.txt", "0 90 0 0 0 0", "0 90 0 "
            "0"), "expected <segments> <video>"),
        ("dfdc", _replace("test/labels.csv", "ddd.mp4,1", "ddd.mp4,FAKE"), "expected columns filename,label with label "
            "0"),
        ("dfdc", _replace("dfdc_train_part_0/metadata.json", "REAL", "GENUINE"), "label of aaa.mp4 is 'GENUINE', "
            "expected FAKE or REAL"),
        ("dfdc", _add("dfdc_train_part_0/zzz.mp4"), "in none of the dataset's lists .*metadata.json"),
        ("dfdc_preview", _replace("dataset.json", '"label": "fake"', '"label": '
            '"real"'), "only original_videos/ holds reals"),
        ("dfdc_preview", _replace("dataset.json", '"set": "test"', '"set": '
            '"dev"'), "set 'dev', expected real or fake, train or test"),
        ("ffiw", _remove("target/val/videos/003.mp4"), "target/val: no videos, nor in target/val/videos"),
        ("df40_ff", _remove("FaceForensics++/test.json"), "no test.json"),
        ("wilddeepfake", _rename("fake_test/1/fake", "fake_test/1.tar.gz"), "fake_test: no <n>/fake/<sequence> in it; "
            "unpack"),
        ("wilddeepfake", _rename("fake_test/1/fake", "real_test/1/fake"), "real_test/1/fake/12: is called fake in "
            "real_test"),
        ("deepfakebench", _replace("FaceForensics++.json", '"FF-NT"', '"FF-XY"'), "label 'FF-XY', expected one of "
            "FF-real, FF-DF"),
        ("deepfakebench", _replace("FaceForensics++.json", '"val"', '"dev"'), "has 'dev', expected videos of train"),
        ("deepfakebench", _replace("FaceForensics++.json", '{"FaceF', '{{"FaceF'), "not a readable JSON file"),
        ("deepfakebench", _rename("FaceForensics++.json", "list.txt"), "looked for one JSON file of the form"),
        ("deepfakebench", _replace("FaceForensics++.json", "frames/030/000", "frames/031/000"), "the frames of 030 "
            r"\(FF-real\) lie in 2 folders"),
        ("deepfakebench", _replace("FaceForensics++.json", "datasets/rgb/FaceForensics++/original_sequences/youtube/"
            "c23/frames/030/", "elsewhere/030/"), "elsewhere/030 doesn't lie in datasets/rgb/FaceForensics"),
    ],
)  # fmt: skip
def test_partial_and_mislabelled_trees_say_what_where_and_how_to_mend(tmp_path, name, change, message):
    root = trees.tree(tmp_path, name)
    change(root)
    with pytest.raises(InputError, match=message) as error:
        index_dataset(name, root)
    assert str(root) in str(error.value)


def test_dfd_takes_the_quality_that_is_asked_for_and_names_the_folder_that_lacks_it(tmp_path):
    root = trees.tree(tmp_path, "dfd")
    trees.dfd(root, trees.touch, "raw")
    assert all("/raw/videos/" in row["path"] for row in index_dataset("dfd", root, "c0"))
    (root / "manipulated_sequences/DeepFakeDetection/raw").rename(root / "elsewhere")
    with pytest.raises(InputError, match="DeepFakeDetection: looked for raw/videos, found c23"):
        index_dataset("dfd", root, "raw")
    with pytest.raises(InputError, match="actors: looked for one of .*, found raw, c23"):
        index_dataset("dfd", root)


def test_celeb_df_pp_is_read_whichever_label_stands_for_real(tmp_path):
    root = trees.tree(tmp_path, "celebdf_pp")
    rows = index_dataset("celebdf_pp", root)
    lines = (root / "List_of_testing_videos.txt").read_text().splitlines()
    swapped = [f"{1 - int(line[0])}{line[1:]}" for line in lines]
    (root / "List_of_testing_videos.txt").write_text("\n".join(swapped))
    assert index_dataset("celebdf_pp", root) == rows


def test_celeb_df_v2_is_not_taken_for_celeb_df_pp(tmp_path):
    with pytest.raises(InputError, match="not laid out as Celeb-DF.*: looked for Celeb-synthesis/FaceSwap, "):
        index_dataset("celebdf_pp", trees.tree(tmp_path, "celebdf"))


def test_fakes_in_sound_alone_are_counted_and_left_out(tmp_path):
    root = trees.tree(tmp_path, "fakeavceleb")
    with pytest.warns(UserWarning, match="1 videos of RealVideo-FakeAudio, forged in sound alone: not indexed"):
        rows = index_dataset("fakeavceleb", root)
    assert [row["path"] for row in rows if "RealVideo-FakeAudio" in row["path"]] == []


@pytest.mark.filterwarnings("ignore:.*not indexed")
def test_a_video_that_fakeavceleb_lists_twice_counts_once(tmp_path):
    root = trees.tree(tmp_path, "fakeavceleb")
    rows = index_dataset("fakeavceleb", root)
    table = root / "meta_data.csv"
    table.write_text(table.read_text() + table.read_text().splitlines()[-1] + "\n")
    assert index_dataset("fakeavceleb", root) == rows


@pytest.mark.filterwarnings("ignore:.*not indexed")
def test_fakeavceleb_is_read_from_the_table_with_names_for_its_last_columns_too(tmp_path):
    root = trees.tree(tmp_path, "fakeavceleb")
    rows = index_dataset("fakeavceleb", root)
    _replace("meta_data.csv", "gender,path,", "gender,filename,path")(root)
    assert index_dataset("fakeavceleb", root) == rows


def test_videos_whose_picture_nobody_could_label_are_counted_and_left_out(tmp_path):
    root = trees.tree(tmp_path, "deepfake_eval_2024")
    with pytest.warns(UserWarning, match="1 videos are labelled Unknown: not indexed"):
        rows = index_dataset("deepfake_eval_2024", root)
    label_of = {row["path"]: row["label"] for row in rows}
    assert "video-data/-QVbWlwGqPkh.mp4" not in label_of
    assert label_of["video-data/0GHYvfi5_FJp.mp4"] == REAL  # under a forged voice
    (root / "video-metadata-publish.csv").rename(root / "video-metadata-publish-with-links.csv")
    with pytest.warns(UserWarning, match="labelled Unknown"):
        assert index_dataset("deepfake_eval_2024", root) == rows


def test_deeperforensics_without_faceforensics_says_what_to_link(tmp_path):
    root = trees.tree(tmp_path, "deeperforensics")
    (root / "original_sequences").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="reals of DeeperForensics-1.0 are FaceForensics"):
        index_dataset("deeperforensics", root)
    (root / "FaceForensics++").mkdir()
    (root / "FaceForensics++/original_sequences").symlink_to(tmp_path / "elsewhere")
    assert _counts(index_dataset("deeperforensics", root)) == EXPECTED["deeperforensics"]


@pytest.mark.filterwarnings("ignore:.*is not indexed")
def test_a_method_that_is_not_there_is_warned_of_and_counted(tmp_path):
    trees.ffpp(tmp_path, trees.touch, methods=("Deepfakes",))
    with pytest.warns(UserWarning, match="no folder .*FaceSwap/raw/videos: FaceSwap is not indexed"):
        rows = index_dataset("ffpp", tmp_path)
    assert "4 of 560 fakes" in index_summary("ffpp", add_fingerprints(rows, tmp_path, trees.NO_STATES)[0])
    with pytest.warns(UserWarning, match="no cdf/frames in e4e"):
        index_dataset("df40_cdf", trees.tree(tmp_path, "df40_cdf"))


@pytest.mark.parametrize(
    ("fake", "original", "expected"),
    [
        (  # the authors: <target sequence>_<source sequence>
            "manipulated_sequences/FaceSwap/c23/videos/000_003.mp4",
            "original_sequences/youtube/c23/videos/000.mp4",
            ("original_sequences/youtube/c23/videos/000.mp4", "original_sequences/youtube/c23/videos/003.mp4"),
        ),
        ("manipulated_sequences/FaceSwap/c23/videos/000_003.mp4", "", ("", "")),
        (
            "manipulated_sequences/FaceSwap/c23/videos/000_003.mp4",
            "original_sequences/youtube/c23/videos/003.mp4",
            ("", ""),
        ),
        ("frames/Deepfakes/000_003", "frames/original/000", ("frames/original/000", "frames/original/003")),
        ("manipulated_videos/end_to_end/000_M101.mp4", "original_sequences/youtube/c23/videos/000.mp4", ("", "")),
        ("Celeb-synthesis/id0_id1_0000.mp4", "Celeb-real/id0_0000.mp4", ("", "")),
        ("original_sequences/youtube/c23/videos/000.mp4", "", ("", "")),
    ],
)
def test_a_fakes_name_says_which_video_was_forged_and_which_one_was_put_in(fake, original, expected):
    assert target_and_source({"video_id": fake, "original": original}) == expected


def test_both_videos_of_every_fake_of_faceforensics_are_among_its_rows(tmp_path):
    rows = index_dataset("ffpp", trees.tree(tmp_path, "ffpp"))
    known = {row["video_id"]: row for row in rows}
    for row in (row for row in rows if row["label"] == FAKE):
        target, source = target_and_source(row)
        assert target == row["original"] and known[target]["split"] == known[source]["split"] == row["split"]

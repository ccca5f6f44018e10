"""The manifest layout: good rows, and a clear message for each bad one."""

from pathlib import Path

import pytest

from stages.lib.datasets.index import index_dataset
from stages.lib.errors import InputError


def _dataset(tmp_path: Path, text: str, *videos: str) -> Path:
    for name in videos:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_defaults_of_optional_columns(tmp_path):
    root = _dataset(tmp_path, "path,label\nb.mp4,fake\na.mp4,real\n", "a.mp4", "b.mp4")
    rows = index_dataset("manifest", root)
    assert [(r["video_id"], r["label"], r["method"], r["split"]) for r in rows] == [
        ("a.mp4", "real", "", "test"),
        ("b.mp4", "fake", "fake", "test"),
    ]


def test_spaces_non_ascii_letters_quotes_and_a_byte_order_mark(tmp_path):
    name = "сёстры, Zoë/my clip №1.mp4"
    root = _dataset(tmp_path, f'\ufeffpath,label,split,method,identity\n"{name}",fake,train,swap,Zoë\n', name)
    (row,) = index_dataset("manifest", root)
    assert (row["video_id"], row["split"], row["method"], row["identity"]) == (name, "train", "swap", "Zoë")


@pytest.fixture
def with_originals(tmp_path) -> dict[str, dict[str, str]]:
    text = """path,label,method,original,family
fakes/1.mp4,fake,DeepFaceLive,./reals/a.mp4,
fakes/2.mp4,fake,wav2lip,,animated
fakes/3.mp4,fake,my own,,
reals/a.mp4,real,,,
"""
    return {row["path"]: row for row in index_dataset("manifest", _dataset(tmp_path, text))}


@pytest.mark.parametrize(
    ("path", "original"), [("fakes/1.mp4", "reals/a.mp4"), ("fakes/2.mp4", ""), ("reals/a.mp4", "")]
)
def test_an_original_is_named_by_its_path(with_originals, path, original):
    assert with_originals[path]["original"] == original


@pytest.mark.parametrize(
    ("path", "family"),
    [("fakes/1.mp4", "swap"), ("fakes/2.mp4", "animated"), ("fakes/3.mp4", "other"), ("reals/a.mp4", "")],
)
def test_a_family_is_the_manifests_else_the_methods_else_other(with_originals, path, family):
    assert with_originals[path]["family"] == family


@pytest.mark.parametrize(("line", "group"), [("a.mp4,real, front camera ", "front camera"), ("a.mp4,real,", "")])
def test_a_group_is_whatever_the_manifest_names(tmp_path, line, group):
    (row,) = index_dataset("manifest", _dataset(tmp_path, f"path,label,group\n{line}\n"))
    assert row["group"] == group


def test_without_the_column_no_video_has_a_group(tmp_path):
    (row,) = index_dataset("manifest", _dataset(tmp_path, "path,label\na.mp4,real\n"))
    assert row["group"] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,lable\na.mp4,real\n", "column 'label' is missing, found path, lable; add it"),
        (
            "path,label,note\na.mp4,real,x\n",
            "unknown column 'note', expected some of path, label, split, method, identity, original, family, group",
        ),
        ("path,label\na.mp4,genuine\n", "row 2: label is 'genuine', expected one of real, fake"),
        ("path,label,split\na.mp4,real,dev\n", "row 2: split is 'dev', expected one of train, val, test"),
        ("path,label\na.mp4,real\n./a.mp4,fake\n", "row 3: duplicate video_id 'a.mp4', first listed in row 2"),
        ("path,label\n../a.mp4,real\n", "row 2: path is '../a.mp4', expected a POSIX path"),
        ("path,label\n/a.mp4,real\n", "row 2: path is '/a.mp4', expected a POSIX path"),
        ("path,label\na.mp4,real,extra\n", "row 2: has more or fewer values"),
        ("path,label,method\na.mp4,fake,all\n", "row 2: method 'all' is the name of the total"),
        (
            "path,label,original\nb.mp4,fake,gone.mp4\na.mp4,real,\n",
            "row 2: original is 'gone.mp4', which is in no row",
        ),
        ("path,label,original\na.mp4,fake,\nb.mp4,fake,a.mp4\n", "row 3: original is 'a.mp4', which is a fake; name"),
        ("path,label,original\na.mp4,fake,../b.mp4\n", "row 2: original is '../b.mp4', expected a POSIX path"),
        ("path,label,original\na.mp4,real,a.mp4\n", "row 2: original is 'a.mp4', but only fakes have one"),
        ("path,label,family\na.mp4,real,swap\n", "row 2: family is 'swap', but only fakes have one"),
        (
            "path,label,family\na.mp4,fake,face\n",
            "row 2: family is 'face', expected one of swap, lips, animated, other",
        ),
        ("path,label\n", "lists no video"),
        ("", "column 'path' is missing, found nothing"),
    ],
)
def test_bad_manifests_say_what_where_and_how_to_mend(tmp_path, text, message):
    root = _dataset(tmp_path, text, "a.mp4")
    with pytest.raises(InputError) as error:
        index_dataset("manifest", root)
    assert message in str(error.value)
    assert str(root / "manifest.csv") in str(error.value)

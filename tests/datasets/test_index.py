"""The manifest layout: good rows, and a clear message for each bad one."""

from pathlib import Path

import pandas as pd
import pytest

from stages.lib.datasets.index import add_fingerprints, index_dataset
from stages.lib.errors import InputError
from stages.lib.fingerprint import fingerprint, state
from stages.lib.tables import FILE_STATES


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


def test_a_missing_file_is_kept_for_coverage(tmp_path):
    root = _dataset(tmp_path, "path,label\ngone.mp4,real\n")
    (row,), _ = add_fingerprints(index_dataset("manifest", root), root, pd.DataFrame(columns=FILE_STATES.names))
    assert row["fingerprint"] == "missing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,lable\na.mp4,real\n", "column 'label' is missing, found path, lable; add it"),
        (
            "path,label,note\na.mp4,real,x\n",
            "unknown column 'note', expected some of path, label, split, method, identity",
        ),
        ("path,label\na.mp4,genuine\n", "row 2: label is 'genuine', expected one of real, fake"),
        ("path,label,split\na.mp4,real,dev\n", "row 2: split is 'dev', expected one of train, val, test"),
        ("path,label\na.mp4,real\n./a.mp4,fake\n", "row 3: duplicate video_id 'a.mp4', first listed in row 2"),
        ("path,label\n../a.mp4,real\n", "row 2: path is '../a.mp4', expected a POSIX path"),
        ("path,label\n/a.mp4,real\n", "row 2: path is '/a.mp4', expected a POSIX path"),
        ("path,label\na.mp4,real,extra\n", "row 2: has more or fewer values"),
        ("path,label,method\na.mp4,fake,all\n", "row 2: method 'all' is the name of the total"),
        ("path,label\n", "lists no video"),
        ("", "column 'path' is missing, found nothing"),
    ],
)
def test_bad_manifests_say_what_where_and_how_to_mend(tmp_path, text, message):
    root = _dataset(tmp_path, text, "a.mp4")
    with pytest.raises(InputError) as error:
        index_dataset("manifest", root)
    assert message in str(error.value) and str(root / "manifest.csv") in str(error.value)


def test_no_manifest_no_folder_no_layout(tmp_path):
    (tmp_path / "clips").mkdir()
    with pytest.raises(
        InputError, match="looked for manifest.csv with the columns path,label .*; found clips; known layouts"
    ):
        index_dataset("manifest", tmp_path)
    with pytest.raises(InputError, match="no such folder; correct `root`"):
        index_dataset("manifest", tmp_path / "none")
    with pytest.raises(InputError, match="layout is 'ffpq', expected one of manifest, ffpp"):
        index_dataset("ffpq", tmp_path)


def test_fingerprint_notices_size_and_each_block(tmp_path):
    path, seen = tmp_path / "v.mp4", set()
    data = bytearray(1 << 20)
    for change in (None, 0, 1 << 19, (1 << 20) - 1):
        if change is not None:
            data[change] ^= 1
        path.write_bytes(data)
        seen.add(fingerprint(path))
    path.write_bytes(data + b"x")
    seen.add(fingerprint(path))
    assert len(seen) == 5


def test_a_folder_of_frames_has_a_fingerprint_that_notices_a_frame(tmp_path):
    seen = set()
    for n in range(5):
        (tmp_path / f"{n:03d}.png").write_bytes(bytes([n]) * 100)
    seen.add(fingerprint(tmp_path))
    (tmp_path / "002.png").write_bytes(b"x" * 100)
    seen.add(fingerprint(tmp_path))
    (tmp_path / "005.png").write_bytes(b"y")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 3 and fingerprint(tmp_path / "none") == state(tmp_path / "none") == "missing"

"""synthesize_fakes from faces and photos to a bank, its sheet and the photos' coverage."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages import synthesize_fakes
from stages.lib.errors import InputError
from stages.lib.pseudo_fakes.bank import FakeBank, genuine_methods
from stages.lib.schemas import FAKES, FAKES_TABLE, INDEX
from stages.lib.tables import read_table, write_table
from tests.helpers.faces import SIDE, write_faces, write_photos
from tests.helpers.pipeline import ROOT, change_params, files_below, read_json

PATHS = {
    "index": "index.parquet",
    "faces": "faces",
    "photos": "photos",
    "ledger": "ledgers/synthesize_fakes.sqlite",
    "out": "fakes",
    "sheet": "sheet.png",
    "coverage": "photos.json",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project's folder with the faces of two training videos and one of val, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFFAKE_WORKERS", "1")
    arguments = [part for name, path in PATHS.items() for part in (f"--{name}", path)]
    monkeypatch.setattr(sys, "argv", ["synthesize_fakes", *arguments])
    YAML().dump(YAML().load(ROOT / "params.yaml"), Path("params.yaml"))
    change_params(Path(), lambda params: params["synthesis"].update(variants=2, crf=[20, 30]))
    videos = {"a.mp4": ("train", "Ann"), "b.mp4": ("train", "Bob"), "c.mp4": ("val", "Cyd")}
    index = pd.DataFrame("", index=range(3), columns=INDEX.names).assign(video_id=list(videos), label="real")
    index[["split", "identity"]] = list(videos.values())
    write_table(Path("index.parquet"), index, INDEX)
    write_faces(Path("faces"), {"a.mp4": 3, "b.mp4": 2, "c.mp4": 2})
    Path("photos").mkdir()
    return tmp_path


def bank(split: str) -> FakeBank:
    return FakeBank(Path("fakes"), read_table(Path("fakes", FAKES_TABLE), FAKES), split)


@pytest.mark.parametrize(("split", "n"), [("train", 8), ("val", 2)])
def test_a_bank_holds_the_faces_of_videos_and_photos(folder, split, n):
    write_photos(Path("photos/lfw"))
    synthesize_fakes.main()
    assert len(bank(split)) == n


def test_photos_serve_to_train_alone(folder):
    write_photos(Path("photos/lfw"))
    synthesize_fakes.main()
    assert (bank("train").is_video.sum(), bank("val").is_video.all()) == (5, True)


def test_a_bank_is_read_as_it_was_made(folder):
    synthesize_fakes.main()
    stored = bank("train").face(4, 1)
    np.testing.assert_array_equal(stored, np.load("fakes/videos/b.mp4.npy")[1, 1])
    assert stored.shape == (SIDE, SIDE, 7)


def test_what_became_of_the_photos_is_a_metric(folder):
    write_photos(Path("photos/lfw"))
    synthesize_fakes.main()
    assert read_json(Path("photos.json")) == {"lfw": {"indexed": 4, "used": 3, "people": 2, "dropped": {"no_face": 1}}}


def test_without_photos_their_metric_is_empty(folder):
    synthesize_fakes.main()
    assert read_json(Path("photos.json")) == {}


def test_the_sheet_is_drawn(folder):
    write_photos(Path("photos/lfw"))
    synthesize_fakes.main()
    assert Path("sheet.png").read_bytes().startswith(b"\x89PNG")


# Genuine fakes


def _add_fakes(names: dict[str, tuple[str, str, str]]) -> None:
    """To the index and the faces: fakes of the reals, {video_id: split, method, original}."""
    index = read_table(Path("index.parquet"), INDEX).to_pandas()
    fakes = pd.DataFrame("", index=range(len(names)), columns=INDEX.names).assign(video_id=list(names), label="fake")
    fakes[["split", "method", "original"]] = list(names.values())
    write_table(Path("index.parquet"), pd.concat([index, fakes]), INDEX)
    write_faces(Path("faces"), {"a.mp4": 3, "b.mp4": 2, "c.mp4": 2} | dict.fromkeys(names, 2))


FORGED = {"a_x.mp4": ("train", "X", "a.mp4"), "b_y.mp4": ("train", "Y", ""), "c_x.mp4": ("val", "X", "c.mp4")}


def _train_on(fakes: str) -> None:
    change_params(Path(), lambda params: params["train"].update(fakes=fakes, boundary=0.0))


def _made(fakes: str) -> dict[str, bytes]:
    _train_on(fakes)
    synthesize_fakes.main()
    return files_below(Path("fakes")) | {"sheet": Path("sheet.png").read_bytes()}


def test_fakes_of_train_and_val_change_nothing_of_a_bank_of_pseudo_fakes(folder):
    before = _made("pseudo")
    _add_fakes(FORGED)
    assert _made("pseudo") == before


def test_with_both_genuine_fakes_stand_beside_the_same_pseudo_fakes(folder):
    _add_fakes(FORGED)
    pseudo = _made("pseudo")
    rows = read_table(Path("fakes", FAKES_TABLE), FAKES)
    both = _made("both")
    assert {name: both[name] for name in pseudo if name.endswith(".npy")} == {
        name: made for name, made in pseudo.items() if name.endswith(".npy")
    }
    table = read_table(Path("fakes", FAKES_TABLE), FAKES)
    assert table.slice(0, len(rows)).equals(rows)
    assert (genuine_methods(table), len(bank("train")), len(bank("val"))) == (["X", "Y"], 9, 4)
    assert both["sheet"] != pseudo["sheet"]


def test_with_real_a_bank_has_genuine_fakes_alone_and_says_what_they_stand_beside(folder, capsys):
    write_photos(Path("photos/lfw"))
    _add_fakes(FORGED | {"no face.mp4": ("val", "X", "c.mp4")})
    write_faces(Path("faces"), {"a.mp4": 3, "b.mp4": 2, "c.mp4": 2} | dict.fromkeys(FORGED, 2))
    made = _made("real")
    assert {*made} == {FAKES_TABLE, "sheet", *(f"fakes/{name}.npy" for name in FORGED)}
    assert (bank("train").variants, len(bank("train")), len(bank("val"))) == (1, 4, 2)
    said = capsys.readouterr().out
    assert "genuine fakes of val: 1 of 2 are used" in said and "of these 2 faces 2 are told from the same frame" in said


def test_a_dataset_without_fakes_to_train_on_is_an_error(folder):
    _add_fakes({"a_x.mp4": ("train", "X", "a.mp4"), "t.mp4": ("test", "X", "")})
    _train_on("real")
    with pytest.raises(InputError, match=r"none to use with split=val \(0 listed.*`train.fakes: pseudo`"):
        synthesize_fakes.main()
    assert not Path("fakes").exists()


def _guided(folder) -> None:
    change_params(folder, lambda params: params["guidance"].update(weights="inputs/sd"))


def test_with_guidance_the_bank_keeps_what_was_pasted(folder):
    write_photos(Path("photos/lfw"))
    _guided(folder)
    synthesize_fakes.main()
    written = {str(path.relative_to("fakes/sources")) for path in Path("fakes/sources").rglob("*.npy")}
    assert written == {str(path.relative_to("fakes")) for path in Path("fakes").glob("[!s]*/**/*.npy")}


def test_without_guidance_it_keeps_nothing_of_it(folder):
    synthesize_fakes.main()
    assert not Path("fakes/sources").exists()


def test_guidance_changes_no_byte_of_the_bank(folder):
    synthesize_fakes.main()
    before = files_below(Path("fakes"))
    _guided(folder)
    synthesize_fakes.main()
    after = files_below(Path("fakes"))
    assert {name: content for name, content in after.items() if not name.startswith("sources/")} == before


def test_what_is_no_longer_wanted_is_removed(folder):
    _guided(folder)
    synthesize_fakes.main()
    change_params(folder, lambda params: params["guidance"].update(weights="none"))
    synthesize_fakes.main()
    assert not Path("fakes/sources").exists()

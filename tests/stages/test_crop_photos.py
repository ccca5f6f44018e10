"""crop_photos from a folder of pictures to faces: rejects, resumption, and sets that come and go."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from stages import crop_photos
from stages.lib.photos import people
from tests.helpers.pipeline import ROOT, change_params
from tests.helpers.videos import noise_frames, portrait

# Photo, and what becomes of it.
PHOTOS = {
    "Eileen/1.jpg": None,
    "Eileen/2.png": None,
    "Nobody/1.jpg": "no_face",
    "broken.jpg": "unreadable",
}
OUT = Path("data/photos")


def run(photos: dict[str, dict[str, str]]) -> None:
    change_params(Path(), lambda params: params.update(photos=photos))
    crop_photos.main()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project's folder with a set of photos, three to a shard, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFFAKE_WORKERS", "1")
    monkeypatch.setattr(sys, "argv", ["crop_photos", "--ledgers", "ledgers", "--out", str(OUT)])
    monkeypatch.setattr(people, "SHARD_SIZE", 3)
    YAML().dump(YAML().load(ROOT / "params.yaml"), Path("params.yaml"))
    images = {"Eileen/1.jpg": portrait(), "Eileen/2.png": portrait()[:400], "Nobody/1.jpg": noise_frames(1)[0]}
    for name, image in images.items():
        Path("pictures", name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(f"pictures/{name}", image)
    Path("pictures/broken.jpg").write_bytes(b"no picture")
    return tmp_path


SET = {"layout": "people", "root": "pictures"}


def table(name: str) -> list[dict]:
    return pq.read_table(OUT / name / "photos.parquet").to_pylist()


def faces() -> np.ndarray:
    """The faces of the set's first shard, which alone has some."""
    return np.load(OUT / "own/0000.npy")


def test_every_photo_has_a_face_or_a_reason(folder):
    run({"own": SET})
    assert {row["photo_id"]: row["reject_reason"] for row in table("own")} == PHOTOS


def test_a_crop_is_the_face_at_its_landmarks(folder):
    run({"own": SET})
    row = table("own")[0]
    left, top, width, height = row["box"]
    side, enlarge = faces()[0].shape[0], YAML().load(Path("params.yaml"))["faces"]["enlarge"]
    scale = side / (enlarge * max(width, height))  # the crop is the box, enlarged about its middle
    middle = (
        np.array([left + width / 2, top + height / 2])
        + (np.reshape(row["landmarks"], (68, 2)).mean(axis=0) - side / 2) / scale
    )
    np.testing.assert_allclose(middle, (223, 130), atol=25)  # between the portrait's eyes and chin


def test_a_shard_without_a_face_has_no_file(folder):
    run({"own": SET})
    assert sorted(path.name for path in (OUT / "own").iterdir()) == ["0000.npy", "photos.parquet"]


def test_what_is_done_is_not_done_again(folder, monkeypatch):
    run({"own": SET})
    monkeypatch.setattr(crop_photos, "crop_video", None)  # would fail
    run({"own": SET})
    assert len(faces()) == 2


def test_only_the_shard_of_a_changed_photo_is_done_again(folder, monkeypatch):
    run({"own": SET})
    done = []
    monkeypatch.setattr(crop_photos, "read_photo", lambda path: done.append(path.name))
    Path("pictures/broken.jpg").write_bytes(b"another")
    run({"own": SET})
    assert done == ["broken.jpg"]


def test_no_photos_are_an_empty_folder(folder):
    run({})
    assert list(OUT.iterdir()) == []


def test_a_set_that_is_taken_out_is_removed(folder):
    run({"own": SET, "more": SET})
    run({"more": SET})
    assert [path.name for path in OUT.iterdir()] == ["more"]


def test_an_unexpected_error_names_the_photo(folder, monkeypatch):
    def fail(path):
        raise ZeroDivisionError

    monkeypatch.setattr(crop_photos, "read_photo", fail)
    with pytest.raises(ZeroDivisionError) as error:
        run({"own": SET})
    assert "while processing Eileen/1.jpg" in error.value.__notes__

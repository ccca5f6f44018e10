"""Face pictures from index_videos to crop_faces: taken where they lie, resized, measured, numbered and counted."""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages import crop_faces, extract_frames, index_videos
from stages.lib.errors import InputError
from stages.lib.reasons import FrameReject, VideoReject
from stages.lib.schemas import EXTRACTED_VIDEOS, FACES, INDEX
from stages.lib.tables import read_table
from tests.helpers.pipeline import ROOT, change_params, files_below
from tests.helpers.videos import portrait

NUMBERS = (3, 8, 21, 34, 55, 89, 144, 233)
FACE_PX = 240


def _face(shift: int) -> np.ndarray:
    return np.ascontiguousarray(portrait()[0:FACE_PX, 100 + shift : 100 + shift + FACE_PX])


def _run(dataset: str = "set") -> None:
    index = ["--dataset", dataset, "--seen", f"{dataset}/seen.parquet", "--out", f"{dataset}/index.parquet"]
    extract = ["--index", f"{dataset}/index.parquet", "--root", "pictures", "--ledger", f"{dataset}/extract.sqlite"]
    crop = ["--frames", f"{dataset}/frames", "--root", "pictures", "--ledger", f"{dataset}/crop.sqlite"]
    stages = (
        (index_videos, index),
        (extract_frames, [*extract, "--out", f"{dataset}/frames"]),
        (crop_faces, [*crop, "--out", f"{dataset}/faces"]),
    )
    for stage, arguments in stages:
        sys.argv = [stage.__name__, *arguments]
        stage.main()


def _faces(video: str) -> list[dict]:
    return [row for row in read_table("set/faces/faces.parquet", FACES).to_pylist() if row["video_id"] == video]


def _video(video: str) -> dict:
    rows = read_table("set/frames/videos.parquet", EXTRACTED_VIDEOS).to_pylist()
    return next(row for row in rows if row["video_id"] == video)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A project's folder, the working directory, whose dataset `set` has four folders of face pictures."""
    monkeypatch.setattr("sys.argv", [])
    monkeypatch.setenv("DIFFFAKE_WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for shift, number in enumerate(NUMBERS):
        (tmp_path / "pictures/whole").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / f"pictures/whole/{number}.png"), _face(shift))
    shutil.copytree(tmp_path / "pictures/whole", tmp_path / "pictures/damaged")
    (tmp_path / "pictures/damaged/21.png").write_bytes(b"no picture")
    (tmp_path / "pictures/none").mkdir()
    lines = ["path,label", "whole,real", "damaged,fake", "none,real", "gone,fake"]
    (tmp_path / "pictures/manifest.csv").write_text("\n".join(lines) + "\n")

    def change(params) -> None:
        params["frames"]["per_video"] = 40
        params["datasets"] = {"set": {"layout": "manifest", "root": "pictures", "input": "faces"}}
        params["train_dataset"] = "set"

    change_params(tmp_path, change)
    return tmp_path


@pytest.fixture
def cropped(folder) -> Path:
    _run()
    return folder


def test_the_index_says_that_they_are_faces(cropped):
    assert set(read_table("set/index.parquet", INDEX)["input"].to_pylist()) == {"faces"}


def test_no_frame_is_kept_and_the_pictures_are_counted(cropped):
    assert list(files_below(cropped / "set/frames")) == ["videos.parquet"]
    assert (_video("whole")["n_decoded"], _video("whole")["n_frames"]) == (8, 8)


@pytest.mark.parametrize(
    ("video", "reason"), [("whole", None), ("none", VideoReject.NO_FRAMES), ("gone", VideoReject.MISSING_FILE)]
)
def test_a_folder_without_pictures_has_its_reason(cropped, video, reason):
    assert _video(video)["reject_reason"] == reason


def test_crops_are_the_pictures_resized(cropped):
    expected = [
        cv2.cvtColor(cv2.resize(_face(shift), (224, 224), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        for shift in range(8)
    ]
    np.testing.assert_array_equal(np.load("set/faces/whole.npy"), expected)


def test_frame_numbers_are_those_of_the_names_and_times_nominal(cropped):
    assert [(row["frame_index"], row["time_s"]) for row in _faces("whole")] == [(n, n / 25) for n in NUMBERS]


def test_each_face_is_measured(cropped):
    assert all(row["box"] and row["landmarks"] and any(row["appearance"]) for row in _faces("whole"))


def test_a_picture_that_cannot_be_read_is_recorded_and_the_others_used(cropped):
    assert [row["reject_reason"] for row in _faces("damaged")] == [
        FrameReject.UNREADABLE if n == 21 else None for n in NUMBERS
    ]
    assert [row["face_row"] for row in _faces("damaged")] == [0, 1, None, 2, 3, 4, 5, 6]
    assert np.load("set/faces/damaged.npy").shape == (7, 224, 224, 3)


def test_frames_per_video_takes_pictures_evenly(folder):
    change_params(folder, lambda params: params["frames"].update(per_video=4))
    _run()
    assert [row["frame_index"] for row in _faces("whole")] == [8, 34, 89, 233]


def test_fewer_frames_than_before_are_cropped_again(cropped):
    change_params(cropped, lambda params: params["frames"].update(per_video=2))
    _run()
    assert [row["frame_index"] for row in _faces("whole")] == [21, 144]


def test_what_is_done_is_not_done_again(cropped, capsys):
    capsys.readouterr()
    before = files_below(cropped / "set/faces")
    _run()
    said = capsys.readouterr().out
    assert "4 of 4 videos are done already" in said
    assert "2 of 2 videos are done already" in said
    assert files_below(cropped / "set/faces") == before


def test_a_changed_picture_is_noticed_and_only_its_video_done_again(cropped, capsys):
    capsys.readouterr()
    cv2.imwrite("pictures/damaged/21.png", _face(2))
    _run()
    said = capsys.readouterr().out
    assert "3 of 4 videos are done already" in said
    assert "1 of 2 videos are done already" in said
    assert [row["reject_reason"] for row in _faces("damaged")] == [None] * 8


def test_the_same_folder_as_a_video_is_decoded_and_cropped_by_the_detector(cropped):
    change_params(cropped, lambda params: params["datasets"]["set"].update(input="video"))
    _run()
    assert _video("whole")["pictures"] is None
    assert "whole.parquet" in files_below(cropped / "set/frames")
    assert _faces("whole")[0]["frame_index"] == NUMBERS[0]
    crop = cv2.resize(_face(0), (224, 224), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    assert np.abs(np.load("set/faces/whole.npy")[0].astype(int) - crop).mean() > 5


def test_a_video_file_among_face_pictures_is_an_error(folder):
    Path("pictures/gone").write_bytes(b"a video")
    with pytest.raises(
        InputError, match="`input` is faces, so each video should be a folder .* 1 of 4 are files: gone"
    ):
        _run()


def test_the_params_say_what_may_stand_there(folder):
    change_params(folder, lambda params: params["datasets"]["set"].update(input="pictures"))
    with pytest.raises(InputError, match=r"datasets.set.input: found 'pictures', expected 'video' or 'faces'"):
        _run()

"""From tables of embeddings to scores: more videos than are read at once, and some whose process died."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import fit_anomaly_model, fuse_pairs, score_videos
from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.reasons import FrameReject
from stages.lib.records import N_APPEARANCE, REAL
from stages.lib.schemas import EXTRACTED_VIDEOS, FACES, INDEX, PAIR_SCORES, SCORES, embeddings_schema
from stages.lib.tables import read_table, write_table
from tests.helpers.pipeline import ROOT, change_params

N_VIDEOS, N_FACES, DIMENSION = 70, 6, 4
SPLITS = ["train"] * 40 + ["val"] * 20 + ["test"] * 10
NAMES = [f"{number:02}.mp4" for number in range(N_VIDEOS)]
CROPPING, EMBEDDING = "61.mp4", "62.mp4"  # what the process of each died of


def _params(params) -> None:
    params["train_dataset"], params["datasets"] = "set", {"set": {"layout": "manifest", "root": "set"}}
    params["pairs"].update(per_video=5, train_per_video=8, min_faces=4)
    params["anomaly_model"].update(pca=0, max_vectors=100)
    params["scoring"].update(side="typical", evidence=["pairs", "drift"])


def _faces(name: str) -> list[dict]:
    if name == CROPPING:
        nothing = dict.fromkeys(("face_row", "box", "landmarks", "appearance"))
        return [{"video_id": name, "frame_index": 0, "time_s": 0.0, "reject_reason": FrameReject.CRASHED} | nothing]
    found = {"box": [0.0] * 4, "landmarks": [0.0] * 136, "appearance": [0.0] * N_APPEARANCE, "reject_reason": None}
    return [{"video_id": name, "frame_index": at, "time_s": at / 5, "face_row": at} | found for at in range(N_FACES)]


def _embeddings(name: str, split: str) -> list[dict]:
    rng = np.random.default_rng(int(name[:2]))
    of_video = {"video_id": name, "label": REAL, "method": "", "split": split}
    return [
        of_video
        | {"face_row": at, "frame_index": at, "time_s": at / 5, "fake_logit": rng.normal()}
        | {"embedding": rng.normal(size=DIMENSION), "appearance": rng.normal(size=N_APPEARANCE)}
        for at in range(N_FACES)
    ]


def _write_tables(names: list[str]) -> None:
    """The tables of some of the videos, in this folder."""
    splits = dict(zip(NAMES, SPLITS, strict=True))
    text = dict.fromkeys(INDEX.names, "") | {"label": REAL, "identity": "somebody"}
    index = [text | {"video_id": name, "path": name, "split": splits[name]} for name in names]
    write_table("index.parquet", index, INDEX)
    counts = {"n_frames": 9, "n_decoded": 9, "n_declared": 9, "width": 64, "height": 64}
    write_table("frames/videos.parquet", [{"video_id": name, **counts} for name in names], EXTRACTED_VIDEOS)
    write_table("faces/faces.parquet", [row for name in names for row in _faces(name)], FACES)
    embedded = [name for name in names if name not in (CROPPING, EMBEDDING)]
    rows = [row for name in embedded for row in _embeddings(name, splits[name])]
    write_table("embeddings.parquet", rows, embeddings_schema(DIMENSION, 0))


def _run(stage, *arguments: str) -> None:
    sys.argv = [stage.__name__, *(part for one in arguments for part in one.split())]
    stage.main()


def _fuse() -> None:
    _run(fuse_pairs, "--embeddings embeddings.parquet --out pairs.parquet")


def _score(to: str) -> None:
    _run(
        score_videos,
        "--dataset set --index index.parquet --frames frames --faces faces --embeddings embeddings.parquet",
        f"--pairs pairs.parquet --model model.skops --out {to}/scores.parquet",
        f"--pair-scores {to}/pair_scores.parquet --frame-scores {to}/frame_scores.parquet",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the scores of all videos in ``all``, and of the last three alone in ``three``."""
    folder = tmp_path_factory.mktemp("scores")
    shutil.copy(ROOT / "params.yaml", folder)
    change_params(folder, _params)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("sys.argv", [])
        monkeypatch.chdir(folder)
        _write_tables(NAMES)
        _fuse()
        _run(fit_anomaly_model, "--pairs pairs.parquet --embeddings embeddings.parquet --out model.skops")
        _score("all")
        _write_tables(NAMES[-3:])
        _fuse()
        _score("three")
    return folder


@pytest.fixture(scope="module")
def scores(folder) -> pd.DataFrame:
    return read_table(folder / "all/scores.parquet", SCORES).to_pandas().set_index("video_id")


def test_every_video_has_a_row_in_order(scores):
    assert list(scores.index) == NAMES


def test_every_video_that_did_not_crash_has_a_score(scores):
    assert scores.index[scores["anomaly_score"].isna()].tolist() == [CROPPING, EMBEDDING]


@pytest.mark.parametrize("table", ["scores", "pair_scores", "frame_scores"])
def test_a_videos_scores_do_not_depend_on_which_others_are_read_with_it(folder, table):
    of_all, of_three = (read_table(folder / which / f"{table}.parquet").to_pandas() for which in ("all", "three"))
    expected = of_all[of_all["video_id"].isin(NAMES[-3:])].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_three, expected, check_exact=True)


@pytest.mark.parametrize("name", [CROPPING, EMBEDDING])
def test_a_video_whose_process_died_is_rejected_as_crashed(scores, name):
    assert scores.loc[name, "reject_reason"] == "crashed"


@pytest.mark.parametrize("name", [CROPPING, EMBEDDING])
def test_all_frames_of_a_crashed_video_are_counted(scores, name):
    row = scores.loc[name]
    assert (row["n_frames"], row["n_faces"], json.loads(row["frame_rejects"])) == (9, 0, {"crashed": 9})


def test_a_video_is_scored_by_as_many_pairs_wherever_it_is(folder):
    counts = read_table(folder / "all/pair_scores.parquet", PAIR_SCORES).to_pandas()["video_id"].value_counts()
    assert set(counts) == {5}


def test_the_model_is_fitted_to_no_more_pairs_than_params_allow(folder):
    # 40 training reals; of six faces five pairs are neighbours, and with max_gap 0.04 there are no others
    assert load_anomaly_models(folder / "model.skops").fitted_to == (100, 200)

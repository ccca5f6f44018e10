"""Every benchmark's miniature tree, from index_videos to evaluate: in one process, by the commands of dvc.yaml."""

import importlib
import json
import shlex
import shutil
from pathlib import Path

import cv2
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from tests.helpers import trees
from tests.helpers.pipeline import small_network
from tests.helpers.videos import face_frames, noise_frames, write_video

ROOT = Path(__file__).parents[2]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def _videos(folder: Path) -> list[Path]:
    """A few videos of one face that differ in brightness, so that scores differ."""
    return [
        write_video(folder / f"{n}.mp4", [cv2.add(frame, (4 * n, 2 * n, 0, 0)) for frame in face_frames(10)])
        for n in range(5)
    ]


def _build(name: str, root: Path, videos: list[Path]) -> None:
    def put(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg"):
            cv2.imwrite(str(path), face_frames(1)[0])
            return
        shutil.copyfile(videos[sum(path.as_posix().encode()) % len(videos)], path)

    def put_frames(folder: Path) -> None:
        folder.mkdir(parents=True)
        for n, frame in enumerate(face_frames(10)):
            picture = frame[20:220, 40:240] if name in trees.OF_FACES else frame
            cv2.imwrite(str(folder / f"{n:03d}.png"), cv2.add(picture, (len(folder.name), n, 0, 0)))

    trees.TREES[name](root, put_frames if name in trees.OF_FRAMES else put)


def _params() -> dict:
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["frames"].update(per_video=6)
    params["synthesis"].update(variants=1)
    small_network(params)
    params["train"].update(batch_size=4)
    params["pairs"].update(per_video=4, train_per_video=10, min_faces=3)
    params["train_dataset"] = "ffpp"
    params["datasets"] = {name: {"layout": name, "root": f"inputs/{name}"} for name in trees.TREES}
    params["datasets"]["ffpp"].update(quality="c0", fakes=["test"])
    params["datasets"]["celebdf"].update(reals=["test"], fakes=["test"])
    for name in trees.OF_FACES:
        params["datasets"][name].update(input="faces", reals=["test"], fakes=["test"])
    return params


def _run_stage(monkeypatch: pytest.MonkeyPatch, params: dict, name: str, key: str = "") -> None:
    """Run a stage by its command in dvc.yaml, in this process."""
    command = PIPELINE[name].get("do", PIPELINE[name])["cmd"].replace("${key}", key)
    command = command.replace("${train_dataset}", params["train_dataset"])
    command = command.replace("${item.root}", params["datasets"][key]["root"] if key else "")
    python, dash_m, module, *arguments = shlex.split(command)
    assert (python, dash_m, module) == ("python", "-m", f"stages.{name}")
    monkeypatch.setattr("sys.argv", [module, *arguments])
    importlib.import_module(module).main()


@pytest.fixture(scope="module")
def evaluated(made_once) -> Path:
    """A folder in which every stage ran on every miniature tree."""
    return made_once("benchmarks", _evaluate)


def _evaluate(folder: Path) -> Path:
    params = _params()
    videos = _videos(folder / "made")
    for name in trees.TREES:
        _build(name, folder / "inputs" / name, videos)
    missing = folder / "inputs/celebdf/Celeb-synthesis/id0_id1_0001.mp4"
    missing.unlink()
    (folder / "inputs/wilddeepfake/fake_test/1/fake/40/004.png").write_bytes(b"no picture")
    faceless = folder / "inputs/dfdc/test/ddd.mp4"
    write_video(faceless, noise_frames(10))
    with (folder / "params.yaml").open("w") as stream:
        YAML().dump(params, stream)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DIFFFAKE_WORKERS", "1")
        for name in ("index_videos", "extract_frames", "crop_faces"):
            for key in trees.TREES:
                _run_stage(monkeypatch, params, name, key)
        _run_stage(monkeypatch, params, "synthesize_fakes")
        _run_stage(monkeypatch, params, "train_backbone")
        for name in ("embed_faces", "fuse_pairs"):
            for key in trees.TREES:
                _run_stage(monkeypatch, params, name, key)
        _run_stage(monkeypatch, params, "fit_anomaly_model")
        for key in trees.TREES:
            _run_stage(monkeypatch, params, "score_videos", key)
        _run_stage(monkeypatch, params, "calibrate")
        _run_stage(monkeypatch, params, "evaluate")
    return folder


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


METHODS = {
    "ffpp": {"Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"},
    "faceshifter": {"FaceShifter"},
    "dfd": {"DeepFakeDetection"},
    "celebdf": set(),  # its one test fake is not there
    "celebdf_pp": {"BlendFace", "LIA", "IP_LAP"},
    "deeperforensics": {"end_to_end"},
    "forgerynet": {"FaceShifter", "FS-GAN", "DeepFakes", "BlendFace", "MMReplacement", "DeepFakes-StarGAN-Stack",
                   "Talking-Head-Video", "ATVG-Net"},
    "dfdc": set(),  # its one test fake shows no face
    "dfdc_preview": {"method_A", "method_B"},
    "ffiw": {"FFIW"},
    "fakeavceleb": {"wav2lip", "faceswap", "fsgan-wav2lip"},
    "deepfake_eval_2024": {"Deepfake-Eval-2024"},
    "diffswap": set(),  # a single picture has no pairs
    "df40_ff": {"simswap", "fomm"},
    "df40_cdf": {"simswap"},
    "wilddeepfake": {"WildDeepfake"},
    "deepfakebench": {"Deepfakes", "NeuralTextures"},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*not indexed")
@pytest.mark.parametrize("name", trees.TREES)
def test_every_dataset_goes_from_its_tree_to_its_auc(evaluated, name):
    auc = _json(evaluated / "metrics/auc.json")[name]
    assert set(auc) == METHODS[name] | {"all"}
    assert all((value is None) == (not METHODS[name]) for value in auc.values())
    coverage = _json(evaluated / "metrics/coverage.json")[name]["videos"]
    dropped = {"celebdf": {"missing_file": 1}, "dfdc": {"no_face": 1}, "diffswap": {"too_few_faces": 3}}.get(name, {})
    assert coverage["dropped"] == dropped and coverage["used"] == coverage["indexed"] - sum(dropped.values())


@pytest.mark.parametrize(
    ("name", "n"),
    [("ffpp", 16), ("faceshifter", 4), ("deeperforensics", 2), ("dfd", 1), ("celebdf_pp", 2), ("fakeavceleb", 1)]
    + [("celebdf", None), ("df40_ff", None), ("deepfakebench", 4)],
)
def test_fakes_are_measured_beside_their_originals_where_names_say_so(evaluated, name, n):
    pairs = _json(evaluated / "metrics/pairs.json")[name]
    assert pairs.get("default", {}).get("all", {}).get("n") == n


def test_of_face_pictures_no_frame_is_kept_and_one_that_cannot_be_read_is_counted(evaluated):
    for name, n in (("wilddeepfake", 4), ("deepfakebench", 8)):
        assert [path.name for path in (evaluated / f"data/frames/{name}").rglob("*.*")] == ["videos.parquet"]
        assert len(list((evaluated / f"data/faces/{name}").rglob("*.npy"))) == n
    frames = _json(evaluated / "metrics/coverage.json")["wilddeepfake"]["frames"]
    assert frames == {"extracted": 24, "used": 23, "dropped": {"unreadable": 1}}


def test_splits_that_are_left_out_are_not_even_extracted(evaluated):
    for name, splits in (
        ("ffpp", {"real": {"train", "val", "test"}, "fake": {"test"}}),
        ("celebdf", {"real": {"test"}, "fake": {"test"}}),
    ):
        index = pq.read_table(evaluated / f"data/index/{name}.parquet").to_pandas()
        assert index.groupby("label")["split"].agg(set).to_dict() == splits
        frames = {
            path.relative_to(evaluated / f"data/frames/{name}").as_posix()
            for path in (evaluated / f"data/frames/{name}").rglob("*.parquet")
        }
        there = index[index["fingerprint"] != "missing"]["video_id"]
        assert frames == {f"{video_id}.parquet" for video_id in there} | {"videos.parquet"}


def test_the_results_stand_beside_the_papers_and_say_what_is_not_comparable(evaluated):
    text = (evaluated / "metrics/benchmarks.md").read_text(encoding="utf-8")
    for title in ("Cross-manipulation (the paper's table 3)", "Cross-dataset (the paper's table 5"):
        assert title in text
    assert "Cross-quality" not in text and "| DiffFake, paper | 76.1 | 91.0 | 83.7 | 92.5 | 85.8 |" in text
    assert (evaluated / "metrics/benchmarks.png").stat().st_size > 10_000
    assert "- celebdf: beside the paper's table 1 the test split is incomplete: 2 of 178 reals, 0 of 340 fakes" in text
    assert "- celebdf: 1 of 3 test videos have no score" in text and "- dfdc: beside" not in text
    # 010 is in FaceForensics++'s train split, and a target of DeeperForensics-1.0's test split; 030 is in neither's.
    assert "- deeperforensics: 1 of 2 test reals show people of ffpp's train and val splits" in text

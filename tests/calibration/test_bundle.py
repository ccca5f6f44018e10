"""The calibration file and the models that it belongs to: what is read, and what is refused."""

import json

import pytest

from stages.lib.calibration.bundle import (
    ANOMALY_MODEL,
    BACKBONE,
    CALIBRATION,
    TrainedOn,
    answering,
    fakes_in_words,
    load_calibration,
    read_calibration,
    sha256,
)
from stages.lib.errors import InputError
from tests.helpers.verdicts import calibration_of, measured, write_models


def _written(tmp_path):
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0]))
    return tmp_path / CALIBRATION


def test_what_was_written_is_read(tmp_path):
    assert read_calibration(_written(tmp_path)) == load_calibration(tmp_path)


def test_what_the_models_were_measured_on_is_read_with_it(tmp_path):
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0], measured=measured()))
    assert load_calibration(tmp_path).measured == measured()


def test_a_file_from_before_likelihood_ratios_is_read(tmp_path):
    path = _written(tmp_path)
    content = json.loads(path.read_text())
    del content["measured"]
    path.write_text(json.dumps(content))
    assert read_calibration(path).measured is None


def test_by_a_file_from_before_frames_were_shrunk_none_is(tmp_path):
    path = _written(tmp_path)
    content = json.loads(path.read_text())
    del content["frames"]["max_side"]
    path.write_text(json.dumps(content))
    assert read_calibration(path).frames.max_side == 0


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda content: content["reals"].append([]), "measured.reals.10"),
        (lambda content: content["families"].update(new=content["families"]["swap"]), "measured.families.new.*"),
        (
            lambda content: content["families"]["swap"]["scores"][0].append(float("inf")),
            "measured.families.swap.scores",
        ),
    ],
)
def test_another_content_of_what_was_measured_is_an_error(tmp_path, change, where):
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0], measured=measured()))
    path = tmp_path / CALIBRATION
    content = json.loads(path.read_text())
    change(content["measured"])
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"not a whole calibration .*\({where}.*dvc repro"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda content: content.pop("validation"), "validation"),
        (lambda content: content["validation"].update(scores=["1"]), "validation.scores.0"),
        (lambda content: content["validation"].update(scores=[float("nan")]), "validation.scores.0"),
        (lambda content: content.update(fusion="os.system"), "fusion"),
        (lambda content: content.update(run="me"), "run"),
        (lambda content: content.update(false_alarm_rate=0), "false_alarm_rate"),
    ],
)
def test_another_content_is_an_error_that_names_the_key(tmp_path, change, where):
    path = _written(tmp_path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"calibration\.json: not a whole calibration .*\({where}: .*dvc repro"):
        read_calibration(path)


def test_a_truncated_or_missing_file_is_an_error(tmp_path):
    path = _written(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"not a whole calibration"):
        read_calibration(path)
    path.unlink()
    with pytest.raises(InputError, match=r"no such file; run `dvc repro calibrate`"):
        read_calibration(path)


@pytest.mark.parametrize("name", [BACKBONE, ANOMALY_MODEL])
def test_models_of_another_run_are_an_error_that_names_them(tmp_path, name):
    _written(tmp_path)
    (tmp_path / name).write_bytes(b"another")
    with pytest.raises(InputError, match=rf"{name} is not what calibration.json was made for"):
        load_calibration(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"no file .*{name}"):
        load_calibration(tmp_path)


def test_another_landmark_model_is_an_error(tmp_path):
    landmarks = tmp_path / "points.onnx"
    landmarks.write_bytes(b"one")
    calibration = calibration_of([1.0, 2.0], landmarks=str(landmarks))
    write_models(tmp_path, calibration, landmarks=sha256(landmarks))
    assert load_calibration(tmp_path).faces.landmarks == str(landmarks)
    landmarks.write_bytes(b"two")
    with pytest.raises(InputError, match="landmarks is not what"):
        load_calibration(tmp_path)


def _folder_of(folder, dataset: str):
    folder.mkdir(parents=True)
    trained_on = TrainedOn(dataset=dataset, videos=3, people=2)
    write_models(folder, calibration_of([1.0, 2.0, 3.0]).model_copy(update={"trained_on": trained_on}))
    return folder


@pytest.fixture
def folders(tmp_path):
    """Where a run's own models would be, and the folder of the released ones, with one in it."""
    _folder_of(tmp_path / "released/people-1", "videos")
    return tmp_path / "models", tmp_path / "released"


def test_the_models_that_are_named_answer(folders, tmp_path):
    assert answering(tmp_path / "anything", *folders) == tmp_path / "anything"


def test_without_a_run_the_released_models_answer(folders):
    assert answering(None, *folders) == folders[1] / "people-1"


def test_a_run_of_ones_own_answers_before_the_released_models(folders):
    _folder_of(folders[0], "videos")
    assert answering(None, *folders) == folders[0]


def test_a_run_on_the_demo_does_not_answer(folders):
    _folder_of(folders[0], "demo")
    assert answering(None, *folders) == folders[1] / "people-1"


def test_a_run_that_cannot_be_read_is_an_error_and_no_other_answers(folders):
    _folder_of(folders[0], "videos")
    (folders[0] / CALIBRATION).write_text("{}")
    with pytest.raises(InputError, match=r"not a whole calibration"):
        answering(None, *folders)


def test_several_released_models_are_an_error_that_names_them(folders):
    _folder_of(folders[1] / "people-2", "videos")
    with pytest.raises(InputError, match=r"several models \(people-1, people-2\); name one, as in --models .*people-1"):
        answering(None, *folders)


def test_no_model_at_all_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"no models to judge.*none in .*models.*own-videos.md.*git checkout"):
        answering(None, tmp_path / "models", tmp_path / "released")


def test_only_the_demos_models_are_an_error_that_says_so(tmp_path):
    _folder_of(tmp_path / "models", "demo")
    with pytest.raises(InputError, match=r"trained on the demo's rendered portraits.*--models .*models"):
        answering(None, tmp_path / "models", tmp_path / "released")


def test_what_was_trained_on_pseudo_fakes_alone_is_written_as_before_others_could_be():
    assert TrainedOn(dataset="d", videos=3, people=2).model_dump() == {"dataset": "d", "videos": 3, "people": 2}


def test_the_methods_of_fakes_that_were_trained_on_are_read_back(tmp_path):
    trained_on = TrainedOn(dataset="d", videos=3, people=2, fakes=["X", "Y"])
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0]).model_copy(update={"trained_on": trained_on}))
    assert read_calibration(tmp_path / CALIBRATION).trained_on == trained_on


@pytest.mark.parametrize(
    ("methods", "said"), [([], ""), (["Deepfakes", "FaceSwap"], "trained on fakes: Deepfakes, FaceSwap")]
)
def test_fakes_that_were_trained_on_are_said_in_one_way(methods, said):
    assert fakes_in_words(methods) == said

"""Thresholds, p-values and rates against hand calculation and simulation, and the calibration file's errors."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm

from stages.lib.calibration.bundle import load_calibration, read_calibration, sha256
from stages.lib.calibration.thresholds import basis, p_value, percentile, rate_interval, threshold
from stages.lib.detection.wording import describe
from stages.lib.errors import InputError
from stages.lib.evaluation.alarms import alarm_rows, alarms
from tests.helpers.verdicts import calibration_of, write_models


def test_with_many_reals_the_threshold_is_one_of_their_scores():
    assert threshold(np.arange(1, 20), 0.05) == 19  # the 19th of 19: ceil(0.95 * 20)
    assert threshold(np.arange(1, 40)[::-1], 0.05) == 38  # the 38th of 39
    assert threshold(np.arange(1, 100), 0.1) == 90
    assert (basis(19, 0.05), basis(18, 0.05), basis(9, 0.1), basis(1, 0.5)) == ("rank", "normal", "rank", None)


def test_with_few_reals_it_is_the_normal_prediction_limit():
    # mean 5, deviation 2, n = 4; Student's t with 3 degrees of freedom leaves 5 % above 2.353 (any table).
    reals = 5 + 2 * np.array([-1, -1, 1, 1]) * math.sqrt(3) / 2
    assert threshold(reals, 0.05) == pytest.approx(5 + 2.353 * 2 * math.sqrt(1.25), abs=2e-3)


@pytest.mark.parametrize(("n", "draw"), [(4, "normal"), (12, "normal"), (25, "lognormal"), (60, "lognormal")])
def test_on_average_a_new_real_is_called_anomalous_as_often_as_stated(n, draw):
    rng = np.random.default_rng(0)
    sets, new = getattr(rng, draw)(size=(20_000, n)), getattr(rng, draw)(size=20_000)
    alarms = np.mean([score > threshold(reals, 0.05) for reals, score in zip(sets, new, strict=True)])
    least = 0.045 if draw == "normal" else math.floor(0.05 * (n + 1)) / (n + 1) - 0.005
    assert least < alarms < 0.055


@pytest.mark.parametrize("n", [3, 6, 25, 100])
def test_the_interval_holds_95_percent_of_the_true_rates(n):
    rng = np.random.default_rng(1)
    true = np.array([norm.sf(threshold(rng.normal(size=n), 0.05)) for _ in range(20_000)])
    low, high = rate_interval(n, 0.05)
    assert np.mean(true < low) == pytest.approx(0.025, abs=0.005)
    assert np.mean(true > high) == pytest.approx(0.025, abs=0.005)


@pytest.mark.parametrize("n", [2, 6, 19, 20, 50])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_the_p_value_is_at_most_the_rate_exactly_where_a_score_is_anomalous(n, rate):
    rng = np.random.default_rng(n)
    reals = rng.normal(size=n)
    for score in [*rng.normal(size=100) * 3, *reals]:
        assert (p_value(reals, score, rate) <= rate + 1e-12) == (score > threshold(reals, rate))


def test_percentile_counts_equal_scores_half():
    assert percentile([1, 2, 2, 3], 2) == 50 and percentile([1, 2], 9) == 100 and percentile([1, 2], 0) == 0


@pytest.mark.parametrize("reals", [[], [3.0]])
def test_fewer_than_two_reals_decide_nothing(reals):
    assert threshold(reals, 0.05) is p_value(reals, 1.0, 0.05) is rate_interval(len(reals), 0.05) is None
    assert "too few to decide anything" in describe(calibration_of(reals), 0.05)


def test_equal_scores_give_a_threshold_and_p_values():
    assert threshold([2.0, 2.0, 2.0], 0.05) == 2.0
    assert (p_value([2.0, 2.0, 2.0], 2.1, 0.05), p_value([2.0, 2.0, 2.0], 2.0, 0.05)) == (0.0, 1.0)


def test_alarms_are_counted_on_reals_and_fakes():
    calibration = calibration_of(list(range(1, 20)))
    scores = {
        "a": {
            "swap": (np.array([1.0, 50.0, 3.0, 4.0]), np.array([99.0, 2.0])),
            "all": (np.array([1.0, 50.0, 3.0, 4.0]), np.array([99.0, 2.0])),
        }
    }
    scores["b"] = {"all": (np.array([]), np.array([]))}
    found = alarms(scores, calibration)
    assert (found["nominal"], found["threshold"], found["basis"], found["validation_reals"]) == (0.05, 19.0, "rank", 19)
    a, b = found["datasets"]["a"], found["datasets"]["b"]
    assert (a["achieved"], a["n_real"], a["found"]) == (0.25, 4, {"swap": 0.5, "all": 0.5})
    low, high = a["achieved_ci95"]
    z = 1.959964  # Wilson's interval of 1 in 4 by its formula
    middle, half = (0.25 + z**2 / 8) / (1 + z**2 / 4), z * math.sqrt(0.25 * 0.75 / 4 + z**2 / 64) / (1 + z**2 / 4)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-5)
    assert b == {"achieved": None, "achieved_ci95": None, "n_real": 0, "found": {"all": None}}
    rows = [row for row in alarm_rows(scores, calibration) if row["nominal"] == 0.05]
    assert {row["method"]: row["share"] for row in rows} == {"real": 0.25, "swap": 0.5}


def test_it_is_said_what_a_threshold_rests_on():
    few, many = (
        describe(calibration_of([1.0, 2.0, 3.0, 4.0], test=[2.0, 99.0]), 0.05),
        describe(calibration_of(list(range(40))), 0.05),
    )
    assert "4 real validation videos" in few and "fewer than the 19" in few and "1 of 2 called anomalous (50.0%)" in few
    assert "by rank" in many and "40 real validation videos" in many and "Achieved" not in many


def _written(tmp_path):
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0]))
    return tmp_path / "calibration.json"


def test_what_was_written_is_read(tmp_path):
    assert read_calibration(_written(tmp_path)) == load_calibration(tmp_path)


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


@pytest.mark.parametrize("name", ["backbone.safetensors", "anomaly_model.skops"])
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

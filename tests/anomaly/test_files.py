"""The file of the anomaly models: equal bytes, equal scores, and what is refused."""

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.evidence import Reference, pair_density
from stages.lib.anomaly.files import AnomalyModels, load_anomaly_models, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.errors import InputError
from tests.helpers.params import anomaly_model_settings

EVIDENCE = np.array([[1.5, -2.0, np.nan, -0.2], [1e300, 0.1, np.nan, 0.0]])


def _reference() -> Reference:
    return Reference(("a", "лица/Zoë, 2.mp4"), EVIDENCE.copy())


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_same_seed_same_bytes(tmp_path, mixture, kind):
    for name in "ab":
        model = fit_anomaly_model(mixture(500), anomaly_model_settings(kind=kind), seed=3)
        other = fit_anomaly_model(mixture(400), anomaly_model_settings(), seed=1)
        save_anomaly_models(tmp_path / name, AnomalyModels(model, other, _reference()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_loaded_model_gives_the_same_scores(tmp_path, mixture, kind):
    model = fit_anomaly_model(mixture(500), anomaly_model_settings(kind=kind), seed=3)
    other = fit_anomaly_model(mixture(400), anomaly_model_settings(), seed=1)
    save_anomaly_models(tmp_path / "m", AnomalyModels(model, other, _reference()))
    loaded = load_anomaly_models(tmp_path / "m").pairs
    np.testing.assert_array_equal(pair_density(loaded, mixture(50, 2)), pair_density(model, mixture(50, 2)))


@pytest.fixture
def saved(tmp_path, mixture):
    """A file with a reference of two videos."""
    model = fit_anomaly_model(mixture(100), anomaly_model_settings(), seed=0)
    save_anomaly_models(tmp_path / "m", AnomalyModels(model, model, _reference()))
    return tmp_path / "m"


def test_a_loaded_reference_has_the_same_videos(saved):
    assert load_anomaly_models(saved).reference.video_ids == ("a", "лица/Zoë, 2.mp4")


def test_a_loaded_reference_has_the_same_evidence(saved):
    np.testing.assert_array_equal(load_anomaly_models(saved).reference.evidence, EVIDENCE)


def test_a_file_that_says_how_many_pairs_it_was_fitted_to_is_read_so(tmp_path, mixture):
    model = fit_anomaly_model(mixture(100), anomaly_model_settings(), seed=0)
    save_anomaly_models(tmp_path / "m", AnomalyModels(model, model, _reference(), (100, 250)))
    assert load_anomaly_models(tmp_path / "m").fitted_to == (100, 250)


def test_a_file_that_does_not_say_it_is_read_as_well(saved):
    assert load_anomaly_models(saved).fitted_to is None


@pytest.mark.parametrize(
    "reference",
    [
        {"video_ids": ["a"], "evidence": EVIDENCE},
        {"video_ids": ["a", "b"], "evidence": EVIDENCE[:, :2]},
        {"video_ids": [1, 2], "evidence": EVIDENCE},
        {"video_ids": ["a", "b"]},
        [],
    ],
    ids=["a video too few", "a column too few", "numbers for names", "no evidence", "a list"],
)
def test_a_reference_that_does_not_fit_is_a_clear_error(saved, reference):
    skops.io.dump(skops.io.load(saved) | {"reference": reference}, saved)
    with pytest.raises(InputError, match="not a whole anomaly model"):
        load_anomaly_models(saved)


def test_a_file_without_a_reference_is_a_clear_error(saved):
    content = skops.io.load(saved)
    del content["reference"]
    skops.io.dump(content, saved)
    with pytest.raises(InputError, match="not a whole anomaly model .*reference"):
        load_anomaly_models(saved)


def test_a_missing_file_is_an_error_that_says_how_to_make_it(tmp_path):
    with pytest.raises(InputError, match="no such file; run `dvc repro fit_anomaly_model`"):
        load_anomaly_models(tmp_path / "model.skops")


def test_a_damaged_file_is_a_clear_error(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match="not a whole anomaly model"):
        load_anomaly_models(path)


class Foreign(LogisticRegression):
    pass


def test_foreign_types_are_refused(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump({"m": Foreign()}, path)
    with pytest.raises(InputError, match="types that an anomaly model has no need of .*Foreign"):
        load_anomaly_models(path)

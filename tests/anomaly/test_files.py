"""The file of the anomaly models: equal bytes, equal scores, and what is refused."""

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.files import FRAME_MODEL, PAIR_MODEL, load_anomaly_models, save_anomaly_models
from stages.lib.anomaly.fitting import fit_anomaly_model
from stages.lib.anomaly.scoring import anomaly_scores
from stages.lib.errors import InputError
from tests.helpers.params import anomaly_model_settings


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_same_seed_same_bytes(tmp_path, mixture, kind):
    for name in "ab":
        model = fit_anomaly_model(mixture(500), anomaly_model_settings(kind=kind), seed=3)
        other = fit_anomaly_model(mixture(400), anomaly_model_settings(), seed=1)
        save_anomaly_models(tmp_path / name, {PAIR_MODEL: model, FRAME_MODEL: other})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_loaded_model_gives_the_same_scores(tmp_path, mixture, kind):
    model = fit_anomaly_model(mixture(500), anomaly_model_settings(kind=kind), seed=3)
    other = fit_anomaly_model(mixture(400), anomaly_model_settings(), seed=1)
    save_anomaly_models(tmp_path / "m", {PAIR_MODEL: model, FRAME_MODEL: other})
    loaded = load_anomaly_models(tmp_path / "m")[PAIR_MODEL]
    np.testing.assert_array_equal(anomaly_scores(loaded, mixture(50, 2)), anomaly_scores(model, mixture(50, 2)))


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

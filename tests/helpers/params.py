"""The one set of parameters of the tests: those shipped, made small, with what a test changes."""

from pathlib import Path
from typing import Any, TypeVar

from stages.lib.anomaly.settings import AnomalyModelSettings, ScoringSettings
from stages.lib.backbone.settings import BackboneSettings, TrainingSettings
from stages.lib.datasets.settings import CrossValidationSettings
from stages.lib.faces.settings import FaceSettings
from stages.lib.frames.settings import FrameSettings
from stages.lib.pairs.settings import PairSettings
from stages.lib.settings import Settings
from stages.params import load_params

SHIPPED = load_params(Path(__file__).parents[2] / "params.yaml")
TINY_NETWORK = "test_resnet"
S = TypeVar("S", bound=Settings)


def changed(section: S, **changes: Any) -> S:
    """A section with some values changed, checked as if it had been written so."""
    return type(section).model_validate(section.model_dump() | changes)


def frame_settings(**changes: Any) -> FrameSettings:
    return changed(SHIPPED.frames, **{"per_video": 8} | changes)


def face_settings(**changes: Any) -> FaceSettings:
    return changed(SHIPPED.faces, **changes)


def backbone_settings(**changes: Any) -> BackboneSettings:
    return changed(SHIPPED.backbone, **{"name": TINY_NETWORK, "weights": "none", "input_size": 32} | changes)


def training_settings(**changes: Any) -> TrainingSettings:
    tiny = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "weight_decay": 0.0, "augment": False}
    plain = {"patch": 0, "boundary": 0.0, "average": 0.0, "sam_rho": 0.05, "precision": "fp32"}
    return changed(SHIPPED.train, **tiny | plain | changes)


def pair_settings(**changes: Any) -> PairSettings:
    tiny = {"per_video": 6, "train_per_video": 20, "min_gap": 0.0, "max_gap": 0.5, "min_faces": 4}
    return changed(SHIPPED.pairs, **tiny | changes)


def anomaly_model_settings(**changes: Any) -> AnomalyModelSettings:
    tiny = {"pca": 0, "covariance": "full", "regularization": 1e-6, "bottleneck": 1, "transforms": 1}
    return changed(SHIPPED.anomaly_model, **tiny | changes)


def scoring_settings(**changes: Any) -> ScoringSettings:
    """The paper's, with changes."""
    return changed(SHIPPED.scoring, **{"side": "upper", "evidence": ["pairs"]} | changes)


def cross_validation_settings(**changes: Any) -> CrossValidationSettings:
    return changed(SHIPPED.cross_validation, **changes)

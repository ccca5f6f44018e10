"""The models of a folder, ready to judge videos by the pipeline's own road from faces to a score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from stages.lib.anomaly.evidence import boundary_logit, drift, pair_density, pair_evidence
from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.anomaly.scoring import score_video
from stages.lib.anomaly.settings import EVIDENCE
from stages.lib.calibration.bundle import ANOMALY_MODEL, BACKBONE, Calibration
from stages.lib.detection.observation import Observation
from stages.lib.detection.verdict import Verdict, decide
from stages.lib.errors import InputError
from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.fusion import Features, fuse
from stages.lib.records import N_APPEARANCE
from stages.lib.runtime import pick_device


@dataclass(frozen=True)
class EmbeddedFaces:
    """What the network makes of n faces of a video: their ``features``, the log-odds of a ``boundary``, float32 (n,)
    (None: no such map), and their ``times`` in seconds, float64 (n,).
    """

    features: Features
    boundary: np.ndarray | None
    times: np.ndarray

    def evidence(self, pairs: np.ndarray, model: Pipeline, fusion: str) -> np.ndarray:
        """The evidence of pairs, int64 (m, 2), by an anomaly model of pairs: float64 (m, 4)."""
        density = pair_density(model, fuse(self.features, pairs, fusion))
        own_drift = drift(self.features.appearance, self.times)
        return pair_evidence(density, self.features.logit, self.boundary, own_drift, pairs)


class Detector:
    """The models of a folder; loading them runs no code of theirs. Raises :class:`InputError` for damaged ones.

    ``calibration``: of :func:`stages.lib.calibration.bundle.load_calibration`, which checks that they belong together.
    """

    def __init__(self, folder: Path, calibration: Calibration) -> None:
        # Imported here: seconds of PyTorch, which observing has no need of.
        from stages.lib.backbone.checkpoint import load_backbone
        from stages.lib.backbone.embedding import embed

        self.calibration = calibration
        self._embed, self._device = embed, pick_device()
        self._backbone, self._architecture = load_backbone(folder / BACKBONE, self._device)
        self.models = load_anomaly_models(folder / ANOMALY_MODEL)
        self._check_widths(folder / ANOMALY_MODEL)

    def _check_widths(self, path: Path) -> None:
        """Raise where the anomaly model doesn't take what the backbone and the fusion give."""
        one_face = Features(
            np.zeros((1, self._architecture.embedding_dim), np.float32),
            np.zeros(1, np.float32),
            np.zeros((1, N_APPEARANCE), np.float32),
        )
        fusion, taken = self.calibration.fusion, getattr(self.models.pairs, "n_features_in_", None)
        given = fuse(one_face, np.zeros((1, 2), np.int64), fusion).shape[1]
        if taken != given:
            raise InputError(
                f"{path}: takes vectors of {taken} numbers, but the backbone and fusion '{fusion}' give {given}: they "
                "are not of one run; run `dvc repro`"
            )

    def embed(self, observation: Observation) -> EmbeddedFaces:
        """What the network makes of the faces that :func:`stages.lib.detection.observation.observe` gave; there must be
        one at least.
        """
        found = self._embed(self._backbone, observation.crops, self._architecture.input_size, self._device)
        appearance = np.array([face.appearance for face in observation.used], np.float32)
        boundary = None if found.boundary is None else boundary_logit(found.boundary.reshape(len(found.boundary), -1))
        times = np.array([face.time_s for face in observation.used])
        return EmbeddedFaces(Features(found.embedding, found.logit, appearance), boundary, times)

    def judge(self, observation: Observation, rate: float) -> Verdict:
        """The verdict on what :func:`stages.lib.detection.observation.observe` gave, at a false-alarm rate in (0,
        1).
        """
        calibration, faces = self.calibration, observation.used
        evidence, pairs = np.empty((0, len(EVIDENCE))), drawn(observation, calibration)
        if len(pairs):
            evidence = self.embed(observation).evidence(pairs, self.models.pairs, calibration.fusion)
        reject = observation.extracted.reject_reason
        score = score_video(evidence, self.models.reference, calibration.scoring, len(faces), reject)
        return decide(observation, pairs, score, calibration, rate)


def drawn(observation: Observation, calibration: Calibration) -> np.ndarray:
    """The pairs of a video's faces that it is scored by: int64 (n, 2), rows of ``observation.crops``."""
    times = np.array([face.time_s for face in observation.used])
    return draw_pairs(times, calibration.pairs.per_video, calibration.pairs, calibration.seed)

"""The models of a folder, ready to judge videos by the pipeline's own road from faces to a score."""

from pathlib import Path

import numpy as np

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


class Detector:
    """The models of a folder; loading them runs no code of theirs. Raises :class:`InputError` for damaged ones.

    ``calibration``: of :func:`stages.lib.calibration.bundle.load_calibration`, which checks that they belong together.
    """

    def __init__(self, folder: Path, calibration: Calibration) -> None:
        # Imported here: seconds of PyTorch, which observing has no need of.
        from stages.lib.backbone.checkpoint import load_backbone
        from stages.lib.backbone.network import embed

        self.calibration = calibration
        self._embed, self._device = embed, pick_device()
        self._backbone, self._architecture = load_backbone(folder / BACKBONE, self._device)
        models = load_anomaly_models(folder / ANOMALY_MODEL)
        self._model, self._reference = models.pairs, models.reference
        self._check_widths(folder / ANOMALY_MODEL)

    def _check_widths(self, path: Path) -> None:
        """Raise where the anomaly model doesn't take what the backbone and the fusion give."""
        one_face = Features(
            np.zeros((1, self._architecture.embedding_dim), np.float32),
            np.zeros(1, np.float32),
            np.zeros((1, N_APPEARANCE), np.float32),
        )
        fusion, taken = self.calibration.fusion, getattr(self._model, "n_features_in_", None)
        given = fuse(one_face, np.zeros((1, 2), np.int64), fusion).shape[1]
        if taken != given:
            raise InputError(
                f"{path}: takes vectors of {taken} numbers, but the backbone and fusion '{fusion}' give {given}: they "
                "are not of one run; run `dvc repro`"
            )

    def judge(self, observation: Observation, rate: float) -> Verdict:
        """The verdict on what :func:`stages.lib.detection.observation.observe` gave, at a false-alarm rate in (0,
        1).
        """
        calibration, faces = self.calibration, observation.used
        times = np.array([face.time_s for face in faces])
        pairs = draw_pairs(times, calibration.pairs.per_video, calibration.pairs, calibration.seed)
        evidence = self._evidence(observation, pairs) if len(pairs) else np.empty((0, len(EVIDENCE)))
        reject = observation.extracted.reject_reason
        score = score_video(evidence, self._reference, calibration.scoring, len(faces), reject)
        return decide(observation, pairs, score, calibration, rate)

    def _evidence(self, observation: Observation, pairs: np.ndarray) -> np.ndarray:
        found = self._embed(self._backbone, observation.crops, self._architecture.input_size, self._device)
        appearance = np.array([face.appearance for face in observation.used], np.float32)
        fused = fuse(Features(found.embedding, found.logit, appearance), pairs, self.calibration.fusion)
        maps = found.boundary
        boundary = None if maps is None else boundary_logit(maps.reshape(len(maps), -1))
        times = np.array([face.time_s for face in observation.used])
        density = pair_density(self._model, fused)
        return pair_evidence(density, found.logit, boundary, drift(appearance, times), pairs)

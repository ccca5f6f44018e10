"""Calibrations and verdicts made by hand, for the tests of what is written of a video."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.lib.anomaly.evidence import make_reference
from stages.lib.anomaly.scoring import VideoScore, score_video
from stages.lib.calibration.bundle import (
    ANOMALY_MODEL,
    BACKBONE,
    CALIBRATION,
    Calibration,
    Family,
    Measured,
    Reals,
    TrainedOn,
)
from stages.lib.detection.observation import Observation
from stages.lib.detection.verdict import Verdict, decide
from stages.lib.faces.landmarks import canonical_face
from stages.lib.faces.video_faces import Face
from stages.lib.files import write_json
from stages.lib.fingerprint import sha256
from stages.lib.frames.extraction import ExtractedVideo
from stages.lib.images import encode_jpeg
from stages.lib.reasons import FrameReject, VideoReject
from stages.lib.records import N_APPEARANCE
from tests.helpers.params import face_settings, frame_settings, pair_settings, scoring_settings

RATE = 0.05


def calibration_of(
    scores: Sequence[float],
    test: Sequence[float] = (),
    landmarks: str = "mesh",
    measured: Measured | None = None,
) -> Calibration:
    """A calibration on validation reals of these scores."""
    return Calibration(
        release=None,
        made_from=None,
        seed=0,
        fusion="sub2",
        frames=frame_settings(),
        faces=face_settings(landmarks=landmarks),
        pairs=pair_settings(),
        scoring=scoring_settings(),
        false_alarm_rate=RATE,
        files={},
        trained_on=TrainedOn(dataset="demo", videos=3, people=2),
        validation=Reals(source="some reals", people=len(scores), scores=[float(score) for score in scores]),
        test=Reals(source="other reals", people=0, scores=[float(score) for score in test]),
        pair_scores=[1.0, 2.0, 3.0],
        looks={"face_px": [50.0, 150.0]},
        packages={},
        measured=measured,
    )


def trained_on_fakes(calibration: Calibration, *methods: str) -> Calibration:
    """A calibration of a model that was trained on genuine fakes."""
    trained_on = calibration.trained_on.model_copy(update={"fakes": list(methods)})
    return calibration.model_copy(update={"trained_on": trained_on})


def measured(n_people: int = 10, apart: float = 4.0) -> Measured:
    """Test reals of 0, 0.1, … and face swaps by two methods, of the same people, that score so much higher; with one
    animated face.
    """
    reals = [[at / 10] for at in range(n_people)]
    swaps = [[at / 10 + apart, at / 10 + apart + 0.05] for at in range(n_people)]
    families = {
        "swap": Family(methods={"x": n_people, "y": n_people}, scores=swaps),
        "animated": Family(methods={"z": 1}, scores=[[0.5]]),
    }
    return Measured(dataset="demo", reals=reals, families=families)


def write_models(folder: Path, calibration: Calibration, **digests: str) -> None:
    """Stand-ins for the model files, and the calibration that belongs to them."""
    for name in (BACKBONE, ANOMALY_MODEL):
        (folder / name).write_bytes(name.encode())
        digests[name] = sha256(folder / name)
    write_json(folder / CALIBRATION, calibration.model_dump() | {"files": digests})


def observation_of(name: str, n_faces: int = 6, dropped: int = 0, face_px: float = 100.0) -> Observation:
    """What decoding and cropping might have given of a video: noise for faces, the last ``dropped`` frames without
    one.
    """
    crops = np.random.default_rng(0).integers(0, 255, (n_faces, 224, 224, 3), np.uint8)
    box = np.array([10.0, 10.0, face_px, face_px])
    grey = np.zeros(N_APPEARANCE, np.float32)
    faces = [Face(5 * i, i / 5, None, box, canonical_face() * 58 + 112, grey) for i in range(n_faces)]
    faces += [Face(5 * i, i / 5, FrameReject.NO_FACE) for i in range(n_faces, n_faces + dropped)]
    extracted = ExtractedVideo(40, 40, 320, 240, reject_reason=None if faces else VideoReject.UNREADABLE)
    view = encode_jpeg(np.full((90, 160, 3), 120, np.uint8)) if n_faces else None
    return Observation(name, extracted, "0" * 64, 12345, faces, crops, view)


def verdict_of(observation: Observation, pair_scores: Sequence[float], calibration: Calibration) -> Verdict:
    """The verdict on a video whose neighbouring pairs of faces have these scores."""
    pairs = np.array([(i, i + 1) for i in range(len(pair_scores))])
    evidence = np.column_stack([pair_scores, np.zeros(len(pair_scores)), np.full(len(pair_scores), np.nan)])
    score = score_video(evidence, make_reference({}), calibration.scoring, observation.n_frames)
    return decide(observation, pairs, score, calibration, RATE)


def rejected(observation: Observation, reason: VideoReject, calibration: Calibration) -> Verdict:
    """The verdict on a video that has no score for that reason."""
    return decide(observation, np.empty((0, 2), int), VideoScore(None, np.empty(0), reason), calibration, RATE)

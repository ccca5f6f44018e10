"""Calibrations and verdicts made by hand, for the tests of what is said of a video."""

from pathlib import Path

import numpy as np

from stages.lib.calibration.bundle import Calibration, sha256
from stages.lib.detection.detector import place_among_reals
from stages.lib.detection.observation import Seen
from stages.lib.detection.verdict import Pair, Verdict
from stages.lib.files import write_json
from stages.lib.images import encode_jpeg


def calibration_of(scores: list[float], test: list[float] = (), landmarks: str = "haar") -> Calibration:
    """A calibration on validation reals of these scores."""
    return Calibration(
        seed=0,
        fusion="sub2",
        frames={"per_video": 8},
        faces={"landmarks": landmarks, "select": "largest", "enlarge": 1.3},
        pairs={"per_video": 6, "train_per_video": 20, "min_gap": 0.0, "max_gap": 0.5, "min_faces": 4},
        false_alarm_rate=0.05,
        files={},
        trained_on={"dataset": "demo", "videos": 3, "people": 2},
        validation={"people": len(scores), "scores": [float(score) for score in scores]},
        test={"people": 0, "scores": [float(score) for score in test]},
        pair_scores=[1.0, 2.0, 3.0],
        face_px=[50.0, 150.0],
        packages={},
    )


def write_models(folder: Path, calibration: Calibration, **digests: str) -> None:
    """Stand-ins for the model files, and the calibration that belongs to them."""
    for name in ("backbone.safetensors", "anomaly_model.skops"):
        (folder / name).write_bytes(name.encode())
        digests[name] = sha256(folder / name)
    write_json(folder / "calibration.json", calibration.model_dump() | {"files": digests})


def seen_of(name: str, n_faces: int = 6, dropped: int = 0, face_px: float = 100.0) -> Seen:
    """What might have been seen of a video: noise for faces, the last ``dropped`` frames without one."""
    crops = np.random.default_rng(0).integers(0, 255, (n_faces, 224, 224, 3), np.uint8)
    rows = [
        {"frame_index": 5 * i, "time_s": i / 5, "reject_reason": None if i < n_faces else "no_face"}
        | ({"box": [10.0, 10.0, face_px, face_px]} if i < n_faces else {})
        for i in range(n_faces + dropped)
    ]
    extracted = {"n_decoded": 40, "n_declared": 40, "width": 320, "height": 240, "n_frames": len(rows)}
    extracted |= {"note": None, "reject_reason": None if rows else "unreadable"}
    view = encode_jpeg(np.full((90, 160, 3), 120, np.uint8)) if n_faces else None
    return Seen(name, "0" * 64, 12345, extracted, rows, crops, view)


def verdict_of(seen: Seen, pair_scores: list[float], calibration: Calibration, rate: float = 0.05) -> Verdict:
    """The verdict on a video whose neighbouring pairs of faces have these scores."""
    verdict = Verdict(seen, "cannot tell", None, n_faces=len(seen.crops))
    verdict.pairs = [Pair(i, i + 1, score) for i, score in enumerate(pair_scores)]
    place_among_reals(verdict, float(np.mean(pair_scores)), calibration, rate)
    return verdict

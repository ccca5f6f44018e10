"""A verdict as JSON holds it: everything but the pictures."""

from typing import Any

from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.ratios import FamilyRatio
from stages.lib.detection.verdict import Verdict
from stages.lib.detection.wording import note_in_words, ratio_in_words, reason
from stages.lib.faces.video_faces import Face


def verdict_as_json(verdict: Verdict, calibration: Calibration) -> dict[str, Any]:
    """Codes, figures and sentences of a verdict; keys as docs/detect.md lists them."""
    observation, extracted = verdict.observation, verdict.observation.extracted
    used = observation.used
    return {
        "video": observation.name,
        "sha256": observation.sha256,
        "bytes": observation.n_bytes,
        "width": extracted.width,
        "height": extracted.height,
        "n_declared": extracted.n_declared,
        "n_decoded": extracted.n_decoded,
        "n_frames": observation.n_frames,
        "decision": verdict.decision,
        "reject_reason": verdict.reject_reason,
        "reason": reason(verdict, calibration),
        "notes": [note_in_words(note) for note in verdict.notes],
        "anomaly_score": verdict.anomaly_score,
        "anomaly_score_interval": verdict.interval,
        "percentile": verdict.percentile,
        "p_value": verdict.p_value,
        "likelihood_ratios": [_ratio(one) for one in verdict.likelihood_ratios],
        "n_faces": verdict.n_faces,
        "n_pairs": len(verdict.pairs),
        "frame_rejects": verdict.frame_rejects,
        "faces": [_where(face) | {"box": None if face.box is None else face.box.tolist()} for face in used],
        "dropped_frames": [
            _where(face) | {"reject_reason": face.reject_reason} for face in observation.faces if face.reject_reason
        ],
        "pairs": [
            {"a": _where(used[pair.a]), "b": _where(used[pair.b]), "anomaly_score": pair.anomaly_score}
            for pair in verdict.pairs
        ],
    }


def _ratio(one: FamilyRatio) -> dict[str, Any]:
    return {
        "family": one.family,
        "methods": one.methods,
        "likelihood_ratio": one.ratio,
        "bounds": one.bounds,
        "n_fake": one.n_fake,
        "people_fake": one.people_fake,
        "dataset": one.dataset,
        "n_real": one.n_real,
        "people_real": one.people_real,
        "words": ratio_in_words(one),
    }


def _where(face: Face) -> dict[str, Any]:
    return {"frame_index": face.frame_index, "time_s": face.time_s}

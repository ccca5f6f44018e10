"""Verdicts as JSON and CSV hold them: everything but the pictures."""

from typing import Any

from stages.lib.calibration.bundle import Calibration
from stages.lib.calibration.ratios import FamilyRatio
from stages.lib.calibration.thresholds import basis, rate_interval, threshold
from stages.lib.detection.verdict import Verdict
from stages.lib.detection.wording import (
    limits,
    model_in_words,
    note_in_words,
    ratio_in_words,
    ratios_in_words,
    reason,
    verdict_in_words,
    what_a_verdict_rests_on,
)
from stages.lib.faces.video_faces import Face

# Of the keys of a verdict, those that a line of CSV has.
CSV_COLUMNS = (
    *("video", "decision", "anomaly_score", "percentile", "p_value", "is_like_the_reals", "n_faces", "n_frames"),
    *("reject_reason", "reason", "sha256"),
)


def run_as_json(calibration: Calibration, rate: float, warnings: list[str]) -> dict[str, Any]:
    """What all verdicts of a run at a false-alarm rate have in common; keys as docs/detect.md lists them."""
    reals = calibration.validation.scores
    return {
        "model": " ".join(model_in_words(calibration)),
        "models": calibration.files,
        "false_alarm_rate": rate,
        "threshold": threshold(reals, rate),
        "basis": basis(len(reals), rate),
        "false_alarm_rate_ci95": rate_interval(len(reals), rate),
        "calibration": calibration.model_dump(),
        "rests_on": what_a_verdict_rests_on(calibration, rate),
        "warnings": warnings,
        "limits": limits(calibration),
    }


def verdict_as_json(verdict: Verdict, calibration: Calibration, rate: float) -> dict[str, Any]:
    """Codes, figures and sentences of a verdict at a false-alarm rate; keys as docs/detect.md lists them."""
    headline, sentences = verdict_in_words(verdict, calibration, rate)
    notes = [note_in_words(note) for note in verdict.notes]
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
        "words": [headline, " ".join(sentences), *notes, *ratios_in_words(verdict.likelihood_ratios)],
        "notes": notes,
        "anomaly_score": verdict.anomaly_score,
        "anomaly_score_interval": verdict.interval,
        "percentile": verdict.percentile,
        "p_value": verdict.p_value,
        "is_like_the_reals": verdict.is_like_the_reals,
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

"""One video from file to verdict, by the same crop, embed, fuse and score code as the pipeline's stages, and by its models.

:func:`look_at` decodes and crops, and can run in other processes; :class:`Detector` holds the models and judges what was seen.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from stages.lib.anomaly import DIFFERENTIAL, anomaly_scores, load_anomaly_models
from stages.lib.calibration import (
    ANOMALY_MODEL,
    BACKBONE,
    Calibration,
    p_value,
    package_versions,
    percentile,
    sha256,
    threshold,
)
from stages.lib.cropping import crop_video
from stages.lib.errors import InputError
from stages.lib.faces import detect_faces
from stages.lib.fusion import FUSIONS, Features, draw_pairs
from stages.lib.scoring import score_videos
from stages.lib.tables import N_APPEARANCE
from stages.lib.tracking import follow_person, person_look
from stages.lib.video import decompress_frame, extract_frames
from stages.lib.wording import ANOMALOUS, CANNOT_TELL, NOT_ANOMALOUS, REASONS

_LOOKED_AT = 8  # frames in which all faces are counted
_OTHER_PEOPLE = 0.1  # share of the faces used that may look like somebody else's before it is said
_OTHER_SIZE = 1.5  # how many times smaller or larger than known a face may be before it is said
_VIEW_WIDTH = 640  # px of the picture that shows where the face is


@dataclass
class Seen:
    """What decoding and cropping one video gave; pictures are small, so that many of these may wait.

    ``faces``: rows of the ``FACES`` table; ``crops``: RGB uint8 (n, 224, 224, 3); ``view``: JPEG of a whole frame with
    the face's box, or None.
    """

    name: str
    sha256: str | None = None
    n_bytes: int = 0
    extracted: dict = field(default_factory=dict)
    faces: list[dict] = field(default_factory=list)
    crops: np.ndarray = field(default_factory=lambda: np.empty((0, 224, 224, 3), np.uint8))
    view: bytes | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def used(self) -> list[dict]:
        """The rows of ``faces`` that have a face, in the order of ``crops``."""
        return [row for row in self.faces if row["reject_reason"] is None]


def look_at(
    name: str,
    path: Path,
    calibration: Calibration,
    max_seconds: float = np.inf,
    on_progress: Callable[[int, int], None] | None = None,
) -> Seen:
    """Decode a video (a file, or a folder of frames) once and crop its faces, as the pipeline does.

    ``name``: what it is called in results. A video that is said to last longer than ``max_seconds`` isn't decoded.
    ``on_progress``: see :func:`stages.lib.video.extract_frames`.
    """
    video = extract_frames(path, calibration.frames.per_video, max_seconds, on_progress)
    seen = Seen(name)
    if path.is_file():
        seen.sha256, seen.n_bytes = sha256(path), path.stat().st_size
    frames, video.frames = video.frames, []
    if path.is_file() and video.n_decoded == 1 and video.n_declared <= 1:
        video.reject_reason, frames = "single_frame", []
    seen.extracted = vars(video) | {"n_frames": len(frames)}

    def decompressed():
        for row in frames:
            yield row["frame_index"], row["time_s"], decompress_frame(row["zstd"], row["height"], row["width"])

    seen.faces, crops = crop_video(name, decompressed, calibration.faces)
    if crops:
        seen.crops = np.stack(crops)
        _look_around(seen, decompressed)
    if video.note == "truncated":
        seen.notes.append(f"The file ends early: {video.n_decoded} of {video.n_declared} frames can be decoded.")
    return seen


def _look_around(seen: Seen, frames: Callable) -> None:
    """Note other people, and keep a picture of where the face is."""
    used = seen.used
    middle = used[len(used) // 2]["frame_index"]
    boxes = {row["frame_index"]: np.array(row["box"]) for row in used}
    counted_in = {used[i]["frame_index"] for i in np.linspace(0, len(used) - 1, _LOOKED_AT).astype(int)}
    looks, several = [], 0
    for frame_index, _, frame in frames():
        if frame_index not in boxes:
            continue
        looks.append(person_look(frame, boxes[frame_index]))
        if frame_index in counted_in:
            several += len(detect_faces(frame)) > 1
        if frame_index == middle:
            seen.view = _view(frame, boxes[frame_index])
    followed = follow_person([box[None] for box in boxes.values()], [[look] for look in looks])
    others = sum(chosen is None for chosen in followed)
    if others > _OTHER_PEOPLE * len(used):
        seen.notes.append(
            f"The faces used may not all be one person's: {others} of {len(used)} look unlike the others in colour. A pair of two "
            "people, or of two scenes, is anomalous whether it is forged or not. Look at the faces below."
        )
    if 2 * several >= len(counted_in):
        seen.notes.append(
            f"More than one face is in view in {several} of {len(counted_in)} frames in which they were counted; "
            "only one in each was judged."
        )


def _view(frame: np.ndarray, box: np.ndarray) -> bytes:
    """JPEG of a frame, shrunk, with a face's box."""
    frame, (x, y, width, height) = frame.copy(), np.round(box).astype(int)
    thickness = max(frame.shape[1] // 200, 1)
    cv2.rectangle(frame, (x, y), (x + width, y + height), (255, 255, 255), 3 * thickness)
    cv2.rectangle(frame, (x, y), (x + width, y + height), (0, 0, 0), thickness)
    scale = min(1.0, _VIEW_WIDTH / frame.shape[1])
    return encode_jpeg(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def encode_jpeg(image: np.ndarray, quality: int = 85) -> bytes:
    """A BGR uint8 image (h, w, 3) as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


@dataclass
class Pair:
    """Two faces of a video, by their rows in ``Seen.crops``, and the anomaly score of the pair."""

    a: int
    b: int
    anomaly_score: float


@dataclass
class Verdict:
    """What is said of one video.

    ``decision`` is ``anomalous``, ``not anomalous`` or ``cannot tell``; the last with a ``reject_reason``. ``anomaly_score`` equals the
    pipeline's. ``interval``: 95 % bootstrap interval of the score over the video's pairs.
    """

    seen: Seen
    decision: str
    reject_reason: str | None
    anomaly_score: float | None = None
    interval: tuple[float, float] | None = None
    percentile: float | None = None
    p_value: float | None = None
    pairs: list[Pair] = field(default_factory=list)
    n_faces: int = 0
    frame_rejects: dict[str, int] = field(default_factory=dict)
    reason: str | None = None

    def as_json(self) -> dict:
        """Everything but the pictures, as JSON can hold it."""
        used = self.seen.used
        where = ("frame_index", "time_s")
        return {
            "video": self.seen.name,
            "sha256": self.seen.sha256,
            "bytes": self.seen.n_bytes,
            **{name: self.seen.extracted[name] for name in ("width", "height", "n_declared", "n_decoded", "n_frames")},
            "decision": self.decision,
            "reject_reason": self.reject_reason,
            "reason": self.reason,
            "notes": self.seen.notes,
            "anomaly_score": self.anomaly_score,
            "anomaly_score_interval": self.interval,
            "percentile": self.percentile,
            "p_value": self.p_value,
            "n_faces": self.n_faces,
            "n_pairs": len(self.pairs),
            "frame_rejects": self.frame_rejects,
            "faces": [{name: row[name] for name in (*where, "box")} for row in used],
            "dropped_frames": [
                {name: row[name] for name in (*where, "reject_reason")}
                for row in self.seen.faces
                if row["reject_reason"]
            ],
            "pairs": [
                {"a": {name: used[pair.a][name] for name in where}, "b": {name: used[pair.b][name] for name in where}}
                | {"anomaly_score": pair.anomaly_score}
                for pair in self.pairs
            ],
        }


class Detector:
    """The models of a folder, ready to judge; loading them runs no code of theirs. Raises :class:`InputError` for damaged ones.

    ``calibration``: of :func:`stages.lib.calibration.load_calibration`, which checks that they belong together.
    """

    def __init__(self, folder: Path, calibration: Calibration) -> None:
        # Imported here: seconds of PyTorch, which look_at has no need of.
        from stages.lib.backbone import embed, load_backbone, pick_device

        self.calibration = calibration
        self._embed, self._device = embed, pick_device()
        self._backbone, self._config = load_backbone(folder / BACKBONE, self._device)
        self._model = load_anomaly_models(folder / ANOMALY_MODEL)[DIFFERENTIAL]
        self._check_widths(folder / ANOMALY_MODEL)

    def _check_widths(self, path: Path) -> None:
        """Raise where the anomaly model doesn't take what the backbone and the fusion give."""
        nothing = Features(
            np.zeros((1, self._config.embedding_dim)), np.zeros(1, np.float32), np.zeros((1, N_APPEARANCE), np.float32)
        )
        fusion, taken = self.calibration.fusion, getattr(self._model, "n_features_in_", None)
        given = FUSIONS[fusion](nothing, nothing).shape[1]
        if taken != given:
            raise InputError(
                f"{path}: takes vectors of {taken} numbers, but the backbone and fusion '{fusion}' give {given}: they are not "
                "of one run; run `dvc repro`"
            )

    def warnings(self) -> list[str]:
        """What is different from where the model was calibrated: versions of the packages that compute scores."""
        here = package_versions()
        return [
            f"{name} is {here[name]} here, and was {there} where the model was calibrated: scores may differ"
            for name, there in self.calibration.packages.items()
            if here.get(name) != there
        ]

    def judge(self, seen: Seen, rate: float) -> Verdict:
        """The verdict on what :func:`look_at` saw, at a false-alarm rate in (0, 1)."""
        calibration = self.calibration
        faces = seen.used
        pairs, pair_scores = np.empty((0, 2), np.int64), np.empty(0)
        if faces:
            embedding, logit = self._embed(self._backbone, seen.crops, self._config.input_size, self._device)
            looks = np.array([row["appearance"] for row in faces], np.float32)
            features = Features(embedding, logit, looks)
            times = np.array([row["time_s"] for row in faces])
            pairs = draw_pairs(times, calibration.pairs.per_video, calibration.pairs, calibration.seed)
            a, b = pairs.T
            fused = FUSIONS[calibration.fusion](features.take(a), features.take(b)).astype(np.float32)
            pair_scores = anomaly_scores(self._model, fused, np.zeros(len(fused)))
        row = _pipelines_row(seen, len(faces), pair_scores)
        verdict = Verdict(
            seen,
            CANNOT_TELL,
            row["reject_reason"],
            pairs=[Pair(int(a), int(b), float(score)) for (a, b), score in zip(pairs, pair_scores, strict=True)],
            n_faces=len(faces),
            frame_rejects=json.loads(row["frame_rejects"]),
        )
        if not verdict.reject_reason:
            place_among_reals(verdict, float(row["anomaly_score"]), calibration, rate)
        if verdict.reject_reason:
            counts = {"n_faces": len(faces), "n_frames": len(seen.faces), "min_faces": calibration.pairs.min_faces}
            verdict.reason = REASONS[verdict.reject_reason].format(**counts)
        return verdict


def place_among_reals(verdict: Verdict, score: float, calibration: Calibration, rate: float) -> None:
    """Say in ``verdict`` where a score stands among the validation reals, and how sure that is."""
    reals, notes = np.array(calibration.validation.scores), verdict.seen.notes
    verdict.anomaly_score, limit = score, threshold(reals, rate)
    of_pairs = [pair.anomaly_score for pair in verdict.pairs]
    if len(of_pairs) > 1:
        drawn = bootstrap((of_pairs,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(0))
        verdict.interval = tuple(float(end) for end in drawn.confidence_interval)
    if calibration.face_px:
        width = float(np.median([row["box"][2] for row in verdict.seen.used]))
        least, greatest = calibration.face_px
        if not least / _OTHER_SIZE <= width <= greatest * _OTHER_SIZE:
            notes.append(
                f"The face is {width:.0f} px wide; those that the model was trained and calibrated on are {least:.0f} to "
                f"{greatest:.0f} px. The score may mean less."
            )
    if limit is None:
        verdict.reject_reason = "uncalibrated"
        return
    verdict.decision = ANOMALOUS if score > limit else NOT_ANOMALOUS
    verdict.percentile, verdict.p_value = percentile(reals, score), p_value(reals, score, rate)
    if verdict.interval and verdict.interval[0] <= limit < verdict.interval[1]:
        notes.append(
            "Borderline: with other pairs of this video's frames the score might have come out on the other side of the threshold."
        )


def _pipelines_row(seen: Seen, n_faces: int, pair_scores: np.ndarray) -> pd.Series:
    """The row that ``score_videos`` would write of this video, but for the baselines."""
    known = {"video_id": [seen.name]}
    index = pd.DataFrame(known | {name: [""] for name in ("label", "method", "split", "identity")})
    extracted = pd.DataFrame(known | {name: [seen.extracted[name]] for name in ("n_frames", "note", "reject_reason")})
    rejects = pd.DataFrame({"reject_reason": [row["reject_reason"] for row in seen.faces]}, dtype=object)
    frames = pd.DataFrame(np.nan, index=range(n_faces), columns=["single_frame_score", "classifier_logit"])
    parts = [rejects, frames, pd.DataFrame({"anomaly_score": pair_scores})]
    return score_videos(index, extracted, *(part.assign(video_id=seen.name) for part in parts)).iloc[0]

"""Real videos of one's own in the place of those that a model was calibrated on."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from stages.lib.anomaly.evidence import FEWEST_REALS, make_reference
from stages.lib.anomaly.files import AnomalyModels
from stages.lib.anomaly.scoring import VideoScore, score_video
from stages.lib.calibration.bundle import PAIR_QUANTILES, Calibration, Reals, package_versions
from stages.lib.calibration.looks import Looks, ranges
from stages.lib.calibration.thresholds import p_value, rate_interval
from stages.lib.detection.detector import EmbeddedFaces
from stages.lib.errors import InputError
from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.fusion import fuse

Density = Literal["keep", "refit"]
_HOW = {
    "keep": "Its thresholds, and the evidence that a video is held against, are of your own real videos.",
    "refit": "Its density of pairs, thresholds, and the evidence that a video is held against, are of your own real "
    "videos.",
}
_FOLDS = 5  # a density that is fitted to these videos judges each by a fit to the other people's


@dataclass(frozen=True)
class OwnReal:
    """A real video with faces enough to be judged: whose it is (its own name where nobody is named), the ``group`` that
    it is counted in (or ""), what the network makes of its faces, and what they look like.
    """

    name: str
    person: str
    group: str
    faces: EmbeddedFaces
    looks: Looks


@dataclass(frozen=True)
class Recalibrated:
    """Models and calibration with one's own reals in them, and how each of these is judged beside other people's.

    ``scores``: one for each video, in their order.
    """

    models: AnomalyModels
    calibration: Calibration
    scores: list[VideoScore]

    @property
    def anomaly_scores(self) -> np.ndarray:
        """Float64 (n,)."""
        return np.array([score.anomaly_score for score in self.scores], np.float64)


def recalibrate(
    videos: Sequence[OwnReal], models: AnomalyModels, calibration: Calibration, density: Density, source: str
) -> Recalibrated:
    """Hold evidence against that of one's own real videos, and take the threshold from them.

    ``density``: ``keep`` the model of pairs, or ``refit`` it to these videos; then the evidence of each comes from a
    fit to the pairs of other people's (five folds over people), as that of a new video will come from a fit to all.
    Each score is that beside other people's videos. ``source``: which videos these are, in words.

    Raises :class:`InputError` for too few videos or people to judge each beside others, and for too few to fit a
    density to.
    """
    if len(videos) < FEWEST_REALS:
        raise InputError(
            f"{len(videos)} real videos could be used, and a calibration takes {FEWEST_REALS} at least; add videos "
            "(a reason is given above for each that could not be used)"
        )
    pairs = [_pairs(video, calibration, calibration.pairs.per_video) for video in videos]
    if density == "keep":
        by_video = [
            video.faces.evidence(own, models.pairs, calibration.fusion)
            for video, own in zip(videos, pairs, strict=True)
        ]
    else:
        by_video = [np.empty((0, 0))] * len(videos)
        for model, judged in _cross_fitted(videos, models.pairs, calibration):
            for at in judged:
                by_video[at] = videos[at].faces.evidence(pairs[at], model, calibration.fusion)
        vectors = [_vectors(video, calibration) for video in videos]
        n_pairs = sum(map(len, vectors))
        models = replace(
            models,
            pairs=_fit(models.pairs, vectors),
            frames=_fit(models.frames, [video.faces.features.embedding for video in videos]),
            fitted_to=(n_pairs, n_pairs),
        )
    # Numbered, not named: a model's file goes from hand to hand, and names of videos may be people's.
    names = [f"{at:05}" for at in range(len(videos))]
    reference = make_reference({name: own.mean(axis=0) for name, own in zip(names, by_video, strict=True)})
    of_person = {person: [names[at] for at in rows] for person, rows in _rows_of_people(videos).items()}
    scores = [
        score_video(
            own,
            reference.without(*of_person[video.person]),
            calibration.scoring,
            len(video.faces.times),
            with_interval=False,
        )
        for own, video in zip(by_video, videos, strict=True)
    ]
    known = sum(score.anomaly_score is not None for score in scores)
    if known < FEWEST_REALS:
        raise InputError(
            f"{len(videos)} real videos of {len(of_person)} people could be used, too few to judge each beside other "
            "people's: where evidence is combined it takes three people; add videos, of other people"
        )
    made_from = f"{_made_from(calibration)} {_HOW[density]}"
    return Recalibrated(
        replace(models, reference=reference), _calibration(videos, scores, calibration, source, made_from), scores
    )


def _rows_of_people(videos: Sequence[OwnReal]) -> dict[str, np.ndarray]:
    """{person: rows of their videos}."""
    rows: dict[str, np.ndarray] = pd.Series(range(len(videos))).groupby([video.person for video in videos]).indices
    return rows


def _made_from(calibration: Calibration) -> str:
    """Of which models these are made, as the beginning of sentences."""
    if calibration.made_from:
        return calibration.made_from
    release, dataset = calibration.release, calibration.trained_on.dataset
    whose = f"the released model {release.name}" if release else f"a model trained on the dataset '{dataset}'"
    return f"It was made from {whose}."


def _pairs(video: OwnReal, calibration: Calibration, n_pairs: int) -> np.ndarray:
    return draw_pairs(video.faces.times, n_pairs, calibration.pairs, calibration.seed)


def _vectors(video: OwnReal, calibration: Calibration) -> np.ndarray:
    """The fused vectors that a density is fitted to, float32 (n, d)."""
    return fuse(video.faces.features, _pairs(video, calibration, calibration.pairs.train_per_video), calibration.fusion)


def _fit(like: Pipeline, vectors: Sequence[np.ndarray]) -> Pipeline:
    """A model with the settings of another, fitted to vectors. Raises :class:`InputError` where they are too few."""
    model, together = clone(like), np.concatenate(vectors).astype(np.float64)
    try:
        return model.fit(together)
    except ValueError as error:
        raise InputError(
            f"{len(together)} vectors are too few to fit a density to ({error}); add videos, or use --density keep"
        ) from error


def _cross_fitted(
    videos: Sequence[OwnReal], like: Pipeline, calibration: Calibration
) -> Iterator[tuple[Pipeline, np.ndarray]]:
    """(density of other people's pairs, rows of the videos that it judges) for each fold over people."""
    people = [video.person for video in videos]
    folds = min(_FOLDS, len(set(people)))
    if folds < 2:
        raise InputError("all videos show one person, so none can be judged by others'; use --density keep")
    vectors = [_vectors(video, calibration) for video in videos]
    for others, judged in GroupKFold(folds).split(people, groups=people):
        yield _fit(like, [vectors[at] for at in others]), judged


def _calibration(
    videos: Sequence[OwnReal], scores: Sequence[VideoScore], calibration: Calibration, source: str, made_from: str
) -> Calibration:
    of_pairs = np.concatenate([score.pair_scores for score in scores])
    of_pairs = of_pairs[~np.isnan(of_pairs)]
    people = {video.person for video in videos}
    named = not any(video.person == video.name for video in videos)
    known = sorted(score.anomaly_score for score in scores if score.anomaly_score is not None)
    return calibration.model_copy(
        update={
            "release": None,
            "made_from": made_from,
            "validation": Reals(source=source, people=len(people) if named else 0, scores=known),
            "test": Reals(source="none", people=0, scores=[]),
            "pair_scores": np.quantile(of_pairs, PAIR_QUANTILES).tolist() if len(of_pairs) else None,
            "looks": ranges(video.looks for video in videos),
            "packages": package_versions(),
            "measured": None,  # the scores of fakes would have to be taken anew
        }
    )


def p_values(videos: Sequence[OwnReal], scores: np.ndarray, rate: float) -> np.ndarray:
    """The p-value of each real video beside those of other people: float64 (n,), NaN where there are too few.

    ``scores``: float64 (n,), of the videos; ``rate``: of the threshold, which the p-value rests on the same as.
    """
    found = np.full(len(scores), np.nan)
    for rows in _rows_of_people(videos).values():
        others = np.delete(scores, rows)
        for at in rows:
            p = p_value(others, float(scores[at]), rate)
            found[at] = np.nan if p is None else p
    return found


def videos_needed(rate: float) -> tuple[int, int]:
    """How many real videos a false-alarm ``rate`` takes: for a threshold without assumptions, and for a true rate that
    is at most twice as high with 97.5 % probability.

    The second is the first number of that kind of which the threshold is exactly the wanted quantile: between two such
    numbers it lies higher, and the true rate lower.
    """
    fewest = needed = math.ceil(round(1 / rate, 9)) - 1
    for rank in itertools.count(1):
        needed = max(math.ceil(round(rank / rate, 9)) - 1, fewest)
        interval = rate_interval(needed, rate)
        if interval is not None and interval[1] <= min(2 * rate, 1):
            break
    return fewest, needed

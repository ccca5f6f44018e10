"""What an anomaly score means: where it stands among real videos that no model was fitted to.

The scores of validation reals are kept with the models, and everything is derived from them: the threshold at a wanted
false-alarm rate, a score's p-value (the false-alarm rate at which it would just be called anomalous), its percentile, and how far
the true rate may lie from the wanted one. No fake is used. With many reals the threshold is one of their scores (split
conformal prediction: whatever the scores' distribution, a new real video is called anomalous with at most the wanted
probability). Fewer than 1 / rate - 1 reals have no such score; then theirs are taken as normally distributed, and the
threshold is the normal prediction limit, which widens with few reals.
"""

import hashlib
import math
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, FiniteFloat, ValidationError
from scipy.optimize import brentq
from scipy.stats import beta, binomtest, chi2, norm, percentileofscore, t

from stages.lib.config import Faces, Frames, FusionName, Pairs, Rate, Section
from stages.lib.errors import InputError
from stages.lib.metrics import ALL
from stages.lib.tables import REAL

BACKBONE, ANOMALY_MODEL, CALIBRATION = "backbone.safetensors", "anomaly_model.skops", "calibration.json"
FEWEST_REALS = 2
PAIR_QUANTILES = (0.05, 0.5, 0.95)
_CONFIDENCE = 0.95
PACKAGES = ("numpy", "opencv-contrib-python-headless", "scikit-learn", "scipy", "timm", "torch")
_GRID = 2000


class TrainedOn(Section):
    """The real videos that the models were fitted to."""

    dataset: str
    videos: int
    people: int


class Reals(Section):
    """Real videos that no model was fitted to: their scores, rising, and how many people (0: not known) they show."""

    people: int
    scores: list[FiniteFloat]


class Calibration(Section):
    """The content of ``models/calibration.json``: how the models are to be used, and what their scores mean.

    ``files``: SHA-256 of the model files that belong to it (and of a landmark model, under ``landmarks``). ``validation``: what
    the threshold rests on; ``test``: reals of the test split, on which the achieved rate is counted. ``pair_scores``: the 5 %,
    50 % and 95 % quantiles of the scores of the validation reals' pairs. ``face_px``: least and greatest median width of a face
    in the training and validation reals. ``packages``: the versions of what computes scores.
    """

    seed: int
    fusion: FusionName
    frames: Frames
    faces: Faces
    pairs: Pairs
    false_alarm_rate: Rate
    files: dict[str, str]
    trained_on: TrainedOn
    validation: Reals
    test: Reals
    pair_scores: Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)] | None
    face_px: Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)] | None
    packages: dict[str, str]


def read_calibration(path: Path) -> Calibration:
    """The checked content of a ``calibration.json``. Raises :class:`InputError` for a missing file and any other content."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro calibrate` to make it")
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path}: not a whole calibration of this version ({where}: {first['msg']}); run `dvc repro calibrate`"
        ) from error


def sha256(path: Path) -> str:
    """A file's SHA-256, as ``sha256sum`` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_files(folder: Path, landmarks: str) -> dict[str, str]:
    """SHA-256 of each file that decides a score: the models in ``folder``, and the landmark model if it is a file."""
    files = {name: folder / name for name in (BACKBONE, ANOMALY_MODEL)}
    if landmarks != "haar":
        files["landmarks"] = Path(landmarks)
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        raise InputError(
            f"no file {', '.join(missing)}; run `dvc repro calibrate` to make the models, or name their folder"
        )
    return {name: sha256(path) for name, path in files.items()}


def package_versions() -> dict[str, str]:
    """The versions of the packages that compute scores."""
    return {name: version(name) for name in PACKAGES}


def load_calibration(folder: Path) -> Calibration:
    """The calibration of the models in ``folder``, checked to be of these very files. Raises :class:`InputError` otherwise."""
    calibration = read_calibration(folder / CALIBRATION)
    found = model_files(folder, calibration.faces.landmarks)
    other = [name for name, digest in found.items() if calibration.files.get(name) != digest]
    if other:
        raise InputError(
            f"{folder}: {' and '.join(other)} is not what {CALIBRATION} was made for (its SHA-256 differs): it was changed, "
            "damaged, or comes from another run; copy all files of one run together, or run `dvc repro calibrate`"
        )
    return calibration


def basis(n: int, rate: float) -> Literal["rank", "normal"] | None:
    """What a threshold at ``rate`` rests on with n reals: their ranks, their normal distribution, or None (too few)."""
    if n < FEWEST_REALS:
        return None
    return "rank" if _rank(n, rate) <= n else "normal"


def _rank(n: int, rate: float) -> int:
    """Which of n rising scores is the conformal threshold; n + 1 or more where none is."""
    return math.ceil(round((1 - rate) * (n + 1), 9))


def _limit_factor(n: int, rate: float) -> float:
    """The normal prediction limit of one more value, in deviations of the n above their mean."""
    return float(t.isf(rate, n - 1) * math.sqrt(1 + 1 / n))


def threshold(reals: np.ndarray, rate: float) -> float | None:
    """The score above which a video is anomalous: of real videos, ``rate`` (in (0, 1)) on average lie above it.

    ``reals``: scores (n,) of validation reals. None for fewer than two.
    """
    kind = basis(len(reals), rate)
    if kind is None:
        return None
    if kind == "rank":
        return float(np.sort(reals)[_rank(len(reals), rate) - 1])
    return float(np.mean(reals) + _limit_factor(len(reals), rate) * np.std(reals, ddof=1))


def p_value(reals: np.ndarray, score: float, rate: float) -> float | None:
    """The false-alarm rate at which ``score`` would just be called anomalous; None for fewer than two reals.

    It rests on what the threshold at ``rate`` rests on, so that it is at most ``rate`` exactly where the score is anomalous.
    """
    n, kind = len(reals), basis(len(reals), rate)
    if kind is None:
        return None
    if kind == "rank":
        return float((1 + np.sum(np.asarray(reals) >= score)) / (n + 1))
    above, spread = score - np.mean(reals), np.std(reals, ddof=1) * math.sqrt(1 + 1 / n)
    return float(t.sf(above / spread, n - 1)) if spread > 0 else float(above <= 0)


def percentile(reals: np.ndarray, score: float) -> float:
    """The share of ``reals`` (n,) that score lower, in %, equal ones counted half."""
    return float(percentileofscore(reals, score, kind="mean"))


def rate_interval(n: int, rate: float) -> tuple[float, float] | None:
    """95 % interval of the true false-alarm rate of a threshold set at ``rate`` on n reals; None for fewer than two.

    On average over all the sets of n reals that might have been drawn it is ``rate``; this is how far one such set may be from it.
    Exact for ranks; for the normal limit as exact as the scores are normal.
    """
    kind, tails = basis(n, rate), ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2)
    if kind is None:
        return None
    if kind == "rank":
        rank = _rank(n, rate)
        low, high = beta.ppf(tails, n + 1 - rank, rank)
        return float(low), float(high)
    # Where mean + factor * deviation of n values lies in a standard normal population, averaged over the deviation's quantiles.
    middles = (np.arange(_GRID) + 0.5) / _GRID
    above = _limit_factor(n, rate) * np.sqrt(chi2.ppf(middles, n - 1) / (n - 1))
    high, low = (
        norm.sf(brentq(lambda z, tail=tail: norm.cdf(math.sqrt(n) * (z - above)).mean() - tail, -100, 100))
        for tail in tails
    )
    return float(low), float(high)


def describe(calibration: Calibration, rate: float) -> str:
    """What a decision at ``rate`` rests on and how far to trust it, in sentences."""
    validation, test = calibration.validation, calibration.test.scores
    n, limit = len(validation.scores), threshold(validation.scores, rate)
    if limit is None:
        return f"Calibrated on {n} real videos: too few to decide anything."
    if basis(n, rate) == "rank":
        how = "by rank, whatever the scores' distribution"
    else:
        enough = math.ceil(round(1 / rate, 9)) - 1
        how = f"fewer than the {enough} that this rate takes without assumptions, so their scores are taken as normally distributed"
    low, high = rate_interval(n, rate)
    people = f" of {validation.people} people" if validation.people else ""
    said = [
        f"A video is called anomalous above a score of {limit:.2f}, meant for a false-alarm rate of {rate:.1%}.",
        f"The threshold rests on {n} real validation videos{people}, {how}.",
        f"With so many, the true rate may lie anywhere from {low:.1%} to {high:.1%} (95 % interval).",
    ]
    if test:
        alarmed = sum(score > limit for score in test)
        said.append(
            f"Achieved on real test videos: {alarmed} of {len(test)} called anomalous ({alarmed / len(test):.1%})."
        )
    return " ".join(said)


def alarms(scores: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]], calibration: Calibration) -> dict:
    """The achieved false-alarm rate on each dataset's test reals beside the nominal one, and the share of fakes that are found.

    ``scores``: {dataset: :func:`stages.lib.metrics.by_method` of its test videos}. Where there is no threshold, or there are
    no videos, a rate is None. ``achieved_ci95``: Wilson's interval.
    """
    rate, validation = calibration.false_alarm_rate, calibration.validation.scores
    limit = threshold(validation, rate)

    def share(values: np.ndarray) -> float | None:
        return None if limit is None or len(values) == 0 else float(np.mean(values > limit))

    datasets = {}
    for name, methods in scores.items():
        real = methods[ALL][0]
        known = limit is not None and len(real) > 0
        interval = binomtest(int(np.sum(real > limit)), len(real)).proportion_ci(method="wilson") if known else None
        datasets[name] = {
            "achieved": share(real),
            "achieved_ci95": [float(interval.low), float(interval.high)] if interval else None,
            "n_real": len(real),
            "found": {method: share(fakes) for method, (_, fakes) in methods.items()},
        }
    return {
        "nominal": rate,
        "threshold": limit,
        "basis": basis(len(validation), rate),
        "validation_reals": len(validation),
        "expected_ci95": rate_interval(len(validation), rate),
        "datasets": datasets,
    }


def alarm_rows(scores: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]], calibration: Calibration) -> list[dict]:
    """Rows of a plot: dataset, method (or ``real``), nominal false-alarm rate, share of the test videos called anomalous."""
    rows = []
    for dataset, methods in scores.items():
        groups = {REAL: methods[ALL][0]} | {method: fakes for method, (_, fakes) in methods.items() if method != ALL}
        for rate in np.arange(1, 51) / 100:
            limit = threshold(calibration.validation.scores, rate)
            rows += [
                {"dataset": dataset, "method": method, "nominal": rate, "share": float(np.mean(values > limit))}
                for method, values in groups.items()
                if limit is not None and len(values)
            ]
    return rows

"""The models' companion, ``models/calibration.json``: how they are to be used, and the scores of reals that give theirs
a meaning, with those of test fakes for likelihood ratios.

No threshold is stored: it is derived from the scores, for whatever rate is asked
(:mod:`stages.lib.calibration.thresholds`).
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, ValidationError

from stages.lib.anomaly.settings import ScoringSettings
from stages.lib.calibration.looks import Measure
from stages.lib.errors import InputError
from stages.lib.faces.settings import BUILT_IN_LANDMARKS, FaceSettings
from stages.lib.fingerprint import sha256
from stages.lib.frames.settings import FrameSettings
from stages.lib.pairs.fusion import FUSIONS
from stages.lib.pairs.settings import PairSettings
from stages.lib.records import FAMILIES
from stages.lib.settings import Rate, Settings, name_in

BACKBONE, ANOMALY_MODEL, CALIBRATION = "backbone.safetensors", "anomaly_model.skops", "calibration.json"
CARD = "README.md"  # of released models
PAIR_QUANTILES = (0.05, 0.5, 0.95)
OWN_RUN, RELEASED = Path("models"), Path("released")  # where a run's models are, and those that come with the project
_DEMO = "demo"  # the training dataset that comes with the project
PACKAGES = ("numpy", "opencv-contrib-python-headless", "scikit-learn", "scipy", "timm", "torch", "zuko")


def _nothing(value: object) -> bool:
    return not value


class TrainedOn(Settings):
    """The real videos that the models were fitted to, and the methods of the genuine fakes that the network was trained
    on, if there were any (``fakes``; not written where there were none).
    """

    dataset: str
    videos: int
    people: int
    fakes: Annotated[list[str], Field(exclude_if=_nothing)] = []

    @property
    def is_demo(self) -> bool:
        """Whether these are the rendered portraits of the demo, which say nothing about real videos."""
        return self.dataset == _DEMO


def fakes_in_words(methods: Sequence[str]) -> str:
    """What is said, wherever its results are, of a model that was trained on genuine fakes; nothing of any other."""
    return f"trained on fakes: {', '.join(methods)}" if methods else ""


class Reals(Settings):
    """Real videos that no model was fitted to: which they are, in words (``source``), how many people (0: not known)
    they show, and their scores, rising.
    """

    source: str
    people: int
    scores: list[FiniteFloat]


class Release(Settings):
    """What is said of released models wherever they judge: their name, what they were trained on and how good they are
    (two sentences), and where their card is.
    """

    name: str
    summary: str
    card: str


ScoresByPerson = list[Annotated[list[FiniteFloat], Field(min_length=1)]]


class Family(Settings):
    """Fakes of one family: how many there are of each method, and their scores, those of each person rising."""

    methods: dict[str, int]
    scores: ScoresByPerson


class Measured(Settings):
    """Test videos of the training dataset, for likelihood ratios: the scores of the reals by person, and the fakes by
    family. Who these people are isn't kept.
    """

    dataset: str
    reals: ScoresByPerson
    families: dict[Annotated[str, name_in(FAMILIES)], Family]


class Calibration(Settings):
    """The content of ``models/calibration.json``: how the models are to be used, and what their scores mean.

    ``release``: of models that :mod:`stages.release` made, else None; ``made_from``: a sentence on what models were
    recalibrated, and how (:mod:`stages.calibrate_on`), else None.
    ``files``: SHA-256 of the model files that belong to it (and of a landmark model, under ``landmarks``).
    ``validation``: what the threshold rests on; ``test``: reals of the test split, on which the achieved rate is
    counted. ``pair_scores``: the 5 %, 50 % and 95 % quantiles of the scores of the validation reals' pairs.
    ``looks``: least and greatest of what the faces of the training and validation reals look like
    (:mod:`stages.lib.calibration.looks`). ``packages``: the versions of what computes scores. ``measured``:
    what likelihood ratios rest on; None where no test fake has a score. No threshold depends on it.
    """

    release: Release | None
    made_from: str | None
    seed: int
    fusion: Annotated[str, name_in(FUSIONS)]
    frames: FrameSettings
    faces: FaceSettings
    pairs: PairSettings
    scoring: ScoringSettings
    false_alarm_rate: Rate
    files: dict[str, str]
    trained_on: TrainedOn
    validation: Reals
    test: Reals
    pair_scores: Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)] | None
    looks: dict[Measure, Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]]
    packages: dict[str, str]
    measured: Measured | None = None


def read_calibration(path: Path) -> Calibration:
    """The checked content of a ``calibration.json``. Raises :class:`InputError` for a missing file and any other
    content.
    """
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


def answering(named: Path | None, own: Path = OWN_RUN, released: Path = RELEASED) -> Path:
    """The folder of the models that judge: the one that is ``named``; else a run's ``own``, unless it was trained on
    the demo, which says nothing about real videos; else the one below ``released``.

    Raises :class:`InputError` where there is none, or several are released; and for a run whose calibration can't be
    read.
    """
    if named:
        return named
    has_own = (own / CALIBRATION).is_file()
    if has_own and not read_calibration(own / CALIBRATION).trained_on.is_demo:
        return own
    found = sorted(path.parent for path in released.glob(f"*/{CALIBRATION}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{released}: holds several models ({', '.join(path.name for path in found)}); name one, as in "
            f"--models {found[0]}"
        )
    why = f"those in {own} were trained on the demo's rendered portraits" if has_own else f"there are none in {own}"
    raise InputError(
        f"no models to judge real videos by: {why}, and there are none below {released}. Train on your own videos "
        f"(docs/own-videos.md), bring the released ones back (`git checkout -- {released}`), or name a folder with "
        f"--models; `--models {own}` after `make repro` takes the demo's"
    )


def model_files(folder: Path, landmarks: str) -> dict[str, str]:
    """SHA-256 of each file that decides a score: the models in ``folder``, and the landmark model if it is a file."""
    files = {name: folder / name for name in (BACKBONE, ANOMALY_MODEL)}
    if landmarks not in BUILT_IN_LANDMARKS:
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
    """The calibration of the models in ``folder``, checked to be of these very files. Raises :class:`InputError`
    otherwise.
    """
    calibration = read_calibration(folder / CALIBRATION)
    found = model_files(folder, calibration.faces.landmarks)
    other = [name for name, digest in found.items() if calibration.files.get(name) != digest]
    if other:
        raise InputError(
            f"{folder}: {' and '.join(other)} is not what {CALIBRATION} was made for (its SHA-256 differs): it was "
            "changed, "
            "damaged, or comes from another run; copy all files of one run together, or run `dvc repro calibrate`"
        )
    return calibration

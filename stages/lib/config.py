"""The types of params.yaml: frozen, strict, every key known. What a key means is said in README.md."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stages.lib.anomaly_models import ANOMALY_MODELS
from stages.lib.fusion import FUSIONS
from stages.lib.index import LAYOUTS
from stages.lib.layouts.ffpp import QUALITIES
from stages.lib.synthesis import SCHEMES
from stages.lib.tables import SPLITS

# Names come from the registries, so that what is registered is known here.
FusionName = Literal[tuple(FUSIONS)]
AnomalyModelName = Literal[tuple(ANOMALY_MODELS)]
SchemeName = Literal[tuple(SCHEMES)]
LayoutName = Literal[tuple(LAYOUTS)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even: half of a batch are real faces, half pseudo-fakes")
    return value


class Section(BaseModel):
    """A section of params.yaml: immutable, no unknown keys, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Dataset(Section):
    layout: LayoutName
    root: Annotated[str, Field(min_length=1)]
    quality: Literal[QUALITIES] | None = None
    reals: list[Literal[SPLITS]] = list(SPLITS)
    fakes: list[Literal[SPLITS]] = list(SPLITS)

    @model_validator(mode="after")
    def _quality_of_what_has_some(self) -> "Dataset":
        if self.quality and not LAYOUTS[self.layout].has_qualities:
            having = ", ".join(name for name, layout in LAYOUTS.items() if layout.has_qualities)
            raise ValueError(f"quality is '{self.quality}', but only {having} come in several; remove it")
        return self


class CrossValidation(Section):
    folds: Count
    fold: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _fold_exists(self) -> "CrossValidation":
        if self.fold >= self.folds:
            raise ValueError(
                f"fold is {self.fold}, expected 0 to {self.folds - 1} (cross_validation.folds is {self.folds})"
            )
        return self


class Demo(Section):
    seed: Annotated[int, Field(ge=0)]
    train_people: Count
    val_people: Count
    test_people: Annotated[int, Field(ge=2)]
    min_frames: Annotated[int, Field(ge=2)]
    max_frames: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _ordered(self) -> "Demo":
        if self.min_frames > self.max_frames:
            raise ValueError(f"min_frames ({self.min_frames}) must not exceed max_frames ({self.max_frames})")
        return self


class Frames(Section):
    per_video: Annotated[int, Field(ge=2)]


class Faces(Section):
    landmarks: Annotated[str, Field(min_length=1)]
    select: Literal["largest", "track"]
    enlarge: Annotated[float, Field(ge=1, le=3)]


def _weights(value: object) -> object:
    """A list of schemes is a mapping of equal weights."""
    if not isinstance(value, list):
        return value
    if len(set(map(str, value))) < len(value):
        raise ValueError(f"lists a scheme twice ({', '.join(map(str, value))}); give weights as {{global: 2, eyes: 1}}")
    return dict.fromkeys(value, 1.0)


class Synthesis(Section):
    variants: Count
    schemes: Annotated[dict[SchemeName, Positive], BeforeValidator(_weights), Field(min_length=1)]
    donors: Annotated[float, Field(ge=0, le=1)]
    degrade: bool


class Backbone(Section):
    name: Annotated[str, Field(min_length=1)]
    weights: Annotated[str, Field(min_length=1)]
    input_size: Annotated[int, Field(ge=32, le=1024)]


class Train(Section):
    epochs: Count
    batch_size: Annotated[int, Field(ge=2), AfterValidator(_even)]
    optimizer: Literal["sgd", "adamw"]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    sam_rho: Annotated[float, Field(ge=0)]
    tune: Literal["all", "norm", "head"]
    augment: bool
    precision: Literal["auto", "bf16", "fp32"]


class Pairs(Section):
    per_video: Count
    train_per_video: Count
    min_gap: Fraction
    max_gap: Annotated[float, Field(gt=0, le=1)]
    min_faces: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _ordered(self) -> "Pairs":
        if self.min_gap > self.max_gap:
            raise ValueError(f"min_gap ({self.min_gap}) must not exceed max_gap ({self.max_gap})")
        return self


class AnomalyModel(Section):
    kind: AnomalyModelName
    normalization: Literal["none", "l2", "standardize"]
    pca: Annotated[int, Field(ge=0)]
    components: Count
    covariance: Literal["auto", "diag", "full", "tied", "spherical"]
    regularization: Positive
    initialization: Literal["kmeans", "k-means++", "random", "random_from_data"]
    nu: Annotated[float, Field(gt=0, le=1)]
    bottleneck: Count


class Calibration(Section):
    false_alarm_rate: Rate


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[int, Field(ge=0)]
    fusion: FusionName
    train_dataset: str
    datasets: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")], Dataset], Field(min_length=1)
    ]
    cross_validation: CrossValidation
    demo: Demo
    frames: Frames
    faces: Faces
    synthesis: Synthesis
    backbone: Backbone
    train: Train
    pairs: Pairs
    anomaly_model: AnomalyModel
    calibration: Calibration

    @model_validator(mode="after")
    def _train_dataset_is_known(self) -> "Params":
        if self.train_dataset not in self.datasets:
            raise ValueError(
                f"train_dataset is '{self.train_dataset}', expected one of the keys of `datasets`: {', '.join(self.datasets)}"
            )
        return self

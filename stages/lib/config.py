"""The types of params.yaml: frozen, strict, every key known. What a key means is said in README.md."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

FusionName = Literal["abs", "sub", "sub2", "sub3", "single", "joint"]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even: half of a batch are real faces, half pseudo-fakes")
    return value


class Section(BaseModel):
    """A section of params.yaml: immutable, no unknown keys, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Dataset(Section):
    layout: Literal["manifest"]
    root: Annotated[str, Field(min_length=1)]


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
    enlarge: Annotated[float, Field(ge=1, le=3)]


class Synthesis(Section):
    variants: Count
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
    sam_rho: Positive
    precision: Literal["auto", "bf16", "fp32"]


class Pairs(Section):
    per_video: Count
    train_per_video: Count
    min_gap: Fraction
    min_faces: Annotated[int, Field(ge=2)]


class AnomalyModel(Section):
    components: Count
    covariance: Literal["diag", "full", "tied", "spherical"]
    regularization: Positive


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[int, Field(ge=0)]
    fusion: FusionName
    train_dataset: str
    datasets: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")], Dataset], Field(min_length=1)
    ]
    demo: Demo
    frames: Frames
    faces: Faces
    synthesis: Synthesis
    backbone: Backbone
    train: Train
    pairs: Pairs
    anomaly_model: AnomalyModel

    @model_validator(mode="after")
    def _train_dataset_is_known(self) -> "Params":
        if self.train_dataset not in self.datasets:
            raise ValueError(
                f"train_dataset is '{self.train_dataset}', expected one of the keys of `datasets`: {', '.join(self.datasets)}"
            )
        return self

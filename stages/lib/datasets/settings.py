"""The datasets of params.yaml, and who of the training dataset is tested."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.lib.datasets.layouts.registry import LAYOUTS
from stages.lib.records import SPLITS, Input, Split
from stages.lib.settings import Count, Settings, Text, name_in


class DatasetSettings(Settings):
    layout: Annotated[str, name_in(LAYOUTS)] = Field(
        description="how its folder is laid out: `manifest`, or one of the benchmarks' layouts"
    )
    root: Text = Field(description="its folder")
    quality: Literal["raw", "c0", "c23", "c40"] | None = Field(
        default=None,
        description="of `ffpp`, `faceshifter`, `dfd`, `deepfakebench` and `deeperforensics`' reals: `c0` (also called "
        "`raw`), `c23` or `c40`; not needed where only one is there",
    )
    input: Input = Field(
        default="video",
        description="`video`, or `faces` where each video is a folder of face pictures that its authors cropped, each "
        "of which is taken as it is for the crop of a face",
    )
    reals: list[Split] = Field(
        default=list(SPLITS),
        description="the splits whose reals are used; the others are not even decoded. Only a training dataset's "
        "`train` and `val` are trained on",
    )
    fakes: list[Split] = Field(
        default=list(SPLITS),
        description="the splits whose fakes are used. Only a test split's ever are, but for those of `train` and "
        "`val` where `train.fakes` asks for them",
    )

    @model_validator(mode="after")
    def _quality_of_what_has_some(self) -> "DatasetSettings":
        if self.quality and not LAYOUTS[self.layout].has_qualities:
            having = ", ".join(name for name, layout in LAYOUTS.items() if layout.has_qualities)
            raise ValueError(f"quality is '{self.quality}', but only {having} come in several; remove it")
        return self


class CrossValidationSettings(Settings):
    folds: Count = Field(
        description="with several, the people (`identity`) of `train_dataset` are dealt into that many folds; 1 keeps "
        "the dataset's own splits"
    )
    fold: Annotated[int, Field(ge=0)] = Field(
        description="which fold is tested; of the people of the others, a fifth validate"
    )

    @model_validator(mode="after")
    def _fold_exists(self) -> "CrossValidationSettings":
        if self.fold >= self.folds:
            raise ValueError(
                f"fold is {self.fold}, expected 0 to {self.folds - 1} (cross_validation.folds is {self.folds})"
            )
        return self

"""The section ``pairs`` of params.yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from stages.lib.settings import Count, Fraction, Settings


class PairSettings(Settings):
    per_video: Count = Field(description="pairs that score a video")
    train_per_video: Count = Field(description="pairs of each training real that the anomaly model is fitted to")
    min_gap: Fraction = Field(
        description="least distance of a pair, in parts of the time between first and last face. The paper wants "
        "pairs far apart (0.2 to 1.0)"
    )
    max_gap: Annotated[float, Field(gt=0, le=1)] = Field(
        description="greatest distance of a pair, in the same parts; neighbours are never too far apart"
    )
    min_faces: Annotated[int, Field(ge=2)] = Field(
        description="a video with fewer faces isn't scored (`too_few_faces`)"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "PairSettings":
        if self.min_gap > self.max_gap:
            raise ValueError(f"min_gap ({self.min_gap}) must not exceed max_gap ({self.max_gap})")
        return self

"""The section ``demo`` of params.yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from stages.lib.settings import Count, Settings


class DemoSettings(Settings):
    seed: Annotated[int, Field(ge=0)] = Field(description="the demo dataset's own seed")
    train_people: Count = Field(description="people of the training split, each with a real video")
    val_people: Count = Field(description="people of the validation split, each with a real video")
    test_people: Annotated[int, Field(ge=2)] = Field(
        description="people of the test split, each with a real video and a fake of each method"
    )
    min_frames: Annotated[int, Field(ge=2)] = Field(description="length of the shortest video, in frames")
    max_frames: Annotated[int, Field(ge=2)] = Field(description="length of the longest video, in frames")

    @model_validator(mode="after")
    def _ordered(self) -> "DemoSettings":
        if self.min_frames > self.max_frames:
            raise ValueError(f"min_frames ({self.min_frames}) must not exceed max_frames ({self.max_frames})")
        return self

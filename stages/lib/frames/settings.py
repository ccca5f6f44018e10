"""The section ``frames`` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.lib.settings import Settings


class FrameSettings(Settings):
    per_video: Annotated[int, Field(ge=2)] = Field(description="equally spaced frames per video")
    max_side: Annotated[int, Field(ge=0)] = Field(
        default=0,  # of models that were released before it was there
        description="larger frames are shrunk to so many px on the longer side, to save disk; 0 keeps them as they are",
    )

"""The section ``frames`` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.lib.settings import Settings


class FrameSettings(Settings):
    per_video: Annotated[int, Field(ge=2)] = Field(description="equally spaced frames per video")

"""The section ``faces`` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.lib.settings import Settings, Text


class FaceSettings(Settings):
    landmarks: Text = Field(
        description="`haar`, or the path of a 68-point model: ONNX (`.onnx`) or OpenCV's LBF (`.yaml`)"
    )
    select: Literal["largest", "track"] = Field(
        description="which face, where there are several: the `largest` of each frame (the paper's), or `track`: one "
        "person through the video"
    )
    enlarge: Annotated[float, Field(ge=1, le=3)] = Field(description="side of the crop in sides of the face's box")

"""The section ``faces`` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.lib.settings import Settings, Text

BUILT_IN_LANDMARKS = ("mesh", "haar")  # what ``faces.landmarks`` may name beside a file


class FaceSettings(Settings):
    detector: Literal["blazeface", "haar"] = Field(
        description="`blazeface`: MediaPipe's networks, whose faces the face mesh confirms; `haar`: OpenCV's cascade "
        "(the paper's), which takes an eye or a forehead for a face now and then"
    )
    landmarks: Text = Field(
        description="`mesh` (MediaPipe's), `haar`, or the path of a 68-point model: ONNX (`.onnx`) or OpenCV's LBF "
        "(`.yaml`)"
    )
    select: Literal["largest", "track"] = Field(
        description="which face, where there are several: the `largest` of each frame (the paper's), or `track`: one "
        "person through the video"
    )
    enlarge: Annotated[float, Field(ge=1, le=3)] = Field(description="side of the crop in sides of the face's box")
    size: Annotated[int, Field(ge=64, le=384, multiple_of=32)] = Field(
        description="px, side of the stored crop; a larger one keeps more of a large face's detail"
    )

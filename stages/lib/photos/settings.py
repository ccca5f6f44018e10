"""The photographs of params.yaml."""

from typing import Literal

from pydantic import Field

from stages.lib.settings import Settings, Text


class PhotoSettings(Settings):
    layout: Literal["people"] = Field(
        description="`people`: a folder of pictures for each person (LFW, scikit-learn's `lfw_home`, VGGFace2), or "
        "pictures alone, each of a person of its own (FFHQ)"
    )
    root: Text = Field(description="its folder; its faces make pseudo-fakes for training and are never scored")

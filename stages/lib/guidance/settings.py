"""The section ``guidance`` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.lib.settings import Positive, Settings, Text

_Weight = Annotated[float, Field(ge=0)]


class GuidanceSettings(Settings):
    weights: Text = Field(
        description="Stable Diffusion's: `none` (no guidance), `hub`, or a folder in diffusers' format "
        "([Guidance](guidance.md))"
    )
    size: Annotated[int, Field(ge=64, le=1024, multiple_of=64)] = Field(
        description="px: source and target are reconstructed at it, whatever `backbone.input_size` is"
    )
    filter: bool = Field(description="a feature filter for source and target each; false: both get the same features")
    weight: bool = Field(description="weight what each branch gives by how like source and target the fake is")
    pretrained: bool = Field(
        description="the weights of Stable Diffusion's UNet; false: a UNet of its shape with random weights, to "
        "compare with"
    )
    lambda_source: _Weight = Field(description="weight of the source's reconstruction in the loss")
    lambda_target: _Weight = Field(description="weight of the target's reconstruction in the loss")
    lambda_weight: _Weight = Field(description="weight of the loss of the similarities, where `weight` is true")
    learning_rate: Positive = Field(description="of what guidance trains beside the backbone; AdamW's, constant")
    reals: bool = Field(description="real faces are reconstructed as well, as their own source and target")
    checkpointing: bool = Field(description="recompute activations in the backward pass: less memory, more time")

    @property
    def is_on(self) -> bool:
        """Whether the backbone is trained under guidance."""
        return self.weights != "none"

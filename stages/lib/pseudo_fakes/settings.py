"""The section ``synthesis`` of params.yaml."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.settings import Count, Positive, Settings, name_in


def _weights(value: object) -> object:
    """A list of schemes is a mapping of equal weights."""
    if not isinstance(value, list):
        return value
    if len(set(map(str, value))) < len(value):
        raise ValueError(f"lists a scheme twice ({', '.join(map(str, value))}); give weights as {{global: 2, eyes: 1}}")
    return dict.fromkeys(value, 1.0)


def _range(value: list[int]) -> list[int]:
    if value and (len(value) != 2 or value[0] > value[1]):
        raise ValueError("must be [least, greatest], or [] for no compression")
    return value


class SynthesisSettings(Settings):
    variants: Count = Field(
        description="pseudo-fakes per face in the bank; an epoch shows one, and none again before all were shown"
    )
    schemes: Annotated[
        dict[Annotated[str, name_in(SCHEMES)], Positive], BeforeValidator(_weights), Field(min_length=1)
    ] = Field(
        description="kinds of pseudo-fakes: a list, or weights (`{swap: 3, lips: 1}`). `[global]` with `donors: 0.0` "
        "is self-blended images"
    )
    donors: Annotated[float, Field(ge=0, le=1)] = Field(
        description="share of pseudo-fakes whose face is another person's, laid over by its landmarks, not the face "
        "itself"
    )
    crf: Annotated[list[Annotated[int, Field(ge=0, le=51)]], AfterValidator(_range)] = Field(
        description="x264's constant rate factors, `[least, greatest]`, of the compression that a real face and its "
        "pseudo-fake go through alike; `[]`: none"
    )
    degrade: bool = Field(description="blur, noise and JPEG applied alike to a real face and its pseudo-fake")

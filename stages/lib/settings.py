"""What the sections of params.yaml have in common: frozen, strict, every key known, each field with its description.

A section stands in the package that reads it (``<package>/settings.py``); :mod:`stages.params` composes them.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Text = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """A section of params.yaml: immutable, no unknown keys, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def name_in(registry: Iterable[str]) -> BeforeValidator:
    """A validator of names that a registry has. What is registered is known here, without a second list of names."""
    names = list(registry)

    def check(value: object) -> object:
        if value not in names:
            *others, last = [f"'{name}'" for name in names]
            expected = f"{', '.join(others)} or {last}" if others else last
            raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
        return value

    return BeforeValidator(check)

"""Load and check params.yaml; ``python -m stages.params`` checks it, ``--preset FILE …`` writes presets into it first."""

import argparse
import difflib
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.cli import run
from stages.lib.config import Params, Section
from stages.lib.errors import InputError
from stages.lib.files import atomic_path

PARAMS = Path("params.yaml")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section that ``location`` (a key's path) points into, [] where it is not a section."""
    kind: object = Params
    for part in location[:-1]:
        if not (isinstance(kind, type) and issubclass(kind, Section)):  # a mapping of names to sections
            kind = next((one for one in get_args(kind) if isinstance(one, type) and issubclass(one, Section)), None)
        else:
            kind = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Section) else []


def _explain(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "params"
    found = error["input"]
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}."
        return f"{key}: unknown key; {hint} Correct or remove it"
    if error["type"] == "missing":
        return f"{key}: missing; add it (README.md says what each key means)"
    if error["type"] == "literal_error":
        expected = error["ctx"]["expected"]
        close = difflib.get_close_matches(str(found), expected.replace("'", "").replace(" or ", ", ").split(", "), 1)
        return f"{key}: found '{found}', expected {expected}" + (
            f"; did you mean '{close[0]}'?" if close else "; correct it"
        )
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}; correct it"
    return f"{key}: found {found!r}; {error['msg'][0].lower()}{error['msg'][1:]}; correct it"


def load_params(path: Path = PARAMS) -> Params:
    """The validated parameters. Raises :class:`InputError` naming each bad key, what was expected and what was found."""
    if not path.is_file():
        raise InputError(f"no {path} in {Path.cwd()}; run stages from the root of the repository")
    try:
        content = YAML(typ="safe").load(path)
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {_explain(detail)}" for detail in error.errors())) from error


def apply_presets(presets: list[Path], path: Path = PARAMS) -> None:
    """Write the values of presets into params.yaml, one after the other; the result is checked first.

    Everything else and the comments stay, but ``datasets``: a preset that names some is a protocol, and they are all of it.
    """
    yaml = YAML()
    yaml.width = 200
    content = yaml.load(path)
    for preset in presets:
        if not preset.is_file():
            raise InputError(
                f"no preset {preset}; there are: {', '.join(sorted(p.stem for p in Path('presets').glob('*.yaml')))}"
            )
        values = yaml.load(preset)
        if "datasets" in values:
            content["datasets"] = values.pop("datasets")
        _merge(content, values)
    with atomic_path(path) as temporary:
        yaml.dump(content, temporary)
        load_params(temporary)


def _merge(into: dict, values: dict) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", type=Path, nargs="+", help="files of presets/ to write into params.yaml")
    arguments = parser.parse_args()
    if arguments.preset:
        apply_presets(arguments.preset)
    load_params()


if __name__ == "__main__":
    run(main)

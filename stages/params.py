"""Load and check params.yaml; ``python -m stages.params`` checks it, ``--preset FILE …`` writes presets into it first.

``--docs FILE`` writes docs/params.md instead: every key with what it means, from the packages' settings and registries.
"""

import argparse
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.cli import run
from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.anomaly.settings import AnomalyModelSettings, ScoringSettings
from stages.lib.backbone.settings import BackboneSettings, TrainingSettings
from stages.lib.backbone.weights import PACKAGES
from stages.lib.calibration.settings import CalibrationSettings
from stages.lib.datasets.layouts.registry import LAYOUTS
from stages.lib.datasets.settings import CrossValidationSettings, DatasetSettings
from stages.lib.demo.settings import DemoSettings
from stages.lib.errors import InputError
from stages.lib.faces.settings import FaceSettings
from stages.lib.files import atomic_path, write_text
from stages.lib.frames.settings import FrameSettings
from stages.lib.guidance.settings import GuidanceSettings
from stages.lib.markdown import markdown_table
from stages.lib.pairs.fusion import FUSIONS
from stages.lib.pairs.settings import PairSettings
from stages.lib.photos.settings import PhotoSettings
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.settings import Settings, name_in
from stages.lib.systems.registry import SYSTEMS

PARAMS = Path("params.yaml")
DatasetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Params(Settings):
    """The whole of params.yaml: a section stands in the package that reads it."""

    seed: Annotated[int, Field(ge=0)] = Field(description="of every random draw but the demo's")
    fusion: Annotated[str, name_in(FUSIONS)] = Field(description="how a pair of faces becomes one vector")
    train_dataset: str = Field(
        description="the key of `datasets` whose `train` and `val` reals are trained on and calibrated with"
    )
    datasets: Annotated[dict[DatasetName, DatasetSettings], Field(min_length=1)]
    photos: dict[DatasetName, PhotoSettings] = {}
    cross_validation: CrossValidationSettings
    demo: DemoSettings
    frames: FrameSettings
    faces: FaceSettings
    synthesis: SynthesisSettings
    backbone: BackboneSettings
    train: TrainingSettings
    guidance: GuidanceSettings
    pairs: PairSettings
    anomaly_model: AnomalyModelSettings
    scoring: ScoringSettings
    calibration: CalibrationSettings

    @model_validator(mode="after")
    def _train_dataset_is_known(self) -> "Params":
        if self.train_dataset not in self.datasets:
            raise ValueError(
                f"train_dataset is '{self.train_dataset}', expected one of the keys of `datasets`: "
                f"{', '.join(self.datasets)}"
            )
        return self

    @model_validator(mode="after")
    def _guidance_can_train(self) -> "Params":
        weights, train = self.guidance.weights, self.train
        if self.guidance.is_on and train.tune in ("head", "none"):
            raise ValueError(
                f"guidance.weights is '{weights}', but train.tune is '{train.tune}': no guidance reaches a frozen "
                "backbone; set train.tune to 'all' or 'norm', or guidance.weights to 'none'"
            )
        if self.guidance.is_on and train.sam_rho:
            raise ValueError(
                f"guidance.weights is '{weights}', but train.sam_rho is {train.sam_rho}: guidance is trained by plain "
                "steps alone; set train.sam_rho to 0, or guidance.weights to 'none'"
            )
        if self.guidance.is_on and train.system != "none":
            raise ValueError(
                f"guidance.weights is '{weights}', but train.system is '{train.system}': guidance is given a plain "
                "network's features; set train.system to none, or guidance.weights to 'none'"
            )
        return self


def other_than_difffake(params: Params) -> str:
    """By which settings the anomaly score is another system's, for people; empty where it is DiffFake's."""
    settings = {
        f"train.system is {params.train.system}": params.train.system != "none",
        f"train.loss is {params.train.loss}": params.train.loss == "gend",
        "scoring.evidence is without pairs": "pairs" not in params.scoring.evidence,
    }
    return ", ".join(words for words, is_so in settings.items() if is_so)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section that ``location`` (a key's path) points into, [] where it is not a section."""
    kind: object = Params
    for part in location[:-1]:
        if not (isinstance(kind, type) and issubclass(kind, Settings)):  # a mapping of names to sections
            kind = next((one for one in get_args(kind) if isinstance(one, type) and issubclass(one, Settings)), None)
        else:
            kind = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Settings) else []


def _explain(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "params"
    found = error["input"]
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}."
        return f"{key}: unknown key; {hint} Correct or remove it"
    if error["type"] == "missing":
        return f"{key}: missing; add it (docs/params.md says what each key means)"
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
    """The validated parameters. Raises :class:`InputError` naming each bad key, what was expected and what was
    found.
    """
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

    Everything else and the comments stay. A mapping of names (``datasets``, ``photos``, ``synthesis.schemes``) that a
    preset has is all of it: none of those before remain.
    """
    yaml = YAML()
    yaml.width = 200
    content = yaml.load(path)
    for preset in presets:
        if not preset.is_file():
            raise InputError(
                f"no preset {preset}; there are: {', '.join(sorted(p.stem for p in Path('presets').glob('*.yaml')))}"
            )
        _merge(content, yaml.load(preset), Params)
    with atomic_path(path) as temporary:
        yaml.dump(content, temporary)
        load_params(temporary)


def _merge(into: dict, values: dict, section: type[Settings]) -> None:
    for key, value in values.items():
        kind = section.model_fields[key].annotation if key in section.model_fields else None
        if _is_settings(kind) and isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, kind)
        else:
            into[key] = value


def described_keys(section: type[Settings], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(key, description) of every field of a section and of the sections in it, by the key's path."""
    for name, field in section.model_fields.items():
        inner = next((one for one in (field.annotation, *get_args(field.annotation)) if _is_settings(one)), None)
        if inner is None:
            yield f"{prefix}{name}", field.description or ""
        else:
            yield from described_keys(
                inner, f"{prefix}{name}.<name>." if inner is not field.annotation else f"{prefix}{name}."
            )


def _is_settings(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def _registry(title: str, key: str, registry: Mapping[str, Any]) -> str:
    rows = [(f"`{name}`", entry.description) for name, entry in registry.items()]
    return f"## {title}\n\nNames for `{key}`.\n\n" + markdown_table(("name", "is"), rows)


def documentation() -> str:
    """docs/params.md: every key of params.yaml with its description and its value as shipped, and every registered
    name.
    """
    shipped = YAML(typ="safe").load(PARAMS)
    rows = []
    for key, description in described_keys(Params):
        value: Any = shipped
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        text = "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
        rows.append((f"`{key}`", description, text.replace("'", "")))
    return "\n".join(
        [
            "# params.yaml",
            "",
            "Every key, what it means, and its value as shipped. A misspelt key or value is an error that names it.",
            "How the work is run (workers, device) is set by the environment and is not a param: see",
            "[Scaling](scaling.md).",
            "",
            "This page is generated from the settings of the packages (`make docs`): don't edit it.",
            "",
            markdown_table(("key", "means", "as shipped"), rows),
            _registry("Fusions", "fusion", FUSIONS),
            _registry("Estimators", "anomaly_model.kind", ESTIMATORS),
            _registry("Mask schemes", "synthesis.schemes", SCHEMES),
            _registry("Layouts", "datasets.<name>.layout", LAYOUTS),
            _registry("Packages of weights", "backbone.weights", PACKAGES),
            _registry("Systems", "make preset NAME", SYSTEMS),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, nargs="+", help="files of presets/ to write into params.yaml")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="write the page that says what each key means")
    arguments = parser.parse_args()
    if arguments.preset:
        apply_presets(arguments.preset)
    load_params()
    if arguments.docs:
        write_text(arguments.docs, documentation())


if __name__ == "__main__":
    run(main)

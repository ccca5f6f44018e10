"""MesoNet's published weights: the imported network against Keras' arithmetic, and the files that are refused."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from stages import import_weights
from stages.lib.backbone.checkpoint import load_backbone
from stages.lib.backbone.embedding import FaceFeatures, embed
from stages.lib.backbone.published.formats import read_published
from stages.lib.errors import InputError
from tests.helpers.keras import KerasMesoNet

TOLERANCE = 1e-3  # of how much an embedding or a logit differs from image to image; float32
FACES = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), np.uint8).repeat(32, axis=1).repeat(32, axis=2)


@pytest.fixture(scope="module", params=["meso4", "mesoinception4"])
def original(request) -> KerasMesoNet:
    return KerasMesoNet(inception=request.param == "mesoinception4")


@pytest.fixture(scope="module")
def meso4() -> KerasMesoNet:
    return KerasMesoNet(inception=False)


@pytest.fixture
def features(original, tmp_path, monkeypatch) -> FaceFeatures:
    """What the backbone that the command wrote says of the faces."""
    original.save(tmp_path / "MesoNet_DF")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["import_weights", "mesonet", "MesoNet_DF", "--name", "meso"])
    import_weights.main()
    model, architecture = load_backbone(Path("inputs/imported/meso.safetensors"), "cpu")
    return embed(model, FACES, architecture.input_size, "cpu")


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    spread = theirs.std(axis=0).max()
    assert spread > 1e-2 * np.abs(theirs).max()  # else a network that doesn't see the images would be equal too
    assert np.abs(ours - theirs).max() <= TOLERANCE * spread


def test_the_logit_is_keras_output_before_its_sigmoid_negated(original, features):
    assert_close(features.logit, -original.pre_sigmoid(FACES / 255.0))


def test_the_embedding_is_what_keras_gives_its_last_layer(original, features):
    assert_close(features.embedding, original.embedding(FACES / 255.0))


def test_the_embedding_has_16_numbers(features):
    assert features.embedding.shape == (3, 16)


def test_a_whole_model_is_read_too(meso4, tmp_path):
    weights = read_published("mesonet", str(meso4.save(tmp_path / "w.h5"))).model.state_dict()
    whole = read_published("mesonet", str(meso4.save(tmp_path / "m.h5", inside="model_weights"))).model.state_dict()
    assert all(torch.equal(whole[name], tensor) for name, tensor in weights.items())


def test_its_input_are_pixels_from_0_to_1(meso4, tmp_path):
    origin = read_published("mesonet", str(meso4.save(tmp_path / "w.h5"))).architecture.origin
    assert (origin.mean, origin.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


# What is refused


def refusal(kind: str, source: Path) -> str:
    with pytest.raises(InputError) as error:
        read_published(kind, str(source))
    return str(error.value)


def test_a_file_without_a_layer_is_refused(meso4, tmp_path):
    path = meso4.save(tmp_path / "w.h5", order=meso4.order()[:-1])
    said = refusal("mesonet", path)
    expected = f"{path} is no file of format 'mesonet': it has 9 layers of Keras with weights, expected 10 (Meso4) or"
    assert said.startswith(f"{expected} 22 (MesoInception4). Its names begin with conv2d_5/kernel, conv2d_5/bias, ")


def test_layers_in_another_order_than_keras_are_refused(tmp_path):
    original = KerasMesoNet(inception=True)
    convolutions, rest = sorted(original.order()[:7], key=lambda name: int(name[7:])), original.order()[7:]
    said = refusal("mesonet", original.save(tmp_path / "w.h5", order=[*convolutions, *rest]))
    assert (
        "have another shape (conv2d_5/kernel: (1, 3, 1, 1), not (4, 3, 1, 1), conv2d_5/bias: (1,), not (4,), " in said
    )


def test_weights_of_another_kind_are_refused(meso4, tmp_path):
    order = meso4.order()
    order[:2] = reversed(order[:2])
    said = refusal("mesonet", meso4.save(tmp_path / "w.h5", order=order))
    assert "are missing (batch_normalization_5/bias, batch_normalization_5/kernel, conv2d_5/beta, …)" in said


def test_a_network_for_another_size_is_refused(meso4, tmp_path):
    path = meso4.save(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        del file["dense_5/dense_5/kernel:0"]
        file["dense_5/dense_5/kernel:0"] = np.zeros((256, 16), np.float32)
    assert "1 tensors have another shape (dense_5/kernel: (16, 256), not (16, 1024))" in refusal("mesonet", path)


def test_a_file_of_pytorch_is_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(2, 3)}, tmp_path / "w.pth")
    said = refusal("mesonet", tmp_path / "w.pth")
    assert "it has 0 layers of Keras with weights, expected 10 (Meso4) or 22 (MesoInception4). Its names begin" in said


def test_a_file_of_keras_is_no_file_of_another_format(meso4, tmp_path):
    said = refusal("sbi", meso4.save(tmp_path / "w.h5"))
    assert "w.h5 is no file of format 'sbi': " in said


def test_a_page_that_was_downloaded_for_the_file_is_refused(tmp_path):
    (tmp_path / "Meso4_DF.h5").write_text("<html>sign in to download</html>")
    said = refusal("mesonet", tmp_path / "Meso4_DF.h5")
    assert said == f"{tmp_path}/Meso4_DF.h5 is not a whole file of weights (UnpicklingError); download it anew"


def test_a_file_cut_off_is_refused(meso4, tmp_path):
    path = meso4.save(tmp_path / "w.h5")
    path.write_bytes(path.read_bytes()[:-5000])
    assert refusal("mesonet", path) == f"{path} is not a whole file of weights (OSError); download it anew"


def test_hdf5_that_is_not_keras_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["x"] = np.zeros(3)
    assert refusal("mesonet", tmp_path / "w.h5") == (
        f"{tmp_path}/w.h5 is HDF5, but not as Keras 2 saves weights: nothing in it is called layer_names; name a file "
        "of Keras' save_weights"
    )

"""Published files: what is read, and what is refused without running code."""

import argparse
import json

import pytest
import safetensors.torch
import torch

from stages.lib.backbone.published.files import read_original
from stages.lib.errors import InputError

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, -1.0])}


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


def assert_same(found: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(WEIGHTS)
    assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("wrapped", [(), ("model",), ("state_dict",), ("state_dict", "model")])
def test_tensors_are_found_in_what_a_checkpoint_wraps_them_in(tmp_path, wrapped):
    content = WEIGHTS
    for key in wrapped:
        content = {key: content, "epoch": 3}
    torch.save(content, tmp_path / "x.tar")
    assert_same(read_original(tmp_path / "x.tar").state)


def test_names_lose_data_parallels_prefix(tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in WEIGHTS.items()}, tmp_path / "x.pth")
    assert_same(read_original(tmp_path / "x.pth").state)


def test_a_safetensors_file_of_half_precision_is_read_as_float32(tmp_path):
    half = {name: tensor.bfloat16() for name, tensor in WEIGHTS.items()}
    safetensors.torch.save_file(half, tmp_path / "x.safetensors")
    found = read_original(tmp_path / "x.safetensors").state
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert_same(found)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_has_its_weights_and_config(tmp_path, name):
    save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
    save(WEIGHTS, tmp_path / name)
    (tmp_path / "config.json").write_text(json.dumps({"head": "linear"}))
    found = read_original(tmp_path)
    assert_same(found.state)
    assert found.config == {"head": "linear"}


def test_a_pickle_that_runs_code_is_refused_and_its_code_does_not_run(tmp_path):
    torch.save({"model": WEIGHTS, "x": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(
        InputError, match="evil.pth is not loaded: beside tensors it holds exec, .* may run code"
    ) as error:
        read_original(tmp_path / "evil.pth")
    assert "write its state_dict alone to a .safetensors file" in str(error.value)


def test_a_pickle_with_another_class_is_refused_by_its_name(tmp_path):
    torch.save({"state_dict": WEIGHTS, "args": argparse.Namespace(lr=1)}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="it holds argparse.Namespace"):
        read_original(tmp_path / "x.pth")


def test_a_whole_pickled_network_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.p")
    with pytest.raises(InputError, match="x.p is not loaded: beside tensors it holds torch.nn.modules.linear.Linear"):
        read_original(tmp_path / "x.p")


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
def test_what_is_no_file_of_weights_is_refused(tmp_path, name):
    (tmp_path / name).write_text("<html>sign in to download</html>")
    with pytest.raises(InputError, match=f"{name} is not a whole file of weights .*; download it anew"):
        read_original(tmp_path / name)


def test_a_file_cut_off_is_refused(tmp_path):
    torch.save(WEIGHTS, tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes((tmp_path / "x.pth").read_bytes()[:-200])
    with pytest.raises(InputError, match="x.pth is not a whole file of weights"):
        read_original(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("content", "message"), [([1, 2], "holds a list, expected tensors"), ({"epoch": 1}, "no tensors")]
)
def test_content_without_tensors_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=message):
        read_original(tmp_path / "x.pth")


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    torch.save(WEIGHTS | {"b": torch.tensor([float("nan")])}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="x.pth: b holds numbers that are not finite"):
        read_original(tmp_path / "x.pth")


def test_no_file_and_an_empty_folder_are_errors(tmp_path):
    with pytest.raises(InputError, match="no file .*none.pth; name the file that was downloaded"):
        read_original(tmp_path / "none.pth")
    with pytest.raises(InputError, match="has neither model.safetensors nor pytorch_model.bin"):
        read_original(tmp_path)

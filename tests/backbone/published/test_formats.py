"""Imported networks against the original packages' networks, on random weights: embedding and logit for embedding and
logit.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel, DINOv3ViTConfig, DINOv3ViTModel

from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.network import forward, prepare
from stages.lib.backbone.published.formats import FORMATS, read_published
from stages.lib.errors import InputError
from tests.helpers.originals import (
    BenchEfficientNet,
    BenchXception,
    GenD,
    SelfBlendedImages,
    log_odds_of_fake,
    randomize,
)

TOLERANCE = 1e-3  # of how much an embedding or a logit differs from image to image; float32
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def faces(size: int) -> np.ndarray:
    """Three smooth random images, RGB uint8 (3, size, size, 3), with all of a pixel's range."""
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.uniform(0, 255, (3, 3, 8, 8)).astype(np.float32))
    fine = torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 255)
    return fine.round().byte().permute(0, 2, 3, 1).numpy()


def pixels(images: np.ndarray, mean=(0.0,) * 3, std=(1.0,) * 3) -> torch.Tensor:
    """Images as the original's own transform gives them."""
    scaled = (images / 255.0 - np.asarray(mean)) / np.asarray(std)
    return torch.from_numpy(scaled.astype(np.float32)).permute(0, 3, 1, 2)


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    spread = theirs.std(dim=0).max()
    assert spread > 1e-3 * theirs.abs().max()  # else a network that doesn't see the images would be equal too
    assert (ours - theirs).abs().max() <= TOLERANCE * spread


@torch.inference_mode()
def assert_equals(original, kind: str, source: Path, size: int, mean, std) -> None:
    """An imported backbone, saved and loaded again, gives what the original gives."""
    published = read_published(kind, str(source))
    path = source.parent / "imported.safetensors"
    save_backbone(path, published.model, published.architecture)
    model, architecture = load_backbone(path, "cpu")
    assert architecture.input_size == size
    images = faces(size)
    ours = forward(model, prepare(images, size))
    theirs = pixels(images, mean, std)
    assert_close(ours.embedding, original.embedding(theirs))
    if published.classifies:
        assert_close(ours.logit, log_odds_of_fake(original(theirs)))
    else:
        assert (ours.logit == 0).all()


def test_sbi_is_the_packages_network(tmp_path):
    original = randomize(SelfBlendedImages())
    torch.save({"model": original.state_dict(), "optimizer": {"state": {}}, "epoch": 9}, tmp_path / "sbi.tar")
    assert_equals(original, "sbi", tmp_path / "sbi.tar", 380, (0, 0, 0), (1, 1, 1))


def test_deepfakebenchs_efficientnet_is_the_packages_network(tmp_path):
    original = randomize(BenchEfficientNet())
    torch.save(original.state_dict(), tmp_path / "effnb4_best.pth")
    path = tmp_path / "effnb4_best.pth"
    assert_equals(original, "deepfakebench-efficientnetb4", path, 256, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("dropout", [False, True])
def test_deepfakebenchs_xception_is_the_packages_network(tmp_path, dropout):
    original = randomize(BenchXception(dropout))
    state = {f"module.{name}": tensor for name, tensor in original.state_dict().items()}  # of several GPUs
    torch.save(state, tmp_path / "xception_best.pth")
    path = tmp_path / "xception_best.pth"
    assert_equals(original, "deepfakebench-xception", path, 256, (0.5,) * 3, (0.5,) * 3)


def clip_vision(hidden_act: str = "gelu", image_size: int = 64, **changes) -> CLIPVisionModel:
    """A CLIP vision encoder of the size of timm's smallest."""
    small = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 10, "num_attention_heads": 4}
    config = CLIPVisionConfig(hidden_act=hidden_act, image_size=image_size, patch_size=16, **small | changes)
    torch.manual_seed(0)
    return randomize(CLIPVisionModel(config))


@pytest.fixture
def small_quickgelu(monkeypatch) -> None:
    """timm's smallest CLIP encoder with OpenAI's activation, which timm has for larger ones alone."""
    from timm.models import _registry

    def create(pretrained=False, **more):
        return timm.create_model("vit_xsmall_patch16_clip_224", act_layer="quick_gelu", **{"img_size": 64} | more)

    name = "vit_xsmall_patch16_clip_quickgelu_224"
    monkeypatch.setitem(_registry._model_entrypoints, name, create)
    monkeypatch.setitem(_registry._model_to_module, name, "vision_transformer")


class Encoder:
    """A CLIP vision encoder alone."""

    def __init__(self, network: CLIPVisionModel) -> None:
        self._network = network

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        return self._network(images).pooler_output


@pytest.mark.parametrize("prefix", ["", "vision_model."])
def test_clips_vision_encoder_is_transformers(tmp_path, prefix):
    network = clip_vision()
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    beside = {"text_model.x": torch.zeros(1), "logit_scale": torch.zeros(1), "visual_projection.weight": torch.zeros(1)}
    safetensors.torch.save_file(state | beside, tmp_path / "model.safetensors")
    config = network.config.to_dict()
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": config} if prefix else config))
    assert_equals(Encoder(network), "clip", tmp_path / "model.safetensors", 64, CLIP_MEAN, CLIP_STD)


def test_a_clip_of_openais_activation_is_transformers(tmp_path, small_quickgelu):
    network = clip_vision("quick_gelu")
    network.save_pretrained(tmp_path)
    assert_equals(Encoder(network), "clip", tmp_path / "model.safetensors", 64, CLIP_MEAN, CLIP_STD)


def gend(folder: Path, original: GenD, backbone: str, normalized: bool) -> Path:
    """A model of GenD in its hub's format."""
    safetensors.torch.save_file(original.state_dict(), folder / "model.safetensors")
    config = {"backbone": backbone, "head": "LinearNorm" if normalized else "linear", "model_type": "GenD"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "model.safetensors"


def gend_of_clip(normalized: bool) -> GenD:
    encoder = clip_vision("quick_gelu")
    parts = {"vision_model": encoder, "visual_projection": torch.nn.Linear(256, 8, bias=False)}
    return randomize(GenD(parts, 256, lambda given, x: given.vision_model(x).pooler_output, normalized))


@pytest.mark.parametrize("normalized", [False, True])
def test_gend_of_a_clip_is_transformers(tmp_path, small_quickgelu, normalized):
    original = gend_of_clip(normalized)
    path = gend(tmp_path, original, "openai/clip-vit-large-patch14", normalized)
    assert_equals(original, "gend", path, 64, CLIP_MEAN, CLIP_STD)


def test_a_lightning_checkpoint_of_gend_says_itself_what_it_is(tmp_path, small_quickgelu):
    original = gend_of_clip(True)
    said = {"backbone": "openai/clip-vit-base-patch16", "head": "LinearNorm", "seed": 42}
    content = {"state_dict": original.state_dict(), "hyper_parameters": said, "epoch": 0, "loops": {}}
    torch.save(content, tmp_path / "best.ckpt")
    assert_equals(original, "gend", tmp_path / "best.ckpt", 64, CLIP_MEAN, CLIP_STD)


def test_gend_of_a_perception_encoder_is_timms_at_224_px(tmp_path):
    name = "vit_pe_core_tiny_patch16_384"
    torch.manual_seed(0)
    encoder = timm.create_model(name, dynamic_img_size=True)
    encoder.head = torch.nn.Identity()
    original = randomize(GenD({"backbone": encoder}, 192, lambda given, x: given.backbone(x), True))
    assert_equals(original, "gend", gend(tmp_path, original, name, True), 224, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("layers", ["layer.", "model.layer."])  # as transformers 4 and 5 write them
def test_gend_of_a_dinov3_is_transformers(tmp_path, layers):
    small = {"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 12, "num_attention_heads": 3}
    torch.manual_seed(0)
    encoder = DINOv3ViTModel(DINOv3ViTConfig(image_size=224, num_register_tokens=4, **small))
    original = GenD({"backbone": encoder}, 192, lambda given, x: given.backbone(x).last_hidden_state[:, 0], True)
    randomize(original)
    path = gend(tmp_path, original, "facebook/dinov3-vits16-pretrain-lvd1689m", True)
    state = original.state_dict()
    named = {name.replace("model.layer.", "layer.").replace("layer.", layers): state[name] for name in state}
    safetensors.torch.save_file(named, path)
    assert_equals(original, "gend", path, 224, IMAGENET_MEAN, IMAGENET_STD)


# What is refused


def refusal(kind: str, source: Path | str) -> str:
    with pytest.raises(InputError) as error:
        read_published(kind, str(source))
    return str(error.value)


@pytest.fixture(scope="module")
def xception(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("xception") / "xception_best.pth"
    torch.save(BenchXception(False).state_dict(), path)
    return path


def test_a_file_of_another_format_names_both(xception):
    said = refusal("sbi", xception)
    assert f"{xception} is no file of format 'sbi': 610 tensors are missing (net._blocks.0._bn1.bias, " in said
    assert "283 tensors are unknown (backbone.conv1.weight, backbone.bn1.weight, backbone.bn1.bias, …)" in said
    assert said.endswith("Its names are those of format 'deepfakebench-xception'")


def test_a_file_of_no_format_lists_them(tmp_path):
    torch.save({"fc.weight": torch.zeros(2, 3)}, tmp_path / "x.pth")
    (tmp_path / "config.json").write_text('{"hidden_act": "gelu"}')
    said = refusal("clip", tmp_path / "x.pth")
    assert "x.pth holds no CLIP vision encoder" in said
    assert "Its names begin with fc.weight; the formats are sbi, deepfakebench-efficientnetb4, " in said


def test_a_classifier_of_other_classes_is_refused(xception, tmp_path):
    state = torch.load(xception) | {"backbone.last_linear.weight": torch.zeros(5, 2048)}
    torch.save(state, tmp_path / "five.pth")
    said = refusal("deepfakebench-xception", tmp_path / "five.pth")
    assert "1 tensors have another shape (backbone.last_linear.weight: (5, 2048), not (1, 2048))" in said


def test_a_file_from_before_batches_were_counted_is_read(xception, tmp_path):
    state = {name: tensor for name, tensor in torch.load(xception).items() if not name.endswith("batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    assert read_published("deepfakebench-xception", str(tmp_path / "old.pth")).architecture.input_size == 256


def test_gend_without_its_config_is_refused(tmp_path):
    safetensors.torch.save_file({"model.linear.weight": torch.zeros(2, 4)}, tmp_path / "model.safetensors")
    said = refusal("gend", tmp_path / "model.safetensors")
    assert "nothing says which encoder and head it has (found backbone None, head None" in said
    assert "put the model's config.json beside it" in said


def test_a_clip_of_a_size_that_timm_has_not_is_refused(tmp_path):
    network = clip_vision(hidden_size=64, intermediate_size=64, num_hidden_layers=1)
    network.save_pretrained(tmp_path)
    assert "encoder of width 64 with patches of 16 px, for which timm" in refusal("clip", tmp_path)


def test_a_clip_of_other_attention_heads_is_refused(tmp_path):
    clip_vision(num_attention_heads=8).save_pretrained(tmp_path)
    assert "has 8 attention heads, timm's vit_xsmall_patch16_clip_224 4" in refusal("clip", tmp_path)


# timm's own


def test_a_folder_of_timms_is_read(tmp_path):
    original = timm.create_model("test_vit", num_classes=7)
    safetensors.torch.save_file(original.state_dict(), tmp_path / "model.safetensors")
    known = {"input_size": [3, 160, 160], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "license": "mit"}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_vit", "pretrained_cfg": known}))
    published = read_published("timm", str(tmp_path))
    architecture = published.architecture
    assert (architecture.name, architecture.input_size) == ("test_vit", 160)
    assert (architecture.origin.mean, architecture.origin.licence) == ((0.1, 0.2, 0.3), "mit")
    images = pixels(faces(160))
    with torch.inference_mode():
        ours = published.model.forward_head(published.model.forward_features(images), pre_logits=True)
        theirs = original.eval().forward_head(original.forward_features(images), pre_logits=True)
        torch.testing.assert_close(ours, theirs)
        assert (published.model(images) == 0).all()


def test_a_name_of_timms_is_taken_from_the_hub(monkeypatch):
    offline, asked = timm.create_model, []

    def create(name, pretrained=False, **more):
        asked.append((name, pretrained))
        return offline(name, **more)

    monkeypatch.setattr(timm, "create_model", create)
    published = read_published("timm", "resnet10t.c3_in1k")
    assert asked == [("resnet10t.c3_in1k", True)]
    architecture = published.architecture
    assert (architecture.name, architecture.origin.licence) == ("resnet10t", "apache-2.0")
    assert architecture.origin.source == "https://huggingface.co/timm/resnet10t.c3_in1k"


@pytest.fixture
def offline(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "source", "remedy"),
    [
        ("timm", "resnet10t.c3_in1k", "hf download timm/resnet10t.c3_in1k --local-dir FOLDER"),
        ("clip", "openai/clip-vit-base-patch32", "hf download openai/clip-vit-base-patch32 --local-dir FOLDER"),
        ("gend", "yermandy/GenD_CLIP_L_14", "hf download yermandy/GenD_CLIP_L_14 --local-dir FOLDER"),
    ],
)
def test_a_hub_out_of_reach_is_an_error_with_its_remedy(offline, kind, source, remedy):
    said = refusal(kind, source)
    assert "go online" in said
    assert remedy in said


def test_a_name_that_timm_has_not_is_an_error():
    assert "'resnet19' is neither a folder here nor a network that timm" in refusal("timm", "resnet19")


# The registry


def test_every_format_is_documented_as_it_describes_itself():
    page = (Path(__file__).parents[3] / "docs/import-weights.md").read_text(encoding="utf-8")
    rows = [f"| `{name}` | {one.description} |" for name, one in FORMATS.items()]
    assert [row for row in rows if row not in page] == []

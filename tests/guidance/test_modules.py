"""What stands between features and Stable Diffusion: shapes, layouts, ranges."""

import pytest
import timm
import torch

from stages.lib.guidance.modules import Alignment, FeatureFilter, WeightHead, similarity


def test_maps_of_channels_first_are_the_features():
    features = torch.randn(2, 6, 3, 3)
    assert torch.equal(Alignment(6, 4).maps(features), features)


def test_maps_of_channels_last_have_the_channels_second():
    features = torch.randn(2, 3, 3, 6)
    maps = Alignment(6, 4, channels_last=True).maps(features)
    assert torch.equal(maps[1, :, 0, 2], features[1, 0, 2])


def test_maps_of_tokens_are_a_square_without_the_prefix():
    features = torch.randn(2, 1 + 9, 6)
    maps = Alignment(6, 4, prefix_tokens=1).maps(features)
    assert torch.equal(maps[1, :, 2, 0], features[1, 1 + 2 * 3])


@pytest.mark.parametrize("size", [2, 3, 8])
def test_alignment_gives_the_width_and_size_that_are_wanted(size):
    assert Alignment(6, 4)(torch.randn(2, 6, 3, 3), size).shape == (2, 4, size, size)


def test_a_filter_keeps_the_shape():
    assert FeatureFilter(8)(torch.randn(2, 8, 5, 5)).shape == (2, 8, 5, 5)


@pytest.mark.parametrize("channels", [8, 320])
def test_a_filter_has_the_parameters_of_section_4(channels):
    c = channels
    convolutions = 2 * (9 * c * c + c)
    gates = (c * c // 4 + c // 4) + (c // 4 * c + c) + (9 * c + 1)
    attention = 4 * (c * c + c)
    assert sum(one.numel() for one in FeatureFilter(c).parameters()) == convolutions + gates + attention


def test_a_filter_is_its_layers_by_hand():
    torch.manual_seed(0)
    filtering, features = FeatureFilter(8), torch.randn(2, 8, 3, 3)
    a = filtering.enter(features)
    q = a * torch.sigmoid(a)
    squeeze, expand = filtering.channel_gate[1], filtering.channel_gate[3]
    channel = torch.sigmoid(expand(torch.relu(squeeze(q.mean(dim=(2, 3), keepdim=True)))))
    place = torch.sigmoid(filtering.place_gate[0](q))
    query, key = ((one.reshape(2, 8, 9).permute(2, 0, 1)) for one in (q, a * channel * place))
    layer = filtering.attention
    attended, _ = torch.nn.functional.multi_head_attention_forward(
        query, key, key, 8, 4, layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0,
        layer.out_proj.weight, layer.out_proj.bias,
    )  # fmt: skip
    expected = filtering.leave(attended.permute(1, 2, 0).reshape(2, 8, 3, 3))
    torch.testing.assert_close(filtering(features), expected)


def test_a_weight_for_each_face_between_0_and_1():
    weight = WeightHead(6)(10 * torch.randn(50, 6, 3, 3))
    assert weight.shape == (50,)
    assert ((weight > 0) & (weight < 1)).all()


def test_a_weight_head_has_activations():
    """Without them it would be linear before the sigmoid."""
    torch.manual_seed(0)
    head, maps = WeightHead(6), torch.randn(2, 6, 1, 1)
    logit = torch.logit(head(torch.cat([maps, maps.mean(dim=0, keepdim=True)])))
    assert (logit[:2].mean() - logit[2]).abs() > 1e-4


@pytest.mark.parametrize(("other", "expected"), [((3.0, 4.0), 1.0), ((-3.0, -4.0), 0.0), ((-4.0, 3.0), 0.5)])
def test_similarity_is_half_of_cosine_plus_1(other, expected):
    one = torch.tensor([[[[3.0]], [[4.0]]]])
    assert similarity(one, torch.tensor(other).view(1, 2, 1, 1)).item() == pytest.approx(expected)


def test_equal_latents_are_no_more_than_alike():
    torch.manual_seed(0)
    latents = torch.randn(500, 4, 8, 8)
    assert similarity(latents, latents).max() <= 1


# What timm's networks give: channels first, channels last, and tokens behind a class token.
NETWORKS = {
    "test_resnet": ({}, 32),
    "test_vit": ({"img_size": 32}, 32),
    "swin_tiny_patch4_window7_224": ({"img_size": 64, "window_size": 2, "embed_dim": 8, "num_heads": (1,) * 4}, 64),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_pooled_are_what_the_network_pools(name):
    """So that no channel is taken for a place: the mean over the maps is the mean over the image's features."""
    more, size = NETWORKS[name]
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=1, global_pool="avg", **more).eval()
    align = Alignment(
        model.num_features, 4, getattr(model, "num_prefix_tokens", 0), getattr(model, "output_fmt", "NCHW") == "NHWC"
    )
    with torch.inference_mode():
        features = model.forward_features(torch.randn(2, 3, size, size))
        maps = align.maps(features)
        pooled = timm.layers.global_pool_nlc(features, "avg", 1) if features.ndim == 3 else features.mean(
            dim=(1, 2) if name.startswith("swin") else (2, 3)
        )  # fmt: skip
    torch.testing.assert_close(maps.mean(dim=(2, 3)), pooled)

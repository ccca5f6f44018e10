"""Guidance itself: what it starts from, what it trains, its loss, and which image each branch is asked for."""

import pytest
import timm
import torch

from stages.lib.errors import InputError
from stages.lib.guidance.guide import Guidance, build_guidance
from tests.helpers.diffusion import SIZE, guidance_settings

N = 3  # real faces, and as many fakes
NAMES = ("real", "fake", "source")  # of the images that a loss is given
BACKBONES = {
    "test_resnet": ({}, 64),
    "test_vit": ({"img_size": 32}, 32),
    "swin_tiny_patch4_window7_224": ({"img_size": 64, "window_size": 2, "embed_dim": 8, "num_heads": (1,) * 4}, 64),
}


def _backbone(name: str = "test_resnet") -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=1, **BACKBONES[name][0])


def _guidance(weights, name: str = "test_resnet", **changes) -> Guidance:
    return build_guidance(guidance_settings(weights, **changes), _backbone(name), seed=0)


def _images() -> list[torch.Tensor]:
    """Of ``NAMES``: unlike each other."""
    draws = torch.Generator().manual_seed(1)
    return [torch.rand(N, 3, SIZE, SIZE, generator=draws) * 2 - 1 for _ in range(3)]


def _features(name: str = "test_resnet") -> torch.Tensor:
    """As the backbone gives them, of real faces and fakes."""
    model = _backbone(name).eval()
    size = BACKBONES[name][1]
    with torch.no_grad():
        features = model.forward_features(torch.randn(2 * N, 3, size, size, generator=torch.Generator().manual_seed(2)))
    return features.requires_grad_()


def _loss(guidance, features=None, images=None, seed: int = 3):
    features = _features() if features is None else features
    return guidance.loss(features, *(images or _images()), torch.Generator().manual_seed(seed))


@pytest.fixture
def asked(monkeypatch) -> list[dict]:
    """The arguments of every :meth:`Guidance.predict`."""
    calls, predict = [], Guidance.predict

    def remember(self, maps, weights, noisy, step):
        calls.append({"maps": maps, "weights": weights, "noisy": noisy, "step": step})
        return predict(self, maps, weights, noisy, step)

    monkeypatch.setattr(Guidance, "predict", remember)
    return calls


def _stepped(guidance: Guidance, steps: int = 1) -> Guidance:
    optimizer = torch.optim.AdamW(guidance.trained.parameters(), 1e-2)
    for _ in range(steps):
        _loss(guidance).total.backward()
        optimizer.step()
        optimizer.zero_grad()
    return guidance


# What it starts from


@pytest.mark.parametrize("changes", [{}, {"filter": False}, {"weight": False}])
def test_at_first_the_noise_found_is_the_bare_unets_bit_for_bit(weights, changes):
    guidance = _guidance(weights, **changes)
    draws = torch.Generator().manual_seed(4)
    noisy, step = torch.randn(2 * N, 4, 8, 8, generator=draws), torch.tensor([3, 500, 999])
    maps = torch.randn(N, 96, 2, 2, generator=draws)
    with torch.no_grad():
        found = guidance.predict(maps, guidance.weights(maps), noisy, step)
        bare = guidance.unet(noisy, step.repeat(2), guidance.prompt.expand(2 * N, -1, -1)).sample
    assert torch.equal(found, bare)


def test_at_first_no_reconstruction_reaches_the_backbone(weights):
    features = _features()
    terms = _loss(_guidance(weights), features)
    (gradient,) = torch.autograd.grad(terms.source + terms.target, features)
    assert not gradient.any()


@pytest.mark.parametrize("name", BACKBONES)
def test_after_a_step_the_reconstructions_reach_the_backbone(weights, name):
    guidance, features = _guidance(weights, name), _features(name)
    optimizer = torch.optim.AdamW(guidance.trained.parameters(), 1e-2)
    _loss(guidance, features).total.backward()
    optimizer.step()
    terms = _loss(guidance, features)
    for term in (terms.source, terms.target):
        (gradient,) = torch.autograd.grad(term, features, retain_graph=True)
        assert gradient.any()


def test_similarities_reach_the_backbone(weights):
    features = _features()
    terms = _loss(_guidance(weights), features)
    (gradient,) = torch.autograd.grad(terms.weight_source + terms.weight_target, features)
    assert gradient.any()


def test_a_weight_scales_what_the_guide_gives(weights):
    guidance = _stepped(_guidance(weights))
    maps, noisy, step = torch.randn(N, 96, 2, 2), torch.randn(2 * N, 4, 8, 8), torch.tensor([3, 500, 999])
    nothing = torch.zeros(N)
    with torch.no_grad():
        found = guidance.predict(maps, (nothing, nothing + 1), noisy, step)
        bare = guidance.unet(noisy, step.repeat(2), guidance.prompt.expand(2 * N, -1, -1)).sample
    assert torch.equal(found[:N], bare[:N])
    assert not torch.equal(found[N:], bare[N:])


def test_equal_seeds_give_equal_guidance(weights):
    one, other = (_guidance(weights).trained.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_building_it_leaves_pytorchs_generator_alone(weights):
    model = _backbone()
    before = torch.get_rng_state()
    build_guidance(guidance_settings(weights), model, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_size_that_the_unet_cannot_take_is_an_error(weights, monkeypatch):
    monkeypatch.setattr("stages.lib.guidance.loading.Diffusion.stride", 64)
    with pytest.raises(InputError) as error:
        _guidance(weights)
    assert str(error.value) == (
        "guidance.size is 64, but the model of guidance.weights takes multiples of 128 px; set it to 128"
    )


# What it trains


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_what_is_frozen_stays_as_it_is_bit_for_bit(weights, part):
    guidance = _guidance(weights)
    before = {name: tensor.clone() for name, tensor in getattr(guidance, part).state_dict().items()}
    after = getattr(_stepped(guidance, 3), part).state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def test_what_is_frozen_takes_no_gradient(weights):
    guidance = _guidance(weights)
    _loss(guidance).total.backward()
    assert [name for name, p in guidance.named_parameters() if p.grad is not None and "trained" not in name] == []


def test_everything_that_is_trained_moves(weights):
    guidance = _guidance(weights)
    before = {name: p.detach().clone() for name, p in guidance.trained.named_parameters()}
    _stepped(guidance, 3)
    same = [name for name, p in guidance.trained.named_parameters() if torch.equal(p, before[name])]
    assert same == []


def test_what_is_frozen_is_never_in_training_mode(weights):
    guidance = _guidance(weights).train()
    assert not any(module.training for part in (guidance.unet, guidance.vae) for module in part.modules())


def test_filters_are_left_out_where_they_are_off(weights):
    assert {"filter_source", "filter_target"} & set(_guidance(weights, filter=False).trained) == set()


def test_weight_heads_are_left_out_where_they_are_off(weights):
    assert {"weight_source", "weight_target"} & set(_guidance(weights, weight=False).trained) == set()


def test_checkpointing_gives_the_same_gradient(weights):
    gradients = []
    for checkpointing in (False, True):
        features = _features()
        guidance = _stepped(_guidance(weights, checkpointing=checkpointing))
        gradients.append(torch.autograd.grad(_loss(guidance, features).total, features)[0])
    torch.testing.assert_close(*gradients)


# The loss


@pytest.mark.parametrize("lambdas", [(0.7, 1.0, 1.0), (0.3, 0.5, 2.0), (0.0, 1.0, 0.0)])
def test_the_loss_is_the_weighted_sum_of_its_terms(weights, lambdas):
    names = ("lambda_source", "lambda_target", "lambda_weight")
    terms = _loss(_guidance(weights, **dict(zip(names, lambdas, strict=True))))
    source, target, weight_source, weight_target = (
        term.item() for term in (terms.source, terms.target, terms.weight_source, terms.weight_target)
    )
    by_hand = lambdas[0] * source + lambdas[1] * target + lambdas[2] * (weight_source + weight_target)
    assert terms.total.item() == pytest.approx(by_hand)


def test_without_weight_heads_there_is_no_loss_of_similarities(weights):
    terms = _loss(_guidance(weights, weight=False))
    assert terms.total.item() == pytest.approx(0.7 * terms.source.item() + terms.target.item())


def test_a_reconstruction_is_the_mean_error_of_the_noise(weights, asked):
    """By hand, from what the UNet was given: the noise is what is left of the noisy latents without the images."""
    guidance = _guidance(weights)
    images = [torch.zeros(N, 3, SIZE, SIZE)] * 3
    with torch.no_grad():
        guidance.vae.quant_conv.weight.zero_()  # every latent is 0, with a deviation of next to none
        guidance.vae.quant_conv.bias.copy_(torch.tensor([0.0] * 4 + [-30.0] * 4))
        terms = _loss(guidance, images=images)
        noisy, step = asked[0]["noisy"], asked[0]["step"]
        share = guidance.scheduler.alphas_cumprod[step][:, None, None, None]
        found = guidance.unet(noisy[: 2 * N], step, guidance.prompt.expand(2 * N, -1, -1)).sample
        noise = noisy[: 2 * N] / (1 - share).sqrt()
    assert float(terms.source) == pytest.approx(float((found - noise).square().mean()), rel=1e-3)


@pytest.mark.parametrize(("term", "image"), [("weight_source", 2), ("weight_target", 0)])
def test_similarities_are_of_the_fakes_latents_and_1_for_real_faces(weights, monkeypatch, term, image):
    guidance, images = _guidance(weights), _images()
    monkeypatch.setattr(Guidance, "weights", lambda self, maps: (torch.zeros(2 * N), torch.zeros(2 * N)))
    with torch.no_grad():
        fake, other = (guidance.vae.encode(one).latent_dist.mode().flatten(1) for one in (images[1], images[image]))
        cosine = (fake * other).sum(dim=1) / (fake.norm(dim=1) * other.norm(dim=1))
        expected = (N * 1.0 + ((cosine + 1) / 2).square().sum()) / (2 * N)
        found = getattr(_loss(guidance, images=images), term)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("term", "expected"), [("source", 1.0), ("target", 101.0)])
def test_each_branchs_error_is_the_term_of_its_name(weights, monkeypatch, term, expected):
    """Nothing found in the sources, whose error is the noise's variance; 10 found in the targets, 100 more."""
    found = torch.cat([torch.zeros(2 * N, 4, 8, 8), torch.full((2 * N, 4, 8, 8), 10.0)])
    monkeypatch.setattr(Guidance, "predict", lambda *arguments: found)
    assert getattr(_loss(_guidance(weights)), term).item() == pytest.approx(expected, rel=0.1)


# Which image each branch is asked for


def _latents(guidance: Guidance, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return guidance.vae.encode(images).latent_dist.mode() * guidance.vae.config.scaling_factor


@pytest.fixture
def shown(weights, asked, monkeypatch) -> dict[str, torch.Tensor]:
    """The latents that each branch is asked for, of real faces and of fakes, and those of the images."""
    guidance, images = _guidance(weights), _images()
    posterior = guidance.posterior

    def certain(pictures):
        found = posterior(pictures)
        found.std = torch.zeros_like(found.std)
        return found

    monkeypatch.setattr(guidance, "posterior", certain)
    monkeypatch.setattr(type(guidance.scheduler), "add_noise", lambda self, latents, noise, step: latents)
    _loss(guidance, images=images)
    roles = ("source, real", "source, fake", "target, real", "target, fake")
    parts = dict(zip(roles, asked[0]["noisy"].split(N), strict=True))
    return parts | {name: _latents(guidance, one) for name, one in zip(NAMES, images, strict=True)}


@pytest.mark.parametrize(
    ("branch", "image"),
    [("source, real", "real"), ("target, real", "real"), ("source, fake", "source"), ("target, fake", "real")],
)
def test_each_branch_is_asked_for_its_image(shown, branch, image):
    torch.testing.assert_close(shown[branch], shown[image], rtol=0, atol=1e-6)


def test_the_images_of_the_roles_are_told_apart(shown):
    """Else the roles could be swapped unseen."""
    assert min(float((shown["real"] - shown[other]).abs().max()) for other in ("fake", "source")) > 1e-3


def test_branches_share_the_steps(weights, monkeypatch):
    guidance, steps = _guidance(weights), []
    forward = guidance.unet.forward
    monkeypatch.setattr(
        guidance.unet, "forward", lambda noisy, step, *a, **k: steps.append(step) or forward(noisy, step, *a, **k)
    )
    _loss(guidance)
    assert torch.equal(steps[0][: 2 * N], steps[0][2 * N :])


def test_branches_share_the_noise(weights, monkeypatch):
    guidance, noises = _guidance(weights), []
    add = type(guidance.scheduler).add_noise
    monkeypatch.setattr(
        type(guidance.scheduler), "add_noise", lambda self, z, noise, t: noises.append(noise) or add(self, z, noise, t)
    )
    _loss(guidance)
    assert torch.equal(*noises)


def test_steps_are_of_each_image_its_own(weights, asked):
    _loss(_guidance(weights))
    assert len(set(asked[0]["step"].tolist())) > 1


def test_equal_seeds_draw_equal_losses(weights):
    guidance = _guidance(weights)
    assert float(_loss(guidance, seed=7).total) == float(_loss(guidance, seed=7).total)


def test_other_seeds_draw_other_losses(weights):
    guidance = _guidance(weights)
    assert float(_loss(guidance, seed=7).total) != float(_loss(guidance, seed=8).total)


def test_without_reals_fakes_alone_are_reconstructed(weights, asked):
    guidance, features = _guidance(weights, reals=False), _features()
    _loss(guidance, features)
    assert torch.equal(asked[0]["maps"], features[N:])


def test_without_reals_the_fakes_draws_are_the_same(weights, asked):
    for reals in (True, False):
        _loss(_guidance(weights, reals=reals))
    with_reals, alone = (call["noisy"].chunk(2) for call in asked)
    assert all(torch.equal(one[N:], other) for one, other in zip(with_reals, alone, strict=True))


def test_without_reals_similarities_are_still_of_all(weights):
    terms = [_loss(_guidance(weights, reals=reals)) for reals in (True, False)]
    assert float(terms[0].weight_source) == float(terms[1].weight_source)

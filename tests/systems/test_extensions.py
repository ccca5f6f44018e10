"""What makes each system itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from stages.lib.backbone.checkpoint import load_backbone, save_backbone
from stages.lib.backbone.network import build_backbone, forward
from stages.lib.errors import InputError
from stages.lib.systems import rfm
from stages.lib.systems.extension import Outputs, Shown, encode
from stages.lib.systems.f3net import band_filters
from stages.lib.systems.pcl import PairwiseConsistency, consistency
from stages.lib.systems.registry import EXTENDED
from stages.lib.systems.rfm import attention_map, erase_peaks
from stages.lib.systems.seeable import PROTOTYPES, discrepant, prototypes, soft_region
from stages.lib.systems.sladd import blend_mask, region_mask
from stages.lib.systems.srm import KERNELS
from stages.lib.systems.untag import cross_correlation_loss, view
from tests.helpers.params import backbone_settings

SIZE = 64


def _extended(system: str, **settings) -> torch.nn.Module:
    torch.manual_seed(0)
    network, _ = build_backbone(
        backbone_settings(input_size=SIZE, **settings), EXTENDED[system].boundary, system=system
    )
    return network


def _batch(n: int = 4, seed: int = 0) -> Shown:
    """n real faces and a forgery of each: a bright rectangle."""
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(n, 3, SIZE, SIZE, generator=generator) - 0.5
    mask = torch.zeros(n, SIZE, SIZE)
    mask[:, 16:40, 20:44] = 1
    fake = real + 0.5 * mask[:, None]
    label = torch.arange(2).repeat_interleave(n).float()
    return Shown(torch.cat([real, fake]), label, torch.cat([0 * mask, mask]), seed, torch.zeros(n, dtype=torch.bool))


@pytest.mark.parametrize("system", EXTENDED)
def test_every_part_of_a_system_is_trained(system):
    """A parameter that no loss depends on would be saved as it was drawn."""
    network, batch = _extended(system).train(), _batch(8)
    shown = network.system.show(network, batch)
    network.system.loss(forward(network, shown.images), shown).backward()
    idle = [name for name, one in network.system.named_parameters() if one.grad is None]
    assert idle == []


@pytest.mark.parametrize("system", EXTENDED)
def test_what_is_shown_depends_on_the_draws_alone(system):
    network, batch = _extended(system).train(), _batch()
    torch.manual_seed(1)
    first = network.system.show(network, batch)
    torch.manual_seed(2)
    assert torch.equal(first.images, network.system.show(network, batch).images)


@pytest.mark.parametrize("system", EXTENDED)
def test_a_batch_is_left_as_it_was(system):
    network, batch = _extended(system).train(), _batch()
    network.system.show(network, batch)
    assert torch.equal(batch.images, _batch().images)


@pytest.mark.parametrize("system", EXTENDED)
def test_a_saved_system_says_the_same_when_it_is_loaded(tmp_path, system):
    torch.manual_seed(0)
    settings = backbone_settings(input_size=SIZE)
    network, architecture = build_backbone(settings, EXTENDED[system].boundary, system=system)
    save_backbone(tmp_path / "b.safetensors", network, architecture)
    loaded, _ = load_backbone(tmp_path / "b.safetensors", "cpu")
    with torch.inference_mode():
        found, again = (forward(one.eval(), _batch().images) for one in (network, loaded))
    torch.testing.assert_close(found.logit, again.logit)  # in another memory format, so rounded otherwise
    torch.testing.assert_close(found.embedding, again.embedding)
    assert found.embedding.shape[1] == architecture.embedding_dim


@pytest.mark.parametrize("tune", ["all", "none"])
def test_no_other_training_starts_from_a_system(tmp_path, tune):
    network, architecture = build_backbone(backbone_settings(input_size=SIZE), system="rfm")
    save_backbone(tmp_path / "b.safetensors", network, architecture)
    settings = backbone_settings(input_size=SIZE, weights=str(tmp_path / "b.safetensors"))
    with pytest.raises(InputError, match="which is of the system 'rfm': only a plain network can be gone on from"):
        build_backbone(settings, unchanged=tune == "none")


# Face X-ray


def test_face_xray_sees_nothing_of_a_face_but_its_boundary_map():
    network = _extended("face_xray").eval()
    found = forward(network, _batch().images)
    pooled = torch.sigmoid(found.boundary).mean(dim=(1, 2))
    layer = network.system.classifier
    torch.testing.assert_close(found.logit, pooled * layer.weight[0, 0] + layer.bias[0])


def test_face_xray_takes_more_boundary_for_more_fake():
    assert _extended("face_xray").system.classifier.weight.item() > 0


# PCL


def test_the_consistency_volume_is_what_patches_have_in_common_of_their_masks():
    mask = torch.tensor([[[0.0, 1.0], [0.25, 0.0]]])
    expected = [[1.0, 0.0, 0.75, 1.0], [0.0, 1.0, 0.25, 0.0], [0.75, 0.25, 1.0, 0.75], [1.0, 0.0, 0.75, 1.0]]
    assert consistency(mask).tolist() == [expected]


def test_a_real_face_is_consistent_throughout():
    assert consistency(torch.zeros(1, 4, 4)).eq(1).all()


def test_pcl_weighs_the_volume_tenfold():
    network, batch = _extended("pcl").train(), _batch()
    cells = SIZE // 16
    volume = torch.full((8, cells**2, cells**2), 0.3)
    logit = torch.linspace(-1, 1, 8)
    pooled = torch.nn.functional.avg_pool2d(batch.mask, 16)
    target = consistency(pooled)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    expected = bce(logit, batch.label) + 10 * bce(volume, target)
    found = network.system.loss(Outputs(torch.zeros(8, 1), logit, extra={"consistency": volume}), batch)
    torch.testing.assert_close(found, expected)


def test_a_network_without_features_at_stride_16_is_an_error():
    without = torch.nn.Module()
    without.head_hidden_size = 8
    with pytest.raises(InputError, match="train.system is pcl, but this network has no features at stride 16"):
        PairwiseConsistency(without, SIZE)


# SRM


@pytest.mark.parametrize("kernel", [kernel for kernel, _ in KERNELS])
def test_a_high_pass_kernel_sums_to_0(kernel):
    assert np.sum(kernel) == 0


def test_the_kernels_stay_as_they_are():
    network = _extended("srm")
    assert "kernels" not in dict(network.system.named_parameters())


def test_a_flat_picture_has_no_residual():
    flat = torch.full((1, 3, SIZE, SIZE), 0.4)
    inside = _extended("srm").system.residuals(flat)[..., 2:-2, 2:-2]
    torch.testing.assert_close(inside, torch.zeros_like(inside), atol=1e-4, rtol=0)


def test_residuals_are_the_same_in_mixed_precision():
    system, images = _extended("srm").system, _batch().images
    with torch.autocast("cpu", torch.bfloat16):
        mixed = system.residuals(images)
    assert torch.equal(mixed, system.residuals(images))


def test_a_residual_is_no_larger_than_three_levels():
    assert _extended("srm").system.residuals(_batch().images).abs().max() == 1


# F3-Net


def test_the_bands_sum_to_the_picture():
    images = _batch().images
    torch.testing.assert_close(_extended("f3net").system.bands(images).sum(dim=1), images, atol=1e-5, rtol=0)


def test_each_frequency_is_in_one_band():
    assert band_filters(SIZE, (0.0, 1 / 2.82, 1 / 2, 2.0)).sum(dim=0).eq(1).all()


def test_a_band_has_the_frequencies_of_its_diagonals_alone():
    band = _extended("f3net").system.bands(_batch().images)[0, 0, 0].detach().numpy()
    spectrum = np.abs(dctn(band, norm="ortho"))
    diagonal = np.add.outer(np.arange(SIZE), np.arange(SIZE))
    assert spectrum[diagonal >= SIZE / 2.82].max() < 1e-4 < spectrum[diagonal < SIZE / 2.82].max()


def test_the_first_network_is_shown_the_picture_before_training():
    images = _batch().images
    torch.testing.assert_close(_extended("f3net").system.views(images)[0], images, atol=1e-5, rtol=0)


def test_local_statistics_are_logarithms_of_the_windows_bands():
    images, system = _batch().images, _extended("f3net").system
    torch.nn.init.zeros_(system.learned_local)
    found = system.statistics(images)[0, :, 3, 5]
    window = images[0].mean(dim=0)[6:16, 10:20].numpy()  # windows of 10 px, one each 2 px
    amplitude, diagonal = np.abs(dctn(window, norm="ortho")), np.add.outer(np.arange(10), np.arange(10))
    bands = [(diagonal >= 20 * band / 6) & (diagonal < 20 * (band + 1) / 6) for band in range(6)]
    expected = [np.log10(max(amplitude[band].sum(), 1e-6)) for band in bands]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4)


def test_a_band_can_take_in_the_coefficients_of_the_others():
    system = _extended("f3net").system
    system.statistics(_batch().images).sum().backward()
    assert system.learned_local.grad.ne(0).all()


def test_a_network_of_one_size_has_no_smaller_second_view():
    with pytest.raises(InputError, match="train.system is f3net, whose second network sees smaller pictures"):
        build_backbone(backbone_settings(name="test_vit", input_size=160), system="f3net")


# RFM


def test_the_peak_of_the_attention_is_erased():
    images, attention = torch.zeros(3, 3, SIZE, SIZE), torch.rand(3, SIZE, SIZE)
    peaks = [divmod(int(one.argmax()), SIZE) for one in attention]
    erased = erase_peaks(images, attention, torch.Generator().manual_seed(0))
    assert all(erased[at, :, row, column].ne(0).all() for at, (row, column) in enumerate(peaks))


def test_the_three_highest_peaks_are_erased_and_nothing_else(monkeypatch):
    monkeypatch.setattr(rfm, "LARGEST", 1 / SIZE)  # blocks of a pixel
    attention = torch.zeros(1, SIZE, SIZE)
    attention[0, [10, 20, 30, 40], [11, 21, 31, 41]] = torch.tensor([4.0, 2.0, 3.0, 1.0])
    erased = erase_peaks(torch.zeros(1, 3, SIZE, SIZE), attention, torch.Generator().manual_seed(0))
    assert erased.ne(0).any(dim=1).nonzero()[:, 1:].tolist() == [[10, 11], [20, 21], [30, 31]]


def test_the_attention_is_how_strongly_a_pixel_moves_the_logit():
    class Linear(torch.nn.Module):
        def forward(self, network, images):
            weight = torch.tensor([1.0, -3.0, 2.0]).view(3, 1, 1)
            return Outputs(images.flatten(1), (images * weight).sum(dim=(1, 2, 3)))

    assert attention_map(Linear(), torch.nn.Identity(), torch.rand(2, 3, 4, 4)).eq(3).all()


def test_seeking_the_attention_leaves_running_statistics_alone():
    network = _extended("rfm").train()
    before = {name: one.clone() for name, one in network.named_buffers()}
    network.system.show(network, _batch())
    assert all(torch.equal(before[name], one) for name, one in network.named_buffers())


# SLADD


def test_a_region_is_its_part_of_what_is_forged():
    mask = torch.zeros(4, 12, 12)
    mask[:, 3:9] = 1  # rows 3 to 8: thirds of two
    kept = region_mask(mask, torch.arange(4))
    rows = [torch.nonzero(one.amax(dim=1))[:, 0].tolist() for one in kept]
    assert rows == [[3, 4, 5, 6, 7, 8], [3, 4, 5], [6, 7, 8], [5, 6]]


def test_a_face_without_a_forgery_has_no_region():
    assert region_mask(torch.zeros(4, 6, 6), torch.arange(4)).eq(0).all()


def test_a_hard_blend_has_no_seam():
    mask = torch.linspace(0, 1, 36).reshape(1, 6, 6)
    assert set(blend_mask(mask, torch.tensor([1])).unique().tolist()) == {0.0, 1.0}


def test_where_a_region_is_cut_off_only_a_hard_blend_has_an_edge():
    mask = region_mask(torch.ones(3, 56, 56), torch.tensor([1, 1, 1]))
    steps = blend_mask(mask, torch.arange(3)).diff(dim=1).abs().amax(dim=(1, 2))
    assert steps[1] == 1 and steps[0] < 0.5 and steps[2] < steps[0]


def test_a_genuine_fake_is_shown_as_it_is_and_tells_the_synthesiser_nothing():
    network, batch = _extended("sladd").train(), _batch(8)
    genuine = torch.arange(8) < 3
    shown = network.system.show(network, replace(batch, genuine=genuine))
    torch.testing.assert_close(shown.images[8:11], batch.images[8:11])
    assert shown.images[11:].ne(batch.images[11:]).any()

    def gradients(logits_of_genuine: float) -> list[torch.Tensor]:
        told = torch.zeros(16, 11, requires_grad=True)
        logit = torch.cat([torch.zeros(8), torch.full((3,), logits_of_genuine), torch.linspace(-2, 2, 5)])
        loss = network.system.loss(Outputs(torch.zeros(16, 1), logit, extra={"told": told}), shown)
        return torch.autograd.grad(loss, [told, *network.system.policy.parameters()])

    of_told, *of_policy = gradients(-3.0)
    assert of_told[8:11].eq(0).all() and of_told[11:].ne(0).any(dim=1).all()
    assert all(map(torch.equal, of_policy, gradients(3.0)[1:])) and any(one.ne(0).any() for one in of_policy)


def test_the_synthesiser_is_rewarded_for_what_the_detector_misses():
    """A step of gradient descent makes likelier what the detector calls real."""
    network, batch = _extended("sladd").train(), _batch(8)
    shown = network.system.show(network, batch)
    missed = torch.where(shown.extra["region"] == shown.extra["region"][0], -3.0, 3.0)  # logits of the fakes
    assert missed.unique().numel() == 2
    found = Outputs(torch.zeros(16, 1), torch.cat([torch.zeros(8), missed]), extra={"told": torch.zeros(16, 11)})

    def log_probability() -> torch.Tensor:
        of_region = network.system.log_policy(shown.extra["pictures"])["region"]
        return of_region[:, shown.extra["region"][0]].mean()

    before = log_probability().item()
    policy = list(network.system.policy.parameters())
    gradients = torch.autograd.grad(network.system.loss(found, shown), policy)
    with torch.no_grad():
        for parameter, gradient in zip(policy, gradients, strict=True):
            parameter -= 0.1 * gradient
    assert log_probability().item() > before


def test_the_reward_does_not_train_the_detector_to_be_wrong():
    """The detector's part of the loss is its cross-entropy, whose gradient the reward leaves alone."""
    network, batch = _extended("sladd").train(), _batch(8)
    shown = network.system.show(network, batch)
    logit = torch.zeros(16, requires_grad=True)
    found = Outputs(torch.zeros(16, 1), logit, extra={"told": torch.zeros(16, 11)})
    (gradient,) = torch.autograd.grad(network.system.loss(found, shown), logit)
    torch.testing.assert_close(gradient, (0.5 - batch.label) / 16)


# OC-FakeDect2


def test_the_score_is_the_distance_of_a_face_s_latent_from_that_of_its_reconstruction():
    network, images = _extended("oc_fakedect2").eval(), _batch().images
    system = network.system
    with torch.inference_mode():
        found = forward(network, images)
        mean = system.mean(encode(network, images))
        decoded = torch.nn.functional.interpolate(system.decoder(mean), (SIZE, SIZE), mode="bilinear")
        again = system.mean(encode(network, decoded))
    torch.testing.assert_close(found.logit, (mean - again).square().mean(dim=1).sqrt())


@pytest.mark.parametrize("system", ["oc_fakedect2", "untag", "seeable"])
def test_a_one_class_system_is_shown_nothing_of_the_forgeries(system):
    network = _extended(system).train()
    batch, other = _batch(), _batch()
    other.images[4:] = 0.9
    first, second = (network.system.show(network, one) for one in (batch, other))
    assert torch.equal(first.images, second.images)


# UNTAG


def test_views_that_agree_and_repeat_nothing_cost_nothing():
    vectors = torch.linalg.qr(torch.randn(64, 9)).Q[:, 1:]
    vectors = torch.linalg.qr(vectors - vectors.mean(dim=0)).Q  # centred, and without correlation
    torch.testing.assert_close(cross_correlation_loss(vectors, vectors).item(), 0.0, atol=1e-3, rtol=0)


def test_views_that_disagree_cost_more():
    first, second = torch.randn(2, 64, 8)
    assert cross_correlation_loss(first, second) > cross_correlation_loss(first, first)


def test_a_view_keeps_its_size_and_range():
    images = _batch().images
    seen = view(images, torch.Generator().manual_seed(0))
    assert seen.shape == images.shape and seen.abs().max() <= 1


# SeeABLE


def test_prototypes_are_as_far_from_each_other_as_can_be():
    points = prototypes(PROTOTYPES, 128)
    cosines = points @ points.T
    off = cosines[~torch.eye(PROTOTYPES, dtype=bool)]
    torch.testing.assert_close(off, torch.full_like(off, -1 / (PROTOTYPES - 1)), atol=1e-5, rtol=0)


def test_regions_are_soft_and_cover_the_middle_of_a_crop_without_a_gap():
    masks = soft_region(torch.arange(16), SIZE)
    assert masks.sum(dim=0)[16:48, 16:48].sub(1).abs().max() < 1e-5 and ((masks > 0) & (masks < 1)).any()


def test_a_discrepancy_changes_its_region_alone():
    images, mask = _batch(2).images[:2], soft_region(torch.tensor([5, 5]), SIZE)
    changed = discrepant(images, torch.tensor([0, 1]), mask, torch.Generator().manual_seed(0))
    outside = (mask == 0)[:, None].expand_as(images)
    assert torch.equal(changed[outside], images[outside])


@pytest.mark.parametrize("kind", [0, 1])
def test_a_discrepancy_of_either_kind_is_seen_in_its_region(kind):
    images, mask = _batch(1).images[:1], soft_region(torch.tensor([5]), SIZE)
    changed = discrepant(images, torch.tensor([kind]), mask, torch.Generator().manual_seed(0))
    assert (changed - images)[(mask > 0.5)[:, None].expand_as(images)].abs().mean() > 0.02


def test_the_loss_is_bounded_since_cosines_are():
    system = _extended("seeable").system
    batch = Shown(torch.zeros(1, 3, 8, 8), torch.ones(1), torch.zeros(1, 8, 8), extra={"prototype": torch.tensor([3])})
    worst = torch.ones(1, PROTOTYPES)
    worst[0, 3] = -1
    found = system.loss(Outputs(torch.zeros(1, 1), torch.zeros(1), extra={"cosines": worst}), batch)
    assert found.item() <= np.log(1 + (PROTOTYPES - 1) * np.exp(2 / 0.1)) + 1e-4

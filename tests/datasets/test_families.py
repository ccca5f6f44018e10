"""Families of known methods."""

import pytest

from stages.lib.datasets.families import family_of
from stages.lib.datasets.layouts.forgerynet import CLASSES
from stages.lib.records import FAMILIES


@pytest.mark.parametrize(
    ("method", "family"),
    [
        ("Deepfakes", "swap"),
        ("FaceSwap", "swap"),
        ("Face2Face", "animated"),
        ("NeuralTextures", "lips"),
        ("deepfacelive", "swap"),
        ("edtalk", "animated"),
        ("wav2lip", "lips"),
        ("FS-GAN", "swap"),
        ("fs_gan", "swap"),
        ("First-Order-Motion", "animated"),
        ("faceswap-wav2lip", "swap"),
        ("Celeb-DF-v2", "swap"),
        ("IP_LAP", "lips"),
        ("FLOAT", "animated"),
        ("stylegan2", "other"),
        ("fake", "other"),
        ("", "other"),
    ],
)
def test_a_methods_family_whatever_its_case_and_punctuation(method, family):
    assert family_of(method) == family


@pytest.mark.parametrize("family", FAMILIES)
def test_a_method_called_as_a_family_is_of_that(family):
    assert family_of(family) == family


def test_forgerynets_video_methods_are_known():
    assert [name for name in CLASSES[1:9] if family_of(name) == "other"] == []

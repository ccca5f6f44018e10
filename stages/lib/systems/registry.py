"""The systems by name: each a preset of that name, and, where it is more than settings, a module of this package.

To add one: ``presets/NAME.yaml``, an entry of ``SYSTEMS``, and where it needs layers of its own, another way of showing
faces or another loss, an :class:`~stages.lib.systems.extension.Extension` in a module (docs/extending.md). Nothing here
imports PyTorch: checking params.yaml stays quick.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A system of the papers' tables.

    ``paper``: where it was published; ``own``: what makes it itself, as it is here; ``simplified``: what is otherwise
    than in the paper; ``reported``: AUCs in % on Celeb-DF v2 after training on FaceForensics++, as the papers quote
    them, of other crops, frames and settings than ours. ``extension``: imports and gives its class of
    :mod:`stages.lib.systems.extension`; None where settings are all. ``detector``: the key of the detector whose scores
    are its own. ``boundary``: whether it needs ``train.boundary``. ``selects``: whether its logit tells pseudo-fakes,
    so that the best epoch can be chosen by it; else the last is kept. ``own_network``: whether its network is what
    makes it itself.
    """

    paper: str
    own: str
    simplified: str
    reported: str = ""
    extension: Callable[[], type] | None = None
    detector: str = "classifier"
    boundary: bool = False
    selects: bool = True
    own_network: bool = False

    @property
    def description(self) -> str:
        reported = f" Reported: {self.reported}." if self.reported else ""
        return f"{self.own} ({self.paper}). Here: {self.simplified}.{reported}"


def _face_xray() -> type:
    from stages.lib.systems.face_xray import FaceXray

    return FaceXray


def _pcl() -> type:
    from stages.lib.systems.pcl import PairwiseConsistency

    return PairwiseConsistency


def _srm() -> type:
    from stages.lib.systems.srm import HighFrequencies

    return HighFrequencies


def _f3net() -> type:
    from stages.lib.systems.f3net import FrequencyStreams

    return FrequencyStreams


def _rfm() -> type:
    from stages.lib.systems.rfm import ForgeryMining

    return ForgeryMining


def _sladd() -> type:
    from stages.lib.systems.sladd import AdversarialSynthesis

    return AdversarialSynthesis


def _oc_fakedect2() -> type:
    from stages.lib.systems.oc_fakedect2 import OneClassAutoencoder

    return OneClassAutoencoder


def _untag() -> type:
    from stages.lib.systems.untag import SelfSupervised

    return SelfSupervised


def _seeable() -> type:
    from stages.lib.systems.seeable import SoftDiscrepancies

    return SoftDiscrepancies


SYSTEMS: dict[str, System] = {
    "xception": System(
        "Rössler et al., FaceForensics++, ICCV 2019",
        "an Xception that classifies faces",
        "none of its face alignment",
        reported="65.27 (frames, DiffusionFake's rerun)",
        own_network=True,
    ),
    "efficientnet_b4": System(
        "Tan and Le, ICML 2019; the baseline of DiffusionFake's table 1",
        "an EfficientNet-B4 that classifies faces",
        "no blur, turns and JPEG in training; AdamW, whose rate falls in the last quarter",
        reported="73.51 (frames, DiffusionFake's rerun)",
        own_network=True,
    ),
    "mesonet": System(
        "Afchar et al., WIFS 2018",
        "Meso-4, a network of four small layers",
        "aligned faces are not asked for",
        own_network=True,
        reported="54.8 (of its published weights, by the authors of Celeb-DF)",
    ),
    "sbi": System(
        "Shiohara and Yamasaki, CVPR 2022",
        "self-blended images: a face laid over itself under its own masks, after its own changes, then classified",
        "hulls of 68 landmarks where its code has 81; its HSV shifts as the paper's ranges, not its library's units",
        reported="80.76 (frames, DiffusionFake's rerun), 85.6 (videos, DiffFake's table 5)",
    ),
    "face_xray": System(
        "Li et al., CVPR 2020",
        "faces of the nearest landmarks are blended in; a map of 4 m (1 - m) is all that the classifier sees",
        "a map at stride 16 by two 1 × 1 convolutions, not HRNet's at full resolution; the generator is this project's "
        "blend of another person's face, which changes more than colours",
        extension=_face_xray,
        boundary=True,
        reported="74.20 (DiffusionFake's table 1), 74.8 (DiffFake's table 5)",
    ),
    "pcl": System(
        "Zhao et al., ICCV 2021",
        "pair-wise self-consistency of patches on generated inconsistencies (PCL + I2G): 1 - |m_i - m_j|",
        "features at stride 16; the generator is this project's blend of another person's face",
        extension=_pcl,
        reported="81.80 (DiffusionFake's table 1)",
    ),
    "srm": System(
        "Luo et al., CVPR 2021",
        "a second network sees the residuals of fixed high-pass filters",
        "no residuals of inner features, no attention between the streams: their embeddings are joined",
        extension=_srm,
        reported="none on Celeb-DF; 83.8 on Deepfakes at c23 (DiffFake's table 6)",
    ),
    "f3net": System(
        "Qian et al., ECCV 2020",
        "the picture by its frequency bands, beside the statistics of local frequencies",
        "no cross-attention between the streams: their embeddings are joined",
        extension=_f3net,
        reported="71.21 (frames, DiffusionFake's rerun)",
    ),
    "rfm": System(
        "Wang and Deng, CVPR 2021",
        "each face is shown without what the network's own attention rests on most",
        "blocks by part of the face's side",
        extension=_rfm,
        reported="none on Celeb-DF; 79.8 on Deepfakes at c23 (DiffFake's table 6)",
    ),
    "sladd": System(
        "Chen et al., CVPR 2022",
        "a synthesiser is rewarded for forgeries that the detector misses, which the detector must also describe",
        "regions are parts of the bank's mask, not of ten facial parts; its source is the bank's pseudo-fake, "
        "compressed before it is blended",
        extension=_sladd,
        reported="79.7 (DiffFake's table 5)",
    ),
    "oc_fakedect2": System(
        "Khalid and Woo, CVPRW 2020",
        "a variational autoencoder of real faces alone; what it makes of a face must have the face's latent",
        "the network is both encoders; 64 px are reconstructed",
        extension=_oc_fakedect2,
        selects=False,
        reported="none on Celeb-DF; 85.8 over FaceForensics++ (DiffFake's table 3)",
    ),
    "untag": System(
        "Mejri et al., ICASSP 2023",
        "features that real faces teach themselves, and a one-class score of them",
        "its pretext task is Barlow Twins', its one-class score a Gaussian's (the paper's text wasn't at hand)",
        extension=_untag,
        detector="single_frame",
        selects=False,
        reported="74.7 (DiffFake's table 5)",
    ),
    "seeable": System(
        "Larue et al., ICCV 2023",
        "soft local discrepancies of real faces alone, each drawn to its prototype on a sphere",
        "a grid of the crop for its landmarks' regions, a cross-entropy of cosines for its regression, no geometric "
        "constraint; the score is the largest cosine",
        extension=_seeable,
        selects=False,
        reported="87.3 (videos)",
    ),
    "diffusionfake": System(
        "Sun et al., NeurIPS 2024",
        "while it is trained, a frozen Stable Diffusion reconstructs a fake's source and target from its features",
        "narrower filters and weight heads (docs/guidance.md), pseudo-fakes unless train.fakes says otherwise",
        reported="83.17 with EfficientNet-B4, 80.46 with ViT-B (frames, its table 1)",
    ),
    "gend": System(
        "Yermakov et al., WACV 2026",
        "a large frozen encoder of which the layer norms are tuned, on the sphere",
        "pseudo-fakes, or a dataset's own fakes by train.fakes",
        own_network=True,
        reported="96.0 (videos)",
    ),
}
EXTENDED = {name: one for name, one in SYSTEMS.items() if one.extension}

"""The dataset layouts by the name that ``datasets.<name>.layout`` gives them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from stages.lib.datasets.layouts.celebdf import index_celebdf
from stages.lib.datasets.layouts.celebdf_pp import index_celebdf_pp
from stages.lib.datasets.layouts.deeperforensics import index_deeperforensics
from stages.lib.datasets.layouts.deepfake_eval_2024 import index_deepfake_eval_2024
from stages.lib.datasets.layouts.deepfakebench import index_deepfakebench
from stages.lib.datasets.layouts.df40 import index_df40_cdf, index_df40_ff
from stages.lib.datasets.layouts.dfd import index_dfd
from stages.lib.datasets.layouts.dfdc import index_dfdc, index_dfdc_preview
from stages.lib.datasets.layouts.diffswap import index_diffswap
from stages.lib.datasets.layouts.fakeavceleb import index_fakeavceleb
from stages.lib.datasets.layouts.ffiw import index_ffiw
from stages.lib.datasets.layouts.ffpp import index_faceshifter, index_ffpp
from stages.lib.datasets.layouts.forgerynet import index_forgerynet
from stages.lib.datasets.layouts.manifest import index_manifest
from stages.lib.datasets.layouts.wilddeepfake import index_wilddeepfake


@dataclass(frozen=True)
class Layout:
    """A dataset's layout: what it is, and its function of the root (and, where it takes one, of a ``quality``)."""

    description: str
    index: Callable[..., list[dict[str, str]]]

    @property
    def has_qualities(self) -> bool:
        return "quality" in inspect.signature(self.index).parameters


LAYOUTS: dict[str, Layout] = {
    "manifest": Layout("a folder with manifest.csv", index_manifest),
    "ffpp": Layout("FaceForensics++", index_ffpp),
    "faceshifter": Layout("FaceShifter (in FaceForensics++)", index_faceshifter),
    "dfd": Layout("DeepFakeDetection (in FaceForensics++)", index_dfd),
    "celebdf": Layout("Celeb-DF (v2)", index_celebdf),
    "celebdf_pp": Layout("Celeb-DF++", index_celebdf_pp),
    "deeperforensics": Layout("DeeperForensics-1.0", index_deeperforensics),
    "forgerynet": Layout("ForgeryNet", index_forgerynet),
    "dfdc": Layout("DFDC", index_dfdc),
    "dfdc_preview": Layout("DFDC-Preview", index_dfdc_preview),
    "ffiw": Layout("FFIW-10K", index_ffiw),
    "fakeavceleb": Layout("FakeAVCeleb", index_fakeavceleb),
    "deepfake_eval_2024": Layout("Deepfake-Eval-2024's videos", index_deepfake_eval_2024),
    "diffswap": Layout("DiffSwap (in DiffusionFace)", index_diffswap),
    "df40_ff": Layout("DF40, made of FaceForensics++", index_df40_ff),
    "df40_cdf": Layout("DF40, made of Celeb-DF (v2)", index_df40_cdf),
    "wilddeepfake": Layout("WildDeepfake, unpacked", index_wilddeepfake),
    "deepfakebench": Layout("DeepfakeBench's face pictures, with their list", index_deepfakebench),
}

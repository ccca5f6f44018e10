"""The sections ``backbone`` and ``train`` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.lib.settings import Count, Positive, Settings, Text, name_in
from stages.lib.systems.registry import EXTENDED, SYSTEMS


class BackboneSettings(Settings):
    name: Text = Field(
        description="any timm network (`efficientnet_b4`, `resnet50`, `legacy_xception` and a ViT are tested), or "
        "`meso4` or `mesoinception4` (MesoNet, WIFS 2018)"
    )
    weights: Text = Field(
        description="`none` (from scratch), a package's ImageNet weights by its name (below), `hub` (timm's "
        "pretrained) or a local `.safetensors` or `.pth` file, as [imported](import-weights.md) ones are"
    )
    normalization: Literal["weights", "half"] = Field(
        description="of the input: `weights`, as they were trained with, or `half`, mean 0.5 and deviation 0.5 for any "
        "weights (the paper's)"
    )
    input_size: Annotated[int, Field(ge=32, le=1024)] = Field(description="px; crops are resized to it")


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even: half of a batch are real faces, half pseudo-fakes")
    return value


class TrainingSettings(Settings):
    fakes: Literal["pseudo", "real", "both"] = Field(
        description="what is told from real faces: `pseudo`-fakes, as the method has it, the training dataset's own "
        "genuine fakes of `train` and `val` (`real`), or `both`. Metrics, tables, model files and verdicts then "
        "say by which methods they were"
    )
    epochs: Count = Field(description="how often the faces of the videos are shown, and photos in proportion")
    batch_size: Annotated[int, Field(ge=2), AfterValidator(_even)] = Field(
        description="faces per step, half of them real, half their pseudo-fakes"
    )
    optimizer: Literal["sgd", "adamw"] = Field(description="SAM's base optimizer: `adamw`, or `sgd` with momentum 0.9")
    learning_rate: Positive = Field(description="of the base optimizer; it decays linearly over the last quarter")
    weight_decay: Annotated[float, Field(ge=0)] = Field(description="of the base optimizer")
    loss: Literal["cross_entropy", "gend"] = Field(
        description="`cross_entropy` (the paper's, equation 2), or `gend`: it on embeddings of length 1, with the "
        "alignment of each class and the uniformity of all on the sphere (GenD, WACV 2026)"
    )
    system: Annotated[str, name_in(["none", *EXTENDED])] = Field(
        description="`none`, or a system of the papers' tables that extends the network and trains it its own way "
        "([Systems](systems.md))"
    )
    sam_rho: Annotated[float, Field(ge=0)] = Field(description="how far SAM climbs; 0 is the plain base optimizer")
    tune: Literal["all", "norm", "head", "none"] = Field(
        description="what is trained: `all`, `norm` (normalisation layers, classifier and boundary map), `head` (the "
        "last two) or `none` (the weights stay as they are)"
    )
    augment: bool = Field(
        description="crop and recolour a real face and its pseudo-fake alike (both are flipped alike in any case)"
    )
    patch: Annotated[int, Field(ge=0, multiple_of=32)] = Field(
        description="px: train on square patches of the crops, cut where the pseudo-fake was changed, at the "
        "resolution that crops are scored at; 0: on whole crops"
    )
    boundary: Annotated[float, Field(ge=0)] = Field(
        description="weight of a second, dense target: where something was pasted in (Face X-ray's boundary map, a "
        "cell for each 16 px); 0: none"
    )
    photo_share: Annotated[float, Field(ge=0, le=1)] = Field(
        description="share of each batch that are photos (`photos`), where there are some"
    )
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="decay of the moving average of the weights, which is validated and kept; 0: the weights themselves"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        description="`fp32`, `bf16` (mixed), or `auto`: bf16 where the device has instructions for it (AMX or AVX-512 "
        "BF16, recent GPUs)"
    )

    @property
    def selects(self) -> bool:
        """Whether the best epoch is kept, as validation tells it, and not the last."""
        return self.system == "none" or SYSTEMS[self.system].selects

    @model_validator(mode="after")
    def _loss_can_be_trained(self) -> "TrainingSettings":
        if self.loss == "gend" and self.batch_size < 4:
            raise ValueError(f"batch_size is {self.batch_size}, but loss 'gend' compares faces of a class; set it to 4")
        if self.loss == "gend" and self.tune == "none":
            raise ValueError("loss is 'gend', but tune is 'none': nothing would be trained by it; set cross_entropy")
        return self

    @model_validator(mode="after")
    def _genuine_fakes_can_be_trained_on(self) -> "TrainingSettings":
        if self.fakes != "pseudo" and self.boundary:
            raise ValueError(
                f"fakes is '{self.fakes}', but boundary is {self.boundary}: where a genuine fake's boundary is isn't "
                "known; set boundary to 0, or fakes to 'pseudo'"
            )
        if self.fakes != "pseudo" and self.tune == "none":
            raise ValueError(
                f"fakes is '{self.fakes}', but tune is 'none': nothing would be trained on them; set fakes to "
                "'pseudo', or tune to 'all'"
            )
        return self

    @model_validator(mode="after")
    def _system_is_trained_as_it_can_be(self) -> "TrainingSettings":
        if self.system == "none":
            return self
        needs = {"patch": 0, "loss": "cross_entropy", "tune": "all"}
        wrong = {key: value for key, value in needs.items() if getattr(self, key) != value}
        if wrong:
            remedy = ", ".join(f"{key} to {value}" for key, value in wrong.items())
            raise ValueError(
                f"system is '{self.system}', which is shown whole crops, has its own loss and is trained as a whole; "
                f"set {remedy}"
            )
        needs_map = SYSTEMS[self.system].boundary
        if needs_map != (self.boundary > 0):
            what, value = ("needs a boundary map", "above 0") if needs_map else ("has no boundary map", "to 0")
            raise ValueError(f"system is '{self.system}', which {what}; set boundary {value}")
        return self

    @model_validator(mode="after")
    def _no_map_untrained(self) -> "TrainingSettings":
        if self.tune == "none" and self.boundary:
            raise ValueError(
                f"boundary is {self.boundary}, but tune is 'none': nothing would train the boundary map; set boundary "
                "to 0, or tune to 'head'"
            )
        return self

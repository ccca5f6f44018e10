"""The sections ``anomaly_model`` and ``scoring`` of params.yaml."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from stages.lib.anomaly.estimators import ESTIMATORS
from stages.lib.settings import Count, Positive, Settings, name_in


def _without_repetition(value: list[str]) -> list[str]:
    if len(set(value)) < len(value):
        raise ValueError("names the same evidence twice")
    return value


class AnomalyModelSettings(Settings):
    kind: Annotated[str, name_in(ESTIMATORS)] = Field(description="what is fitted to the vectors of real pairs")
    max_vectors: Count = Field(
        description="at most so many vectors are fitted, which bounds memory: where training reals have more pairs, as "
        "many of each video, drawn at random"
    )
    normalization: Literal["none", "l2", "standardize"] = Field(
        description="of the fused vector: `standardize`, `l2` (throws its magnitude away), `none`"
    )
    pca: Annotated[int, Field(ge=0)] = Field(description="principal components kept; 0 keeps the vector as it is")
    components: Count = Field(description="`gmm`, and `fusion: learned`: Gaussians in the mixture")
    covariance: Literal["auto", "diag", "full", "tied", "spherical"] = Field(
        description="`gmm`: `auto` is full where there are at least five numbers for each free parameter, else diag"
    )
    regularization: Positive = Field(description="`gmm`: what is added to variances")
    initialization: Literal["kmeans", "k-means++", "random", "random_from_data"] = Field(
        description="`gmm`: how EM starts. On a GPU, `random` and `random_from_data` alone"
    )
    nu: Annotated[float, Field(gt=0, le=1)] = Field(
        description="`ocsvm`: upper bound of the share of training pairs called anomalous"
    )
    bottleneck: Count = Field(
        description="`autoencoder`: width of its middle; with `fusion: learned`: length of the vector that is learnt"
    )
    transforms: Count = Field(description="`flow`: transformations that follow each other")


Evidence = Literal["pairs", "classifier", "boundary", "drift"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)  # what a video's pairs say, in the order of its columns


class ScoringSettings(Settings):
    side: Literal["upper", "typical"] = Field(
        description="of the density of pairs: `upper` calls unlikely pairs anomalous (the paper's), `typical` also "
        "pairs that are likelier than real ones, as those of faces animated from a photo are"
    )
    evidence: Annotated[list[Evidence], AfterValidator(_without_repetition)] = Field(
        min_length=1,
        description="what the score is made of: the density of `pairs` (alone: the paper's), the `classifier`'s logit, "
        "the `boundary` map, the `drift` of a face's colours; several are combined beside those of real videos",
    )

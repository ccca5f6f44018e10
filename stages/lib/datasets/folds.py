"""Which split a video belongs to: its dataset's own, or by cross-validation over people."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib.datasets.settings import CrossValidationSettings
from stages.lib.errors import InputError
from stages.lib.schemas import INDEX
from stages.lib.tables import read_table

VALIDATION_SHARE = 5  # one in so many of the people who are not tested


def people_of_fold(identities: list[str], settings: CrossValidationSettings) -> dict[str, str]:
    """{identity: split} of one fold: every person is tested in exactly one fold, and is in one split of each.

    People are dealt into folds in an order that depends on who they are alone. Of the others, every fifth validates.
    Raises :class:`InputError` for too few people.
    """
    people = list(np.random.default_rng(0).permutation(sorted(set(identities))))
    tested = people[settings.fold :: settings.folds]
    others = [person for person in people if person not in set(tested)]
    if not tested or len(others) < 2:
        raise InputError(
            f"cross_validation.folds is {settings.folds}, but the training dataset has {len(people)} people "
            "(identity in its manifest): too few to train, validate and test; lower it or set it to 1"
        )
    validating = others[::VALIDATION_SHARE]
    return dict.fromkeys(others, "train") | dict.fromkeys(validating, "val") | dict.fromkeys(tested, "test")


def people(videos: pd.DataFrame) -> pd.Series:
    """Whose video each row is, for folds and for resampling: its ``identity``, or, where nobody is named, its video_id.

    A fake whose ``original`` is one of the rows is its original's, whoever it was made to look like: they share camera,
    light and all of the picture that wasn't forged. ``videos``: video_id, identity and original.
    """
    own = videos["identity"].where(videos["identity"] != "", videos["video_id"])
    return videos["original"].map(dict(zip(videos["video_id"], own, strict=True))).fillna(own)


def read_index(path: Path, settings: CrossValidationSettings, is_training_dataset: bool) -> pd.DataFrame:
    """The index table with the split that counts: with several folds the training dataset's is the fold's.

    A fake is in the fold of its original. Raises :class:`InputError` where cross-validation meets a video without an
    identity.
    """
    videos = read_table(path, INDEX).to_pandas()
    if settings.folds == 1 or not is_training_dataset:
        return videos
    who = people(videos)
    nameless = videos.loc[who.isin(videos["video_id"]), "video_id"]
    if len(nameless):
        raise InputError(
            f"{path}: cross_validation.folds is {settings.folds}, but {len(nameless)} videos have no identity "
            f"({nameless.iloc[0]}, …); say who is in each video in the manifest, or set it to 1"
        )
    return videos.assign(split=who.map(people_of_fold(list(who), settings)))

"""Cross-validation over people: who is tested, validated and trained on."""

import pandas as pd
import pytest

from stages.lib.datasets.folds import people, people_of_fold, read_index
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL, SPLITS
from stages.lib.schemas import INDEX
from stages.lib.tables import write_table
from tests.helpers.params import cross_validation_settings

PEOPLE = [f"p{i}" for i in range(30)]


def _folds(n: int) -> list[dict[str, str]]:
    return [people_of_fold(PEOPLE, cross_validation_settings(folds=n, fold=fold)) for fold in range(n)]


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_everybody_is_tested_once_and_in_one_split_of_each_fold(n):
    folds = _folds(n)
    assert all(set(fold) == set(PEOPLE) for fold in folds)
    assert all([fold[person] for fold in folds].count("test") == 1 for person in PEOPLE)
    for fold in folds:
        assert set(fold.values()) == set(SPLITS)
        assert list(fold.values()).count("val") == -(-(30 - list(fold.values()).count("test")) // 5)


def test_folds_depend_on_who_the_people_are_not_on_their_order_or_videos():
    settings = cross_validation_settings(folds=3, fold=1)
    assert people_of_fold(PEOPLE, settings) == people_of_fold(PEOPLE[::-1] * 3, settings)


def test_too_few_people_is_a_clear_error():
    with pytest.raises(
        InputError, match="cross_validation.folds is 3, but the training dataset has 2 people .* too few"
    ):
        people_of_fold(["a", "b"], cross_validation_settings(folds=3, fold=0))


def _index(folder, identities: list[str]):
    rows = [
        {
            "video_id": f"{i}.mp4",
            "path": f"{i}.mp4",
            "label": REAL,
            "method": "",
            "split": "test",
            "identity": who,
            "original": "",
            "family": "",
            "group": "",
            "input": "video",
            "fingerprint": "",
        }
        for i, who in enumerate(identities)
    ]
    write_table(folder / "index.parquet", rows, INDEX)
    return folder / "index.parquet"


def test_a_persons_videos_share_a_split_and_only_the_training_dataset_is_dealt(tmp_path):
    path, settings = _index(tmp_path, PEOPLE + PEOPLE), cross_validation_settings(folds=3, fold=2)
    dealt = read_index(path, settings, is_training_dataset=True)
    assert dealt.groupby("identity")["split"].nunique().eq(1).all()
    assert set(dealt["split"]) == set(SPLITS)
    assert set(read_index(path, settings, is_training_dataset=False)["split"]) == {"test"}
    not_dealt = read_index(path, cross_validation_settings(folds=1, fold=0), is_training_dataset=True)
    assert set(not_dealt["split"]) == {"test"}


def test_a_video_without_an_identity_is_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="2 videos have no identity \\(1.mp4, …\\); say who is in each video"):
        read_index(
            _index(tmp_path, ["a", "", ""]), cross_validation_settings(folds=3, fold=0), is_training_dataset=True
        )


VIDEOS = pd.DataFrame(
    [
        ("anna.mp4", REAL, "anna", ""),
        ("nobody.mp4", REAL, "", ""),
        ("as_ben.mp4", FAKE, "ben", "anna.mp4"),
        ("of_nobody.mp4", FAKE, "ben", "nobody.mp4"),
        ("of_absent.mp4", FAKE, "ben", "absent.mp4"),
        ("ben.mp4", FAKE, "ben", ""),
        ("unknown.mp4", FAKE, "", ""),
    ],
    columns=["video_id", "label", "identity", "original"],
)


@pytest.mark.parametrize(
    ("video_id", "person"),
    [
        ("anna.mp4", "anna"),
        ("nobody.mp4", "nobody.mp4"),  # an unnamed video is a person of its own
        ("as_ben.mp4", "anna"),  # a fake belongs to its original
        ("of_nobody.mp4", "nobody.mp4"),
        ("of_absent.mp4", "ben"),
        ("ben.mp4", "ben"),
        ("unknown.mp4", "unknown.mp4"),
    ],
)
def test_a_fake_belongs_to_the_person_of_its_original(video_id, person):
    assert people(VIDEOS)[VIDEOS["video_id"] == video_id].item() == person


def test_a_fake_is_in_the_fold_of_its_original(tmp_path):
    rows = [dict.fromkeys(INDEX.names, "") | {"video_id": f"{who}.mp4", "identity": who} for who in PEOPLE]
    fakes = [
        rows[0] | {"video_id": f"fake{i}.mp4", "identity": PEOPLE[i - 1], "original": f"{PEOPLE[i]}.mp4"}
        for i in range(len(PEOPLE))
    ]
    write_table(tmp_path / "index.parquet", rows + fakes, INDEX)
    dealt = read_index(tmp_path / "index.parquet", cross_validation_settings(folds=3, fold=0), True)
    split_of = dict(zip(dealt["video_id"], dealt["split"], strict=True))
    assert [split_of[fake["video_id"]] for fake in fakes] == [split_of[fake["original"]] for fake in fakes]

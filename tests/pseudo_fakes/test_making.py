"""Sources, their donors, forged runs and banks."""

import cv2
import numpy as np
import pandas as pd
import pytest

from stages.lib.errors import InputError
from stages.lib.files import bank_file, sources_file, write_array
from stages.lib.pseudo_fakes.forgery import Donor
from stages.lib.pseudo_fakes.making import (
    Source,
    choose_donor,
    forge_run,
    make_source,
    synthesize_bank,
    training_photos,
    training_videos,
    with_donors,
)
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.schemas import FAKES, INDEX
from tests.helpers.faces import LANDMARKS, SIDE, crops, write_faces, write_photos
from tests.helpers.params import SHIPPED, changed


def _settings(**changes):
    plain = {"variants": 2, "schemes": ["swap"], "donors": 0.0, "crf": [], "degrade": False}
    return changed(SHIPPED.synthesis, **plain | changes)


def _turned(degrees: float) -> np.ndarray:
    """The landmarks of a head in another pose: rolled."""
    turn = cv2.getRotationMatrix2D((32, 32), degrees, 1.0)
    return LANDMARKS @ turn[:, :2].T + turn[:, 2]


@pytest.fixture
def source(tmp_path):
    """Makes a source: by its name, people (one for each face), poses, and what else there is to say of it."""

    def make(name: str, people: list[str], poses: list[float] | None = None, is_video: bool = True, split="train"):
        path = tmp_path / "crops" / f"{name.replace('/', '_')}.npy"
        write_array(path, crops(len(people), len(name)))
        landmarks = np.stack([_turned(pose) for pose in poses or [0.0] * len(people)])
        return Source(name, "0", split, is_video, np.array(people), path, landmarks)

    return make


# Of whom pseudo-fakes are made


def _index(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({name: [""] * n for name in INDEX.names} | columns)


@pytest.fixture
def videos(tmp_path):
    write_faces(tmp_path, {"a.mp4": 3, "b.mp4": 2, "c.mp4": 2, "fake.mp4": 1, "test.mp4": 1})
    index = _index(
        video_id=["a.mp4", "b.mp4", "c.mp4", "fake.mp4", "test.mp4", "unseen.mp4"],
        label=["real", "real", "real", "fake", "real", "real"],
        split=["train", "train", "val", "train", "test", "train"],
        identity=["Ann", "", "Cyd", "Ann", "Dan", "Eve"],
    )
    return training_videos(index, tmp_path)


def test_sources_are_the_real_videos_of_train_and_val_that_have_faces(videos):
    assert [video.video_id for video in videos] == ["videos/a.mp4", "videos/b.mp4", "videos/c.mp4"]


def test_a_videos_faces_are_of_one_person(videos):
    assert videos[0].people.tolist() == ["Ann", "Ann", "Ann"]


def test_a_video_of_nobody_named_is_of_a_person_of_its_own(videos):
    assert set(videos[1].people) == {"b.mp4"}


def test_landmarks_are_those_of_the_rows_of_the_array(videos):
    np.testing.assert_allclose(videos[0].landmarks, [LANDMARKS, LANDMARKS + 1, LANDMARKS + 2], atol=1e-4)


def test_a_source_is_made_from_its_split_all_of_its_faces_and_its_landmarks(videos):
    own, faces = videos[0], np.load(videos[0].faces)

    def made_from(landmarks: np.ndarray, split: str = own.split) -> str:
        return make_source(own.video_id, split, True, own.people, own.faces, landmarks).made_from

    assert made_from(own.landmarks) == own.made_from
    seen = {own.made_from, made_from(own.landmarks + 1), made_from(own.landmarks, "val")}
    faces.ravel()[faces.size // 3] ^= 1
    np.save(own.faces, faces)
    assert own.split == "train" and len(seen | {made_from(own.landmarks)}) == 4


def test_a_split_without_a_face_is_an_error(tmp_path):
    write_faces(tmp_path, {"a.mp4": 1})
    index = _index(video_id=["a.mp4", "b.mp4"], label=["real", "real"], split=["train", "val"], identity=["", ""])
    with pytest.raises(InputError, match=r"no usable real video with split=val \(1 listed, none with a face\)"):
        training_videos(index, tmp_path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in ("lfw", "own"):
        write_photos(folder / name)
    return training_photos(folder)


def test_photos_are_sources_shard_by_shard(photos):
    expected = ["photos/lfw/0000", "photos/lfw/0001", "photos/own/0000", "photos/own/0001"]
    assert [part.video_id for part in photos] == expected


def test_photos_serve_to_train(photos):
    assert {part.split for part in photos} == {"train"}


def test_two_sets_people_are_never_one(photos):
    assert [list(part.people) for part in photos[1:3]] == [["lfw/Bob"], ["own/Ann", "own/Bob"]]


def test_each_photo_is_forged_for_itself(photos):
    assert [run.tolist() for run in photos[0].runs] == [[0], [1]]


def test_a_videos_frames_are_forged_alike(videos):
    assert [run.tolist() for run in videos[0].runs] == [[0, 1, 2]]


def test_no_photos_are_no_sources(tmp_path):
    assert training_photos(tmp_path) == []


# Donors


def test_donors_are_other_people_of_the_same_split(source):
    sources = [source("a", ["Ann"]), source("b", ["Ann"]), source("c", ["Bob"]), source("d", ["Cyd"], split="val")]
    assert [sorted(donor.video_id for donor in one.donors) for one in with_donors(sources)] == [
        ["c"],
        ["c"],
        ["a", "b"],
        [],
    ]


def test_a_set_of_photos_may_be_its_own_donor(source):
    (both,) = with_donors([source("photos/x/0000", ["Ann", "Bob"], is_video=False)])
    assert [donor.video_id for donor in both.donors] == ["photos/x/0000"]


def test_photos_of_one_person_are_no_donors_of_their_own(source):
    (alone,) = with_donors([source("photos/x/0000", ["Ann", "Ann"], is_video=False)])
    assert alone.donors == ()


def test_videos_and_photos_lend_each_other_faces(source):
    video, photos = with_donors([source("v", ["Ann"]), source("photos/x/0000", ["Bob"], is_video=False)])
    assert (video.donors[0].video_id, photos.donors[0].video_id) == ("photos/x/0000", "v")


def test_an_added_source_changes_few_others_donors(source):
    sources = [source(f"v{at}", [f"P{at}"]) for at in range(60)]
    before, after = with_donors(sources[:-1]), with_donors(sources)
    changed_ = sum(one.made_from != other.made_from for one, other in zip(before, after[:-1], strict=True))
    assert 0 < changed_ < 25


def test_the_nearest_pose_is_taken(source):
    donors = [source("b", ["Bob"] * 3, [-30, 12, 25]), source("c", ["Cyd"] * 2, [5, 40])]
    whose, rows = choose_donor(_turned(10)[None], "Ann", donors, np.random.default_rng(0))
    assert (whose, rows.tolist()) == (0, [1])


def test_place_and_size_are_no_pose(source):
    donors = [source("b", ["Bob"], [12]), source("c", ["Cyd"], [20])]
    whose, _ = choose_donor(_turned(10)[None] * 1.7 + 30, "Ann", donors, np.random.default_rng(0))
    assert whose == 0


def test_each_frame_takes_the_frame_of_a_donors_video_that_suits_it(source):
    donors = [source("b", ["Bob"] * 3, [-30, 0, 30])]
    _, rows = choose_donor(np.stack([_turned(at) for at in (28, -1, -33)]), "Ann", donors, np.random.default_rng(0))
    assert rows.tolist() == [2, 1, 0]


def test_a_photo_is_the_donor_of_a_whole_run(source):
    donors = [source("photos/x/0000", ["Bob", "Cyd"], [-30, 3], is_video=False)]
    _, rows = choose_donor(np.stack([_turned(at) for at in (0, 5, -5)]), "Ann", donors, np.random.default_rng(0))
    assert rows.tolist() == [1, 1, 1]


def test_the_nearest_pose_of_the_same_person_is_not_taken(source):
    donors = [source("photos/x/0000", ["Ann", "Bob", "Ann"], [10, -30, 10], is_video=False)]
    for seed in range(10):
        _, rows = choose_donor(_turned(10)[None], "Ann", donors, np.random.default_rng(seed))
        assert rows.tolist() == [1]


def test_nobody_else_is_no_donor(source):
    donors = [source("photos/x/0000", ["Ann", "Ann"], is_video=False)]
    assert choose_donor(LANDMARKS[None], "Ann", donors, np.random.default_rng(0)) is None


# Runs


def _run(n: int = 3, seed: int = 0, is_video: bool = True, **changes):
    faces, landmarks = np.repeat(crops(1, 0), n, axis=0), np.repeat(LANDMARKS[None], n, axis=0)
    rng = np.random.default_rng(seed)
    return forge_run(faces, landmarks, _settings(**changes), rng, [None] * n, is_video)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_face_that_comes_twice_in_a_run_is_forged_alike(scheme):
    images = _run(2, schemes=[scheme]).images
    np.testing.assert_array_equal(images[0], images[1])


def test_noise_is_another_in_each_frame():
    runs = [_run(2, seed, degrade=True, schemes=["lips"]).images for seed in range(20)]
    assert any(not np.array_equal(images[0], images[1]) for images in runs)


def test_noise_is_the_same_on_a_real_face_and_its_pseudo_fake():
    for seed in range(20):
        images = _run(1, seed, degrade=True, schemes=["lips"]).images[0].astype(int)
        untouched = cv2.dilate(images[..., 6].astype(np.uint8), np.ones((41, 41))) == 0  # blur and JPEG reach this far
        assert np.abs(images[..., :3] - images[..., 3:6])[untouched].max(initial=0) <= 2


@pytest.mark.parametrize("is_video", [True, False])
def test_what_is_taken_from_the_generator_depends_on_neither_the_faces_nor_their_number(is_video):
    states = []
    for n in (1, 4) if is_video else (1, 1):
        rng = np.random.default_rng(0)
        faces, landmarks = crops(n, n), np.stack([_turned(n)] * n)
        forge_run(faces, landmarks, _settings(degrade=True, crf=[20, 30]), rng, [None] * n, is_video)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


def test_the_first_frame_is_forged_alike_however_many_follow():
    np.testing.assert_array_equal(_run(1, degrade=True).images[0], _run(4, degrade=True).images[0])


def test_without_degradation_the_real_face_is_stored_as_it_is():
    np.testing.assert_array_equal(_run().images[0, ..., :3], crops(1, 0)[0])


def test_the_mask_is_kept_where_the_fake_differs():
    images = _run().images[0].astype(int)
    assert np.abs(images[..., :3] - images[..., 3:6])[images[..., 6] == 0].max() <= 1


def test_schemes_are_drawn_by_their_weights():
    drawn = [_run(1, seed, schemes={"lips": 3.0, "mouth": 1.0}).scheme for seed in range(300)]
    assert 0.67 < drawn.count("lips") / 300 < 0.83


def test_rate_factors_lie_in_their_range():
    drawn = {_run(1, seed, crf=[20, 22]).rate_factor for seed in range(60)}
    assert drawn == {None, 20, 21, 22}


def test_without_rate_factors_nothing_is_compressed():
    assert {_run(1, seed).rate_factor for seed in range(20)} == {None}


@pytest.mark.parametrize("is_video", [True, False])
def test_compression_touches_the_real_face_and_the_fake(is_video):
    compressed = [run for seed in range(10) if (run := _run(1, seed, is_video, crf=[35, 35])).rate_factor == 35]
    real = compressed[0].images[0, ..., :3].astype(int)
    assert 1 < np.abs(real - crops(1, 0)[0]).mean() < 40


# Banks


def _bank(folder, source: Source, seed: int = 0, **changes):
    table = synthesize_bank(folder, _settings(**changes), seed, source)
    return np.load(bank_file(folder, source.video_id)), table


def test_a_bank_has_each_face_in_each_variant(tmp_path, source):
    array, _ = _bank(tmp_path, source("videos/a", ["Ann"] * 3))
    assert (array.shape, array.dtype) == ((3, 2, SIDE, SIDE, 7), np.uint8)


def test_a_banks_table_has_a_row_for_each_pseudo_fake(tmp_path, source):
    _, table = _bank(tmp_path, source("videos/a", ["Ann"] * 3))
    rows = sorted(zip(table["face_row"].to_pylist(), table["variant"].to_pylist(), strict=True))
    assert rows == [(face, variant) for face in range(3) for variant in range(2)]


def test_a_banks_table_is_of_fakes(tmp_path, source):
    assert _bank(tmp_path, source("videos/a", ["Ann"]))[1].schema == FAKES


def test_frames_of_a_video_are_made_alike(tmp_path, source):
    _, table = _bank(tmp_path, source("videos/a", ["Ann"] * 3), schemes=list(SCHEMES), variants=8)
    how = table.to_pandas().groupby("variant")[["scheme", "blend_ratio", "transformed"]].nunique()
    assert (how == 1).all(axis=None)


def test_photos_are_not_made_alike(tmp_path, source):
    many = source("photos/x/0000", ["Ann"] * 12, is_video=False)
    _, table = _bank(tmp_path, many, schemes=list(SCHEMES), variants=1)
    assert len(set(table["scheme"].to_pylist())) > 2


def test_variants_differ(tmp_path, source):
    array, _ = _bank(tmp_path, source("videos/a", ["Ann"]))
    assert not np.array_equal(array[0, 0, ..., 3:6], array[0, 1, ..., 3:6])


DRAWN = {"schemes": list(SCHEMES), "donors": 0.5, "crf": [20, 30], "degrade": True}


def test_equal_seeds_give_equal_banks(tmp_path, source):
    a, _ = with_donors([source("videos/a", ["Ann"] * 2), source("videos/b", ["Bob"] * 2)])
    one, other = (_bank(tmp_path / name, a, 0, **DRAWN)[0] for name in ("one", "other"))
    np.testing.assert_array_equal(one, other)


def test_other_seeds_give_other_banks(tmp_path, source):
    a = source("videos/a", ["Ann"] * 2)
    one, other = (_bank(tmp_path, a, seed)[0] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_bank_names_whose_face_was_put_in(tmp_path, source):
    a, _ = with_donors([source("videos/a", ["Ann"] * 2), source("videos/b", ["Bob"] * 2)])
    assert set(_bank(tmp_path, a, donors=1.0)[1]["donor"].to_pylist()) == {"videos/b"}


def test_no_donor_is_named_where_the_face_itself_is_redrawn(tmp_path, source):
    a, _ = with_donors([source("videos/a", ["Ann"] * 2), source("videos/b", ["Bob"] * 2)])
    assert set(_bank(tmp_path, a, donors=1.0, schemes=["animated"])[1]["donor"].to_pylist()) == {None}


def test_without_anybody_else_the_face_itself_is_taken(tmp_path, source):
    (a,) = with_donors([source("videos/a", ["Ann"] * 2)])
    assert set(_bank(tmp_path, a, donors=1.0)[1]["donor"].to_pylist()) == {None}


def test_a_killed_bank_leaves_no_file(tmp_path, source, monkeypatch):
    def fail(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("stages.lib.pseudo_fakes.making.forge_run", fail)
    with pytest.raises(ZeroDivisionError):
        _bank(tmp_path / "bank", source("videos/a", ["Ann"]))
    assert not bank_file(tmp_path / "bank", "videos/a").exists()


# What was pasted


def _made(folder, source: Source, keep_sources: bool) -> bytes:
    synthesize_bank(folder, _settings(**DRAWN | {"variants": 8}), 0, source, keep_sources)
    return bank_file(folder, source.video_id).read_bytes()


@pytest.mark.parametrize("is_video", [True, False])
def test_a_bank_is_the_same_whether_sources_are_kept_or_not(tmp_path, source, is_video):
    a, _ = with_donors([source("a", ["Ann"] * 2, is_video=is_video), source("b", ["Bob"] * 2)])
    assert _made(tmp_path / "kept", a, True) == _made(tmp_path / "not", a, False)


def test_sources_are_kept_beside_the_bank(tmp_path, source):
    _made(tmp_path, source("videos/a", ["Ann"] * 3), True)
    pasted = np.load(sources_file(tmp_path, "videos/a"))
    assert (pasted.shape, pasted.dtype) == ((3, 8, SIDE, SIDE, 3), np.uint8)


def test_without_guidance_no_sources_are_kept(tmp_path, source):
    _made(tmp_path, source("videos/a", ["Ann"] * 3), False)
    assert [path.name for path in tmp_path.rglob("*") if "sources" in str(path.relative_to(tmp_path))] == []


def _forged_of_donor(scheme: str, **changes):
    """A run of one face with another person's face, its sources kept."""
    donor = Donor(crops(1, 9)[0], LANDMARKS)
    settings = _settings(**{"schemes": [scheme]} | changes)
    rng = np.random.default_rng(0)
    return forge_run(crops(1, 0), LANDMARKS[None], settings, rng, [donor], True, keep_sources=True)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_pseudo_fake_is_its_source_pasted_under_its_mask(scheme):
    run = _forged_of_donor(scheme)
    mask = run.images[0, ..., 6:].astype(float) / 255
    real, fake = run.images[0, ..., :3].astype(float), run.images[0, ..., 3:6]
    assert np.abs(run.sources[0] * mask + real * (1 - mask) - fake).max() < 2.5


@pytest.mark.parametrize("scheme", ["global", "swap", "lips"])
def test_a_source_is_not_the_real_face(scheme):
    run = _forged_of_donor(scheme)
    assert np.abs(run.sources[0].astype(int) - run.images[0, ..., :3]).mean() > 10


@pytest.mark.parametrize("changes", [{"crf": [40, 40]}, {"degrade": True}])
def test_a_source_goes_through_what_the_others_go_through(changes):
    """Of some seeds, as not every run is degraded or compressed."""
    faces, donor = crops(1, 0), Donor(crops(1, 9)[0], LANDMARKS)

    def made(seed: int, **more) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        run = forge_run(faces, LANDMARKS[None], _settings(schemes=["lips"], **more), rng, [donor], True, True)
        return run.images[0, ..., :3], run.sources[0]

    def touched(seed: int) -> tuple[bool, ...]:
        pairs = zip(made(seed), made(seed, **changes), strict=True)
        return tuple(not np.array_equal(before, after) for before, after in pairs)

    assert {touched(seed) for seed in range(8)} - {(False, False)} == {(True, True)}

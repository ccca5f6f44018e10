"""Releases: the one that comes with the project, and making one of a run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.calibration.bundle import ANOMALY_MODEL, BACKBONE, CALIBRATION, RELEASED, load_calibration
from stages.lib.detection.detector import Detector
from stages.lib.detection.observation import observe
from stages.lib.evaluation.card import ABOUT
from tests.helpers.pipeline import ROOT, change_params, files_below, run
from tests.helpers.videos import face_frames, write_video

PEOPLE = ROOT / RELEASED / "people-1"
CARD = "docs/model-card.md"
MOST_BYTES = 12_000_000

needs_people = pytest.mark.skipif(not PEOPLE.is_dir(), reason="the owner has deleted released/people-1")


@needs_people
def test_the_released_models_are_small_enough_to_be_cloned():
    assert sum(path.stat().st_size for path in PEOPLE.iterdir()) <= MOST_BYTES


@needs_people
def test_the_released_weights_are_in_half_precision():
    kinds = {tensor.dtype for tensor in safetensors.numpy.load_file(PEOPLE / BACKBONE).values()}
    assert kinds == {np.dtype(np.float16), np.dtype(np.int64)}


@needs_people
def test_the_released_models_belong_together_and_name_nobody():
    assert load_calibration(PEOPLE).release.name == "people-1"
    assert all(name.isdigit() for name in load_anomaly_models(PEOPLE / ANOMALY_MODEL).reference.video_ids)


@needs_people
def test_the_card_in_the_docs_is_the_one_of_the_folder():
    assert (ROOT / CARD).read_bytes() == (PEOPLE / "README.md").read_bytes()


# Where this fails, crops, embeddings or scoring have changed, and the released models no longer mean what their card
# says: make the release anew (docs/detect.md) and write down its scores here.
@needs_people
def test_the_released_models_score_a_known_clip_as_when_they_were_made(tmp_path):
    detector = Detector(PEOPLE, load_calibration(PEOPLE))
    clip = write_video(tmp_path / "clip.avi", face_frames(40), codec="FFV1")
    verdict = detector.judge(observe("clip", clip, detector.calibration), 0.05)
    evidence = [verdict.anomaly_score, np.mean([pair.anomaly_score for pair in verdict.pairs])]
    assert evidence == pytest.approx(SCORES, abs=0.02)


SCORES = [2.6745, 2.6752]

SAID = """
title: A tiny detector.
summary: It was trained on a few videos. It isn't meant to be right.
method: A network of a few layers.
trained: In a test.
material: [{what: two videos, origin: rendered, terms: none}]
use: [Tests.]
weak: [Everything else.]
licence: None.
"""


@pytest.fixture(scope="module")
def released(ran, made_once) -> Path:
    """The pipeline's copy with a release of its run on the demo alone."""

    def make(empty: Path) -> Path:
        folder = shutil.copytree(ran, empty / "copy", symlinks=True)
        change_params(folder, lambda params: params["datasets"].pop("messy"))
        (folder / "released/tiny").mkdir(parents=True)
        (folder / "released/tiny" / ABOUT).write_text(SAID)
        run(folder, "python", "-m", "stages.release", "--name", "tiny")
        return folder

    return made_once("release", make)


def test_a_release_names_none_of_its_reals(released):
    reference = load_anomaly_models(released / "released/tiny" / ANOMALY_MODEL).reference
    assert reference.video_ids == tuple(f"{at:05}" for at in range(3))


def test_a_release_of_ones_own_leaves_the_projects_card_in_the_docs(released):
    assert (released / "docs/model-card.md").read_text().startswith("# Model card: people-1")


def test_a_release_has_all_that_detect_takes(released):
    assert {path.name for path in (released / "released/tiny").iterdir()} == {
        *(ABOUT, ANOMALY_MODEL, BACKBONE, CALIBRATION, "README.md"),
    }
    assert load_calibration(released / "released/tiny").release.name == "tiny"


def test_a_release_takes_half_of_the_runs_weights(released):
    sizes = [(released / folder / BACKBONE).stat().st_size for folder in ("released/tiny", "models")]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_release_scores_its_reals_nearly_as_the_run_does(released):
    """Its densities are fitted anew to embeddings that differ in the fourth digit."""
    of_release, of_run = (
        load_calibration(released / folder).validation.scores for folder in ("released/tiny", "models")
    )
    assert len(of_release) == len(of_run)
    assert np.median(of_release) == pytest.approx(np.median(of_run), rel=0.5)


def test_a_release_is_the_same_bytes_again(released, tmp_path):
    again = shutil.copytree(released, tmp_path / "again", symlinks=True)
    run(again, "python", "-m", "stages.release", "--name", "tiny")
    assert files_below(again / "released/tiny") == files_below(released / "released/tiny")


def test_a_release_changes_nothing_of_its_run(released, ran):
    assert files_below(released / "models") == files_below(ran / "models")
    assert files_below(released / "metrics") == files_below(ran / "metrics")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "released/tiny" / ABOUT).unlink(), "about.yaml: no such file; write it first"),
        (
            lambda folder: (folder / "released/tiny" / ABOUT).write_text("title: x"),
            "about.yaml: summary: Field required",
        ),
        (lambda folder: (folder / "models" / BACKBONE).unlink(), "a release is made of a whole run; run `dvc repro`"),
    ],
)
def test_what_a_release_lacks_is_an_error(folder, change, message):
    (folder / "released/tiny").mkdir(parents=True)
    (folder / "released/tiny" / ABOUT).write_text(SAID)
    change(folder)
    done = run(folder, "python", "-m", "stages.release", "--name", "tiny", check=False)
    assert done.returncode == 1
    assert message in done.stderr

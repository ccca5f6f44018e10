"""One's own real videos in the place of those that a model was calibrated on, on vectors of a known distribution."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stages.lib.anomaly.evidence import combined_score, make_reference
from stages.lib.anomaly.files import AnomalyModels
from stages.lib.calibration.bundle import Release
from stages.lib.detection.detector import EmbeddedFaces
from stages.lib.detection.own_reals import OwnReal, p_values, recalibrate, videos_needed
from stages.lib.errors import InputError
from stages.lib.pairs.drawing import draw_pairs
from stages.lib.pairs.fusion import Features
from tests.helpers.verdicts import RATE, calibration_of

CALIBRATION = calibration_of([1.0, 2.0, 3.0], test=[4.0])
WIDTH = 4


def _video(number: int, person: str = "", shift: float = 0.0) -> OwnReal:
    rng = np.random.default_rng(number)
    embedding = (rng.standard_normal((12, WIDTH)) * (1 + shift)).astype(np.float32)
    faces = EmbeddedFaces(
        Features(embedding, rng.standard_normal(12).astype(np.float32), rng.random((12, 54)).astype(np.float32)),
        None,
        np.arange(12) / 5,
    )
    name = f"v{number}.mp4"
    looks = {"face_px": 100.0 + number, "brightness": 100.0, "detail": 1.0}
    return OwnReal(name, person or name, "", faces, looks)


@pytest.fixture(scope="module")
def models() -> AnomalyModels:
    """A density of pairs and of frames of other videos."""
    vectors = np.random.default_rng(99).standard_normal((300, WIDTH))
    of_pairs, of_frames = (
        make_pipeline(StandardScaler(), GaussianMixture(1, reg_covar=0.1, random_state=0)).fit(drawn)
        for drawn in ((vectors[:150] - vectors[150:]) ** 2, vectors)
    )
    return AnomalyModels(of_pairs, of_frames, make_reference({"someone": np.zeros(4)}))


VIDEOS = [_video(number) for number in range(25)]


def _made(models, density, videos=VIDEOS, evidence=("pairs",), side="upper"):
    scoring = CALIBRATION.scoring.model_copy(update={"evidence": list(evidence), "side": side})
    calibration = CALIBRATION.model_copy(update={"scoring": scoring})
    return recalibrate(videos, models, calibration, density, "mine")


def test_the_density_is_kept_where_it_is_to_be(models):
    assert _made(models, "keep").models.pairs is models.pairs


def test_the_reference_is_of_these_videos_and_names_none(models):
    assert _made(models, "keep").models.reference.video_ids == tuple(f"{at:05}" for at in range(25))


def test_the_scores_of_the_calibration_are_theirs_rising(models):
    made = _made(models, "keep")
    assert made.calibration.validation.scores == sorted(made.anomaly_scores)
    assert made.calibration.validation.source == "mine"


def test_what_was_of_other_reals_is_gone(models):
    made = _made(models, "keep")
    assert made.calibration.test.scores == []
    assert made.calibration.looks["face_px"] == [100.0, 124.0]


def test_with_the_density_alone_a_score_is_the_models_own(models):
    made = _made(models, "keep")
    video = VIDEOS[3]
    pairs = draw_pairs(video.faces.times, CALIBRATION.pairs.per_video, CALIBRATION.pairs, CALIBRATION.seed)
    expected = video.faces.evidence(pairs, models.pairs, CALIBRATION.fusion)[:, 0].mean()
    assert made.scores[3].anomaly_score == pytest.approx(expected)


def test_a_combined_score_is_beside_the_others(models):
    made = _made(models, "keep", evidence=("pairs", "classifier"), side="typical")
    others = _made(models, "keep", VIDEOS[1:], evidence=("pairs", "classifier"), side="typical").models.reference
    scoring = made.calibration.scoring
    expected = combined_score(made.models.reference.evidence[0], replace(others, left_out=1), scoring)
    assert made.scores[0].anomaly_score == pytest.approx(float(expected))


def test_a_refitted_density_is_of_these_videos(models):
    made = _made(models, "refit", [_video(number, shift=9.0) for number in range(25)])
    assert made.models.pairs["standardscaler"].mean_.mean() > 10 * models.pairs["standardscaler"].mean_.mean()
    assert made.models.frames["standardscaler"].scale_.mean() > 5 * models.frames["standardscaler"].scale_.mean()


def test_a_refitted_density_judges_nobody_by_their_own_pairs(models):
    """One person whose videos are unlike all others stays so, however many they are: their pairs judge none of them."""
    strange = [replace(_video(100 + number, shift=9.0), person="strange") for number in range(5)]
    made = _made(models, "refit", [*VIDEOS, *strange])
    assert min(made.anomaly_scores[25:]) > 10 * max(made.anomaly_scores[:25])


def test_people_are_counted_where_all_are_named(models):
    named = [replace(video, person=f"p{at // 2}") for at, video in enumerate(VIDEOS)]
    assert _made(models, "keep", named).calibration.validation.people == 13
    assert _made(models, "keep").calibration.validation.people == 0


def test_one_video_is_too_few(models):
    with pytest.raises(InputError, match=r"1 real videos could be used, and a calibration takes 2"):
        _made(models, "keep", VIDEOS[:1])


def test_one_person_cannot_be_judged_by_others(models):
    with pytest.raises(InputError, match=r"all videos show one person.*--density keep"):
        _made(models, "refit", [replace(video, person="me") for video in VIDEOS])


def test_too_few_vectors_to_fit_are_an_error_with_a_remedy(models):
    wide = make_pipeline(StandardScaler(), GaussianMixture(500))
    with pytest.raises(InputError, match=r"vectors are too few to fit a density to.*--density keep"):
        recalibrate(VIDEOS[:4], replace(models, pairs=wide), CALIBRATION, "refit", "mine")


def test_a_p_value_is_the_rank_among_other_peoples_videos():
    scores = np.array([0.5, 3.0, 2.0, *np.linspace(0, 1, 22)])
    videos = [replace(video, person="a" if at in (1, 2) else video.person) for at, video in enumerate(VIDEOS)]
    found = p_values(videos, scores, RATE)
    # beside 23 videos of others both of a's are the highest; the first lies above 11 of them, and below two of a's
    assert found[1] == found[2] == pytest.approx(1 / 24)
    assert found[0] == pytest.approx((1 + 2 + 11) / 25)


def test_all_videos_of_a_person_are_left_out_where_one_is_judged(models):
    """A person of many clips doesn't become ordinary by being often there."""
    strange = [replace(_video(200 + number, shift=9.0), person="strange") for number in range(10)]
    alone = _made(models, "keep", [*VIDEOS, strange[0]], evidence=("pairs", "classifier"), side="typical")
    among = _made(models, "keep", [*VIDEOS, *strange], evidence=("pairs", "classifier"), side="typical")
    reference = among.models.reference.without(*(f"{at:05}" for at in range(25, 35)))
    expected = combined_score(among.models.reference.evidence[25], reference, among.calibration.scoring)
    assert among.scores[25].anomaly_score == pytest.approx(float(expected))
    assert alone.models.reference.without("00025").evidence[:, :2] == pytest.approx(reference.evidence[:, :2])


def test_what_they_were_made_from_is_said_and_no_release_is_named_as_the_judge(models):
    released = CALIBRATION.model_copy(update={"release": Release(name="people-1", summary="x", card="y")})
    made = recalibrate(VIDEOS, models, released, "refit", "mine").calibration
    assert made.release is None
    assert made.made_from.startswith("It was made from the released model people-1. Its density of pairs, thresholds")


def test_two_videos_are_too_few_where_evidence_is_combined(models):
    with pytest.raises(InputError, match=r"2 real videos of 2 people could be used, too few"):
        _made(models, "keep", VIDEOS[:2], evidence=("pairs", "classifier"), side="typical")


def test_how_many_videos_a_rate_takes():
    fewest, sure = videos_needed(0.05)
    assert fewest == 19
    # of 20 k - 1 videos the k-th highest score is the threshold, and the true rate follows a beta distribution
    k = (sure + 1) // 20
    assert sure == 20 * k - 1
    assert beta.ppf(0.975, k, 19 * k) <= 0.1 < beta.ppf(0.975, k - 1, 19 * (k - 1))

"""Choosing on half of the people and reporting on the other, on made-up scores."""

import numpy as np
import pandas as pd
import pytest

from stages.lib.anomaly.evidence import combined_score, make_reference
from stages.lib.errors import InputError
from stages.lib.evaluation.choice import (
    CHOSEN,
    WITHOUT_PAIRS,
    Candidate,
    Training,
    candidates,
    choice_page,
    choose,
    halves,
    mean_auc,
    score_candidate,
)
from stages.lib.records import FAKE, REAL

CLASSIFIER, DRIFT = Candidate(("classifier",)), Candidate(("drift",))
PAIRS_ALONE = Candidate(("pairs",), "typical", "sub")
PAIRS = Candidate(("pairs", "classifier"), "typical", "sub")


def _videos(n: int = 12) -> pd.DataFrame:
    """n people, each with a real video and a fake of it, half of them swaps, half animated."""
    people = [f"p{i:02}" for i in range(n)]
    families = ["swap", "animated"] * (n // 2)
    real = {"video_id": [f"{p}.mp4" for p in people], "label": REAL, "family": "", "original": "", "person": people}
    fake = {"video_id": [f"{p}_f.mp4" for p in people], "label": FAKE, "family": families, "original": real["video_id"]}
    videos = pd.concat([pd.DataFrame(real), pd.DataFrame(fake | {"person": people})], ignore_index=True)
    return videos.assign(classifier_logit=0.0, single_frame_score=0.0)


def _training(videos: pd.DataFrame, scores: dict[Candidate, pd.Series]) -> Training:
    rng = np.random.default_rng(0)
    reals = make_reference({f"v{i:02}": row for i, row in enumerate(rng.normal(size=(25, 4)))})
    return Training(videos, scores, {"sub": reals}, {name: name for name in reals.video_ids})


def _scores(videos: pd.DataFrame, good_for: pd.Series) -> pd.Series:
    """Scores that tell the fakes of some rows, and call the others' more real than any real."""
    fake = videos["label"] == FAKE
    score = np.where(fake, np.where(good_for, 1.0, -1.0), 0.0)
    return pd.Series(score, videos["video_id"])


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (CLASSIFIER, "classifier"),
        (PAIRS, "pairs (sub, typical) + classifier"),
        (Candidate(("boundary", "drift")), "boundary + drift"),
    ],
)
def test_a_candidate_says_what_it_is_made_of(one, label):
    assert one.label == label


def test_every_choice_of_evidence_is_a_candidate_once():
    found = candidates(["abs", "sub"])
    # 7 without pairs; with them 8 subsets of the others on 2 sides under 2 fusions
    assert (len(found), len(set(found))) == (7 + 8 * 2 * 2, 7 + 8 * 2 * 2)


def test_the_ablation_takes_the_pairs_away_and_nothing_else():
    assert (PAIRS.without_pairs, Candidate(("pairs",)).without_pairs) == (CLASSIFIER, None)


def test_a_candidates_score_is_that_of_its_params():
    rng = np.random.default_rng(0)
    reference = make_reference({str(i): row for i, row in enumerate(rng.normal(size=(9, 4)))})
    evidence = {name: rng.normal(size=4) for name in "ab"}
    found = score_candidate(PAIRS, evidence, reference)
    assert found["b"] == pytest.approx(float(combined_score(evidence["b"], reference, PAIRS.scoring)))


def test_nobody_is_in_both_halves():
    videos = _videos()
    assert halves(videos, 0).groupby(videos["person"]).nunique().eq(1).all()


@pytest.mark.parametrize("family", ["swap", "animated"])
def test_each_half_has_as_many_of_each_family(family):
    videos = _videos()
    assert halves(videos, 0)[videos["family"] == family].value_counts().to_dict() == {0: 3, 1: 3}


def test_other_seeds_deal_otherwise():
    videos = _videos()
    assert len({tuple(halves(videos, seed)) for seed in range(10)}) > 5


def test_families_count_alike_however_many_fakes_they_have():
    videos = _videos(4).drop(index=5)  # one animated fake is gone
    videos["score"] = np.where(videos["family"] == "swap", 1.0, np.where(videos["label"] == REAL, 0.0, -1.0))
    assert mean_auc(videos, "score") == 0.5


def test_what_is_best_on_one_half_is_reported_on_the_other():
    videos = _videos()
    first = halves(videos, 0) == 0
    found = {CLASSIFIER: _scores(videos, first), DRIFT: _scores(videos, ~first)}
    choice = choose([_training(videos, found)], 0)
    assert choice.best == (CLASSIFIER, DRIFT)
    # each fails on the half that it was not chosen on, and that is what is reported
    assert mean_auc(choice.scores[0], CHOSEN) == 0.0


def test_of_equals_the_one_of_less_evidence_is_chosen():
    videos = _videos()
    good = _scores(videos, videos["label"] == FAKE)
    assert choose([_training(videos, {PAIRS: good, CLASSIFIER: good})], 0).best == (CLASSIFIER, CLASSIFIER)


def test_the_choice_is_by_the_mean_over_trainings():
    videos = _videos()
    good, bad = (_scores(videos, (videos["label"] == FAKE) & flag) for flag in (True, False))
    so_so = pd.Series(0.0, videos["video_id"])  # .5 in each
    runs = [_training(videos, {CLASSIFIER: score, DRIFT: so_so}) for score in (good, bad, bad)]
    assert choose(runs, 0).best == (DRIFT, DRIFT)


def test_without_pairs_the_rest_of_the_choice_is_reported():
    videos = _videos()
    good, none = _scores(videos, videos["label"] == FAKE), pd.Series(0.0, videos["video_id"])
    scores = choose([_training(videos, {PAIRS: good, CLASSIFIER: none})], 0).scores[0]
    assert (mean_auc(scores, CHOSEN), mean_auc(scores, WITHOUT_PAIRS)) == (1.0, 0.5)


def test_pairs_alone_have_no_score_without_pairs():
    videos = _videos()
    good, none = _scores(videos, videos["label"] == FAKE), pd.Series(0.0, videos["video_id"])
    runs = [_training(videos, {PAIRS_ALONE: good, CLASSIFIER: none})]
    choice = choose(runs, 0)
    assert choice.best == (PAIRS_ALONE, PAIRS_ALONE) and choice.scores[0][WITHOUT_PAIRS].isna().all()
    assert "| chosen less chosen without pairs | – | – |" in choice_page(choice, runs, 0, "")


def test_a_half_without_fakes_is_named():
    videos = _videos().query("label == 'real'")
    with pytest.raises(InputError, match="half 0 of the test people has no real or no fake video with a score; add"):
        choose([_training(videos, {CLASSIFIER: pd.Series(0.0, videos["video_id"])})], 0)


def test_the_page_has_every_candidate_with_its_figures():
    videos = _videos()
    good, none = _scores(videos, videos["label"] == FAKE), pd.Series(0.0, videos["video_id"])
    runs = [_training(videos, {PAIRS: good, CLASSIFIER: none})]
    page = choice_page(choose(runs, 0), runs, 0, "the command").splitlines()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page if line.startswith("| ")}
    assert "Made by `the command`." in page
    assert rows[PAIRS.label].startswith(f"| {PAIRS.label} | 1.000 | 1.000 [1.000, 1.000]")
    assert rows[CLASSIFIER.label].startswith(f"| {CLASSIFIER.label} | 0.500 | 0.500 [0.500, 0.500]")
    assert "0.500 [0.500, 0.500]" in rows["chosen less classifier"]
    assert any(line.startswith(f"False alarms of {PAIRS.label} at a nominal 5%") for line in page)


def test_a_candidate_without_scores_is_listed_and_never_chosen():
    videos = _videos()
    good, none = _scores(videos, videos["label"] == FAKE), pd.Series(np.nan, videos["video_id"])
    runs = [_training(videos, {DRIFT: none, CLASSIFIER: good})]
    choice = choose(runs, 0)
    assert choice.best == (CLASSIFIER, CLASSIFIER)
    assert "| drift | nan | – | – | – |" in choice_page(choice, runs, 0, "")


def test_several_trainings_have_their_range():
    videos = _videos()
    good, none = _scores(videos, videos["label"] == FAKE), pd.Series(0.0, videos["video_id"])
    runs = [_training(videos, {CLASSIFIER: scores}) for scores in (good, none)]
    assert "0.750 (0.500 to 1.000)" in choice_page(choose(runs, 0), runs, 0, "")

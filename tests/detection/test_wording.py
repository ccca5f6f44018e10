"""What is written of a calibration and of a verdict."""

import pytest

from stages.lib.calibration.bundle import Release, TrainedOn
from stages.lib.calibration.ratios import FamilyRatio
from stages.lib.detection.observation import Note, NoteCode
from stages.lib.detection.verdict import Verdict
from stages.lib.detection.wording import (
    example_in_words,
    limits,
    model_in_words,
    note_in_words,
    ratio_in_words,
    ratios_in_words,
    reason,
    verdict_in_words,
    version_warnings,
    what_a_verdict_rests_on,
)
from stages.lib.reasons import VideoReject
from stages.lib.records import FAMILIES
from tests.helpers.params import scoring_settings
from tests.helpers.verdicts import RATE, calibration_of, observation_of, rejected, trained_on_fakes, verdict_of

CALIBRATION = calibration_of(range(1, 20))


@pytest.mark.parametrize(
    ("validation", "test", "part"),
    [
        ([1.0, 2.0, 3.0, 4.0], [2.0, 99.0], "4 real videos of 4 people (some reals)"),
        ([1.0, 2.0, 3.0, 4.0], [2.0, 99.0], "fewer than the 19"),
        ([1.0, 2.0, 3.0, 4.0], [2.0, 99.0], "1 of 2 called anomalous (50.0%)"),
        (range(40), [], "by rank"),
        (range(40), [], "40 real videos"),
        ([], [], "too few to decide anything"),
        ([3.0], [], "too few to decide anything"),
    ],
)
def test_the_sentences_say_what_a_verdict_rests_on(validation, test, part):
    assert part in what_a_verdict_rests_on(calibration_of(validation, test), RATE)


def test_without_test_reals_no_achieved_rate_is_stated():
    assert "Achieved" not in what_a_verdict_rests_on(calibration_of(range(40)), RATE)


def test_a_model_of_the_demo_says_so():
    assert any("trained on the rendered demo alone" in limit for limit in limits(calibration_of([1.0, 2.0])))


@pytest.mark.parametrize("code", NoteCode)
def test_every_note_has_its_sentence(code):
    names = ("n_decoded", "n_declared", "others", "n_faces", "several", "counted_in", "value", "least", "greatest")
    assert note_in_words(Note(code, dict.fromkeys(names, 7))).endswith(".")


def test_another_version_of_a_package_is_named():
    assert version_warnings({"torch": "1", "numpy": "2"}, {"torch": "9", "numpy": "2"}) == [
        "torch is 9 here, and was 1 where the model was calibrated: scores may differ"
    ]


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        (
            Note(NoteCode.TRUNCATED, {"n_decoded": 3, "n_declared": 9}),
            "The file ends early: 3 of 9 frames can be decoded.",
        ),
        (Note(NoteCode.OTHER_PEOPLE, {"others": 4, "n_faces": 8}), "may not all be one person's: 4 of 8 look unlike"),
        (
            Note(NoteCode.SEVERAL_FACES, {"several": 5, "counted_in": 8}),
            "More than one face is in view in 5 of 8 frames in which they were counted; only one in each was judged.",
        ),
        (
            Note(NoteCode.FACE_SIZE, {"value": 400.2, "least": 50.0, "greatest": 150.0}),
            "The face is 400 px wide; those of the real videos that the model knows are 50 to 150 px.",
        ),
        (Note(NoteCode.BORDERLINE), "might have come out on the other side of the threshold."),
    ],
)
def test_a_notes_sentence_names_its_figures(note, sentence):
    assert sentence in note_in_words(note)


def _scored(score: float) -> Verdict:
    return verdict_of(observation_of("v"), [score] * 5, CALIBRATION)


@pytest.mark.parametrize(
    ("score", "headline"),
    [
        (30.0, "Anomalous: its frames differ from each other otherwise than those of real videos do."),
        (10.0, "Not anomalous: its frames differ from each other as those of real videos do."),
    ],
)
def test_the_headline_says_the_decision(score, headline):
    assert verdict_in_words(_scored(score), CALIBRATION, RATE)[0] == headline


@pytest.mark.parametrize(("score", "headline"), [(30.0, "Anomalous: its faces"), (10.0, "Not anomalous: its faces")])
def test_a_combined_score_is_of_the_faces_too(score, headline):
    combined = CALIBRATION.model_copy(update={"scoring": scoring_settings(evidence=["classifier"])})
    assert verdict_in_words(_scored(score), combined, RATE)[0].startswith(headline)


@pytest.mark.parametrize(
    ("score", "part"),
    [
        (30.0, "Its anomaly score, 30.00, is higher than those of 19 of 19 real videos"),
        (30.0, "about 5.0% would be expected to score as high; more cannot be known from 19."),
        (
            30.0,
            "above the threshold for a false-alarm rate of 5.0%: a reason to look closer, not proof that it is fake.",
        ),
        (10.5, "Its anomaly score, 10.50, is higher than those of 10 of 19 real videos"),
        (10.5, "(percentile 53)"),
        (10.5, "about 50.0% would be expected to score as high"),
        (10.5, "not above the threshold for a false-alarm rate of 5.0%. It is not proof that the video is real."),
    ],
)
def test_the_sentences_say_where_a_score_stands(score, part):
    assert part in " ".join(verdict_in_words(_scored(score), CALIBRATION, RATE)[1])


def test_a_chance_smaller_than_the_reals_can_show_is_a_bound():
    few = calibration_of([1.0, 1.5, 2.0, 1.2])  # as normally distributed, the chance would be far below 1 in 5
    sentences = verdict_in_words(verdict_of(observation_of("v"), [9.0] * 5, few), few, RATE)[1]
    assert "fewer than 1 in 5 would be expected to score as high; more cannot be known from 4." in " ".join(sentences)


def test_a_verdict_has_no_reason():
    assert reason(_scored(30.0), CALIBRATION) is None


@pytest.mark.parametrize("code", VideoReject)
def test_every_reason_is_said_without_a_gap(code):
    words = reason(rejected(observation_of("v", 2, dropped=2), code, CALIBRATION), CALIBRATION)
    assert words and not set("{}") & set(words)


def test_a_reason_names_its_counts():
    verdict = rejected(observation_of("v", 2, dropped=3), VideoReject.TOO_FEW_FACES, CALIBRATION)
    assert reason(verdict, CALIBRATION) == (
        "too little face to judge: a face was found in 2 of 5 frames looked at, and 4 are needed"
    )


def test_without_a_score_the_headline_is_the_reason():
    verdict = rejected(observation_of("v", 0), VideoReject.UNREADABLE, CALIBRATION)
    assert verdict_in_words(verdict, CALIBRATION, RATE) == (
        "Cannot tell: not a video that can be opened: another kind of file, or damaged.",
        [],
    )


def test_a_score_that_decides_nothing_is_still_named():
    one = calibration_of([1.0])
    headline, sentences = verdict_in_words(verdict_of(observation_of("v"), [3.0] * 5, one), one, RATE)
    assert headline.startswith("Cannot tell: the model was calibrated on too few real videos")
    assert sentences == ["Its anomaly score is 3.00."]


def _trained_on(dataset: str, people: int = 49):
    return CALIBRATION.model_copy(update={"trained_on": TrainedOn(dataset=dataset, videos=50, people=people)})


RELEASED = CALIBRATION.model_copy(
    update={"release": Release(name="people-1", summary="Two sentences. Of its makers.", card="docs/card.md")}
)


@pytest.mark.parametrize(
    ("calibration", "part"),
    [
        (_trained_on("demo"), "says nothing about real videos"),
        (_trained_on("clips"), "50 real videos of 49 people (the dataset 'clips')"),
        (_trained_on("clips", people=0), "50 real videos (the dataset 'clips')"),
        (RELEASED, "The released model people-1 judges. Two sentences. Of its makers."),
    ],
)
def test_the_model_is_told_in_a_few_words(calibration, part):
    assert part in " ".join(model_in_words(calibration))


def test_of_the_demos_model_an_example_shows_its_best():
    assert "at its best" in example_in_words(_trained_on("demo"))


def test_of_other_models_an_example_shows_what_a_report_looks_like():
    assert "tends to find a rendered face unusual, swapped or not" in example_in_words(_trained_on("clips"))


def test_a_rendered_example_is_called_one():
    assert note_in_words(Note(NoteCode.RENDERED)).startswith("This is a rendered example")


def _ratio(times: float | None, family: str = "swap", least: float = 0.1, greatest: float = 15.0) -> FamilyRatio:
    """A ratio of 23 fakes of 20 people, made by two methods, against 32 reals of as many."""
    bounds = None if times is None else (least, greatest)
    return FamilyRatio(family, {"DeepFaceLive": 20, "InSwapper": 3}, 20, "mine", 32, 32, times, bounds)


_FAKES, _REALS = "face swaps (DeepFaceLive, InSwapper: 23 videos of 20 people)", "real videos (mine: 32 videos)"


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (6.04, f"The score is about 6.0 times as likely for {_FAKES} as for {_REALS}."),
        (9.96, f"The score is about 10 times as likely for {_FAKES} as for {_REALS}."),
        (14.7, f"The score is about 15 times as likely for {_FAKES} as for {_REALS}."),
        (1 / 8, f"The score is about 8.0 times as likely for {_REALS} as for {_FAKES}."),
        (1.0, f"The score is as likely for {_FAKES} as for {_REALS}: here it does not tell them apart."),
        (0.97, f"The score is as likely for {_REALS} as for {_FAKES}: here it does not tell them apart."),
    ],
)
def test_a_likelihood_ratio_names_methods_and_counts(times, sentence):
    assert ratio_in_words(_ratio(times)) == f"{sentence} These videos support no ratio below 0.1 or above 15."


def test_bounds_are_said_without_powers_of_ten():
    assert ratio_in_words(_ratio(130.0, least=0.004, greatest=131.2)).endswith("no ratio below 0.004 or above 131.")


def test_where_nothing_can_be_shown_no_bounds_are_said():
    words = ratio_in_words(_ratio(1.0, least=1.0, greatest=1.0))
    assert words.endswith("here it does not tell them apart.")


def test_of_too_few_people_the_words_say_why_there_is_no_likelihood_ratio():
    assert ratio_in_words(_ratio(None)) == (
        f"There is no likelihood ratio for {_FAKES} against {_REALS}: it takes at least 10 people on either side."
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_words(family):
    assert "likely for" in ratio_in_words(_ratio(2.0, family))


@pytest.mark.parametrize("part", ["says nothing about other methods", "It is not how probable a forgery is"])
def test_what_a_likelihood_ratio_means_is_said_once(part):
    words = ratios_in_words([_ratio(2.0), _ratio(3.0, "lips")])
    assert len(words) == 3
    assert part in words[-1]


def test_without_a_likelihood_ratio_its_meaning_is_not_said():
    assert ratios_in_words([_ratio(None)]) == [ratio_in_words(_ratio(None))]


def test_nothing_measured_is_nothing_said():
    assert ratios_in_words([]) == []


# Of a model that was trained on genuine fakes

SAID = "trained on fakes: Deepfakes, FaceSwap"
SUPERVISED = trained_on_fakes(CALIBRATION, "Deepfakes", "FaceSwap")


@pytest.mark.parametrize("score", [0.5, 100.0])
def test_a_verdict_says_which_fakes_were_trained_on(score):
    verdict = verdict_of(observation_of("a.mp4"), [score] * 5, SUPERVISED)
    assert verdict_in_words(verdict, SUPERVISED, RATE)[1][-1] == f"The model was {SAID}."


def test_so_does_a_score_that_decides_nothing():
    few = trained_on_fakes(calibration_of([]), "X")
    verdict = verdict_of(observation_of("a.mp4"), [1.0] * 5, few)
    assert verdict_in_words(verdict, few, RATE)[1] == [
        "Its anomaly score is 1.00.",
        "The model was trained on fakes: X.",
    ]


@pytest.mark.parametrize(
    "update", [{}, {"release": Release(name="r", summary="S.", card="c")}, {"made_from": "It was made from another."}]
)
def test_the_model_is_told_with_the_fakes_that_it_was_trained_on(update):
    assert f"The model was {SAID}." in model_in_words(SUPERVISED.model_copy(update=update))


def test_the_limits_of_a_model_that_saw_forgeries_do_not_say_that_it_saw_none():
    said = " ".join(limits(SUPERVISED))
    assert f"its network has seen genuine fakes ({SAID}): of fakes that were made otherwise it may find fewer." in said
    assert "never on a forgery" not in said and "never on a forgery" in " ".join(limits(CALIBRATION))

"""What is written of a calibration and of a verdict."""

import pytest

from stages.lib.detection.observation import Note, NoteCode
from stages.lib.detection.wording import limits, note_in_words, version_warnings, what_a_verdict_rests_on
from tests.helpers.verdicts import calibration_of


@pytest.mark.parametrize(
    ("validation", "test", "part"),
    [
        ([1.0, 2.0, 3.0, 4.0], [2.0, 99.0], "4 real validation videos of 4 people"),
        ([1.0, 2.0, 3.0, 4.0], [2.0, 99.0], "fewer than the 19"),
        ([1.0, 2.0, 3.0, 4.0], [2.0, 99.0], "1 of 2 called anomalous (50.0%)"),
        (range(40), [], "by rank"),
        (range(40), [], "40 real validation videos"),
        ([], [], "too few to decide anything"),
        ([3.0], [], "too few to decide anything"),
    ],
)
def test_the_sentences_say_what_a_verdict_rests_on(validation, test, part):
    assert part in what_a_verdict_rests_on(calibration_of(validation, test), 0.05)


def test_without_test_reals_no_achieved_rate_is_stated():
    assert "Achieved" not in what_a_verdict_rests_on(calibration_of(range(40)), 0.05)


def test_a_model_of_the_demo_says_so():
    assert any("trained on the rendered demo alone" in limit for limit in limits(calibration_of([1.0, 2.0])))


@pytest.mark.parametrize("code", NoteCode)
def test_every_note_has_its_sentence(code):
    names = ("n_decoded", "n_declared", "others", "n_faces", "several", "counted_in", "width", "least", "greatest")
    assert note_in_words(Note(code, dict.fromkeys(names, 7))).endswith(".")


def test_another_version_of_a_package_is_named():
    assert version_warnings({"torch": "1", "numpy": "2"}, {"torch": "9", "numpy": "2"}) == [
        "torch is 9 here, and was 1 where the model was calibrated: scores may differ"
    ]

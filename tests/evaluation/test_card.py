"""The card of released models: what it says of the fakes that were trained on."""

import pytest

from stages.lib.evaluation.card import About, Material, model_card
from tests.helpers.verdicts import calibration_of, trained_on_fakes

ABOUT = About(
    title="T.", summary="S.", method="M.", trained="R.", material=[Material(what="w", origin="o", terms="t")],
    use=["U."], weak=["W."], licence="L.",
)  # fmt: skip


def _facts(calibration) -> str:
    return model_card("x", ABOUT, calibration, {"families": {}}, {"datasets": {}, "nominal": 0.05})


@pytest.mark.parametrize(
    ("methods", "trained", "chose"),
    [
        ((), "3 real videos of 2 people, and pseudo-fakes; no forgery", "pseudo-fakes of them chose the epoch"),
        (
            ("X", "Y"),
            "3 real videos of 2 people, and fakes, genuine ones among them (trained on fakes: X, Y)",
            "fakes chose the epoch",
        ),
    ],
)
def test_a_card_says_what_the_reals_were_told_from(methods, trained, chose):
    card = _facts(trained_on_fakes(calibration_of([1.0, 2.0]), *methods))
    assert f"| trained on | {trained} |" in card and f"; {chose} |" in card
